//! One chunk of a snapshot as bytes. The byte table is in `docs/mvcc.md`.

use bytes::Bytes;
use synod_codec::{DecodeError, Reader, Writer, checksum};
use synod_consensus::{GroupId, LogIndex};

/// A chunk ends at about so many bytes, unless one record alone is larger: a frame that a transport
/// sends without holding up heartbeats.
pub const CHUNK_BYTES_MAX: usize = 1 << 20;

const CHUNK_FORM: u8 = 1;
const CHECKSUM_BYTES: usize = 4;

/// A chunk, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Chunk {
    pub(super) group: GroupId,
    /// The entry that the exported state stands behind.
    pub(super) applied: LogIndex,
    /// The last key of the chunk before; empty for the first one.
    pub(super) after: Bytes,
    /// Whether nothing follows.
    pub(super) last: bool,
    /// Keys without the generation's prefix, ascending, and values.
    pub(super) records: Vec<(Bytes, Bytes)>,
}

impl Chunk {
    pub(super) fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(CHUNK_BYTES_MAX + 1024);
        writer.u8(CHUNK_FORM).u64(self.group.0).varint(self.applied.0).bytes(&self.after);
        writer.bool(self.last).varint(self.records.len() as u64);
        for (key, value) in &self.records {
            writer.bytes(key).bytes(value);
        }
        let checksum = checksum(writer.as_slice());
        writer.u32(checksum);
        writer.into_bytes()
    }

    pub(super) fn decode(raw: Bytes) -> Result<Self, DecodeError> {
        let body = raw.len().checked_sub(CHECKSUM_BYTES).ok_or(DecodeError::Truncated)?;
        if Reader::new(raw.slice(body..)).u32()? != checksum(&raw[..body]) {
            return Err(DecodeError::Invalid("the checksum does not match"));
        }
        let mut reader = Reader::new(raw.slice(..body));
        match reader.u8()? {
            CHUNK_FORM => {}
            other => return Err(DecodeError::UnknownTag("chunk", other.into())),
        }
        let group = GroupId(reader.u64()?);
        let applied = LogIndex(reader.varint()?);
        let (after, last) = (reader.bytes()?, reader.bool()?);
        let mut records = Vec::new();
        for _ in 0..reader.count("records")? {
            records.push((reader.bytes()?, reader.bytes()?));
        }
        reader.finish()?;
        Ok(Self { group, applied, after, last, records })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chunk() -> Chunk {
        let record = (Bytes::from_static(b"key"), Bytes::from_static(b"value"));
        let after = Bytes::from_static(b"before");
        let (group, applied) = (GroupId(1), LogIndex(300));
        Chunk { group, applied, after, last: true, records: vec![record] }
    }

    #[test]
    fn a_chunk_survives_a_round_trip_and_no_flipped_bit() {
        let encoded = chunk().encode();
        assert_eq!(Chunk::decode(encoded.clone()), Ok(chunk()));
        for bit in 0..encoded.len() * 8 {
            let mut damaged = encoded.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Chunk::decode(damaged.into()).is_err(), "bit {bit} was flipped unnoticed");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
            let _ = Chunk::decode(raw.clone().into());
            let sum = checksum(&raw).to_le_bytes();
            let _ = Chunk::decode([raw, sum.to_vec()].concat().into());
        }
    }
}
