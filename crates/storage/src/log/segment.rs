//! A segment's file name and its header block.
//!
//! A header is written and synced under a temporary name before the file gets its own, so a segment
//! that exists always has a whole header: one that has not is damaged, never half born.

use super::SECTOR_BYTES;
use bytes::Bytes;
use synod_codec::{Reader, Writer, checksum, extend_checksum};
use synod_consensus::StoreId;

/// The version of the format that `docs/format/log.md` describes.
pub const LOG_FORMAT_VERSION: u32 = 1;

/// The header has a block of its own, so that no later write touches its sector.
pub(super) const HEADER_BYTES: u64 = SECTOR_BYTES;

const MAGIC: &[u8; 8] = b"SYNODLOG";
const CHECKSUM_OFFSET: usize = 12;
const SUFFIX: &str = ".log";
const TEMPORARY_SUFFIX: &str = ".new";

/// What a segment says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentHeader {
    /// Whose log it is part of.
    pub(super) store: StoreId,
    /// Its number, from 1, never used twice.
    pub(super) number: u64,
    /// Goes into every checksum of the segment.
    pub(super) salt: u64,
    /// Where the segment before it ends, in bytes; 0 for the first of a log.
    pub(super) previous_end: u64,
    /// The oldest segment that was needed when this one was begun.
    pub(super) first: u64,
}

/// Why a block is not a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BadHeader {
    /// A whole header of another version of the format.
    OtherVersion(u32),
    /// Anything else.
    Damaged(&'static str),
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(HEADER_BYTES as usize);
        out.raw(MAGIC).u32(LOG_FORMAT_VERSION).u32(0);
        out.u64(self.store.0).u64(self.number).u64(self.salt);
        out.u64(self.previous_end).u64(self.first);
        let mut block = out.into_vec();
        block.resize(HEADER_BYTES as usize, 0);
        let sum = block_checksum(&block);
        block[CHECKSUM_OFFSET..CHECKSUM_OFFSET + 4].copy_from_slice(&sum.to_le_bytes());
        block
    }

    /// Reads the header at the start of a segment's file.
    pub(super) fn decode(file: &Bytes) -> Result<Self, BadHeader> {
        const SHORT: BadHeader = BadHeader::Damaged("the file is shorter than its header");
        let block = file.get(..HEADER_BYTES as usize).ok_or(SHORT)?;
        if !block.starts_with(MAGIC) {
            return Err(BadHeader::Damaged("the file does not begin as a log segment does"));
        }
        let mut fields = Reader::new(file.slice(MAGIC.len()..));
        let version = fields.u32().map_err(|_| SHORT)?;
        if fields.u32().map_err(|_| SHORT)? != block_checksum(block) {
            return Err(BadHeader::Damaged("the header's checksum does not match"));
        }
        if version != LOG_FORMAT_VERSION {
            return Err(BadHeader::OtherVersion(version));
        }
        let mut next = || fields.u64().map_err(|_| SHORT);
        Ok(Self {
            store: StoreId(next()?),
            number: next()?,
            salt: next()?,
            previous_end: next()?,
            first: next()?,
        })
    }
}

/// The checksum of a header block, its own four bytes left out.
fn block_checksum(block: &[u8]) -> u32 {
    extend_checksum(checksum(&block[..CHECKSUM_OFFSET]), &block[CHECKSUM_OFFSET + 4..])
}

/// `directory/00000000000000000001.log`: names sort as numbers do.
pub(super) fn path_of(directory: &str, number: u64) -> String {
    format!("{directory}/{number:020}{SUFFIX}")
}

/// Where a segment is prepared before it gets its name.
pub(super) fn temporary_path_of(directory: &str, number: u64) -> String {
    format!("{directory}/{number:020}{TEMPORARY_SUFFIX}")
}

/// The number that a file name stands for, if it names a segment.
pub(super) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let well_formed = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| well_formed && *number > 0)
}

/// Whether a file is a segment that never got its name.
pub(super) fn is_temporary(name: &str) -> bool {
    name.ends_with(TEMPORARY_SUFFIX)
}

/// A segment's salt: different for every seed and every number.
pub(super) fn salt_of(seed: u64, number: u64) -> u64 {
    // The finaliser of SplitMix64 (Steele, Lea, Flood, 2014): spreads every input bit.
    let mut mixed = seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader =
        SegmentHeader { store: StoreId(7), number: 3, salt: 99, previous_end: 4096, first: 2 };

    #[test]
    fn a_header_survives_a_round_trip() {
        assert_eq!(SegmentHeader::decode(&Bytes::from(HEADER.encode())), Ok(HEADER));
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_seen() {
        for bit in 0..HEADER.encode().len() * 8 {
            let mut block = HEADER.encode();
            block[bit / 8] ^= 1 << (bit % 8);
            let decoded = SegmentHeader::decode(&Bytes::from(block));
            assert!(matches!(decoded, Err(BadHeader::Damaged(_))), "bit {bit}");
        }
    }

    #[test]
    fn a_whole_header_of_another_version_is_told_apart_from_damage() {
        let mut block = HEADER.encode();
        block[8] = 2;
        let sum = block_checksum(&block);
        block[12..16].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&Bytes::from(block)), Err(BadHeader::OtherVersion(2)));
    }

    #[test]
    fn names_stand_for_numbers() {
        assert_eq!(number_of("00000000000000000012.log"), Some(12));
        for name in ["12.log", "00000000000000000000.log", "0000000000000000001x.log", "LOCK"] {
            assert_eq!(number_of(name), None, "{name}");
        }
    }
}
