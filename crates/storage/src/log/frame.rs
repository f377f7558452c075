//! A batch's frame: a header, the records, zeros up to the next sector.
//!
//! Always holds: a frame validates only at the place it was written for, in the segment it was
//! written for, because both go into its checksum. Frames begin at sector boundaries, so that
//! writing one never rewrites another's sector, and a search for one tries few places.

use super::{BATCH_BYTES_MAX, LogPosition, SECTOR_BYTES, SegmentHeader};
use bytes::Bytes;
use synod_codec::{Reader, Writer, checksum, extend_checksum};

const MAGIC: &[u8; 4] = b"SYNB";
const CHECKSUM_OFFSET: usize = 4;
const FIELDS_OFFSET: usize = 8;
pub(super) const FRAME_HEADER_BYTES: usize = 40;

/// What a batch says beside its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FrameHeader {
    /// How many records follow.
    pub(super) count: u32,
    /// Everything before this place was synced before the batch was written.
    pub(super) synced: LogPosition,
    /// The oldest segment that is needed once the batch is durable.
    pub(super) first: u64,
}

/// A valid batch, as read.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Where it begins in its segment, in bytes.
    pub(super) offset: u64,
    /// Where the next one begins.
    pub(super) end: u64,
    pub(super) header: FrameHeader,
    /// The records' bytes, shared with the segment's.
    pub(super) records: Bytes,
}

/// What a batch takes on disk when its records take `payload_bytes`.
pub(super) fn frame_bytes(payload_bytes: usize) -> u64 {
    ((FRAME_HEADER_BYTES + payload_bytes) as u64).next_multiple_of(SECTOR_BYTES)
}

/// A writer with room for the header in front, to encode a batch's records into.
pub(super) fn begin() -> Writer {
    let mut out = Writer::with_capacity(SECTOR_BYTES as usize);
    out.raw(&[0; FRAME_HEADER_BYTES]);
    out
}

/// Completes what [`begin`] began, for `offset` in `segment`.
pub(super) fn finish(
    records: Writer,
    header: FrameHeader,
    segment: &SegmentHeader,
    offset: u64,
) -> Vec<u8> {
    let payload_bytes = records.len() - FRAME_HEADER_BYTES;
    let mut frame = records.into_vec();
    frame.resize(frame_bytes(payload_bytes) as usize, 0);
    let mut front = Writer::with_capacity(FRAME_HEADER_BYTES);
    let length = u32::try_from(payload_bytes).expect("BATCH_BYTES_MAX fits in 32 bits");
    front.raw(MAGIC).u32(0).u32(length).u32(header.count);
    front.u64(header.synced.segment).u64(header.synced.offset).u64(header.first);
    frame[..FRAME_HEADER_BYTES].copy_from_slice(front.as_slice());
    let sum = frame_checksum(&frame, segment, offset);
    frame[CHECKSUM_OFFSET..FIELDS_OFFSET].copy_from_slice(&sum.to_le_bytes());
    frame
}

/// The valid frame at `offset` of a segment's file, if there is one.
pub(super) fn read(file: &Bytes, segment: &SegmentHeader, offset: u64) -> Option<Frame> {
    let start = usize::try_from(offset).ok()?;
    let front = file.get(start..start.checked_add(FRAME_HEADER_BYTES)?)?;
    if !front.starts_with(MAGIC) {
        return None;
    }
    let mut fields = Reader::new(file.slice(start + CHECKSUM_OFFSET..start + FRAME_HEADER_BYTES));
    let sum = fields.u32().ok()?;
    let payload_bytes = fields.u32().ok()? as usize;
    if payload_bytes > BATCH_BYTES_MAX {
        return None;
    }
    let end = offset + frame_bytes(payload_bytes);
    let frame = file.get(start..usize::try_from(end).ok()?)?;
    if frame_checksum(frame, segment, offset) != sum {
        return None;
    }
    let count = fields.u32().ok()?;
    let synced = LogPosition { segment: fields.u64().ok()?, offset: fields.u64().ok()? };
    let header = FrameHeader { count, synced, first: fields.u64().ok()? };
    let records = start + FRAME_HEADER_BYTES;
    Some(Frame { offset, end, header, records: file.slice(records..records + payload_bytes) })
}

/// Over where the frame stands and everything in it, padding included, but the checksum itself.
fn frame_checksum(frame: &[u8], segment: &SegmentHeader, offset: u64) -> u32 {
    let mut place = Writer::with_capacity(24);
    place.u64(segment.salt).u64(segment.number).u64(offset);
    let sum = extend_checksum(checksum(place.as_slice()), &frame[..CHECKSUM_OFFSET]);
    extend_checksum(sum, &frame[FIELDS_OFFSET..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use synod_consensus::StoreId;

    const SEGMENT: SegmentHeader =
        SegmentHeader { store: StoreId(1), number: 5, salt: 77, previous_end: 0, first: 1 };
    const FRAME: FrameHeader =
        FrameHeader { count: 2, synced: LogPosition { segment: 4, offset: 512 }, first: 3 };

    fn file_with(payload: &[u8], offset: usize) -> Bytes {
        let mut records = begin();
        records.raw(payload);
        let mut file = vec![0; offset];
        file.extend(finish(records, FRAME, &SEGMENT, offset as u64));
        Bytes::from(file)
    }

    proptest! {
        #[test]
        fn a_frame_survives_a_round_trip(payload in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let frame = read(&file_with(&payload, 512), &SEGMENT, 512).unwrap();
            prop_assert_eq!(frame.records, payload);
            prop_assert_eq!(frame.header, FRAME);
        }

        #[test]
        fn arbitrary_bytes_are_no_frame(raw: Vec<u8>, length: u32) {
            let mut file = MAGIC.to_vec();
            file.extend([0; 4]);
            file.extend(length.to_le_bytes());
            file.extend(raw);
            prop_assert!(read(&Bytes::from(file), &SEGMENT, 0).is_none());
        }
    }

    #[test]
    fn a_frame_is_valid_only_where_it_was_written() {
        let file = file_with(b"records", 512);
        assert!(read(&file, &SEGMENT, 512).is_some());
        assert!(read(&file.slice(512..), &SEGMENT, 0).is_none(), "another offset");
        for other in [SegmentHeader { salt: 78, ..SEGMENT }, SegmentHeader { number: 6, ..SEGMENT }]
        {
            assert!(read(&file, &other, 512).is_none(), "another segment");
        }
    }

    #[test]
    fn every_flipped_bit_of_a_frame_is_seen() {
        let file = file_with(b"records", 0);
        for bit in 0..file.len() * 8 {
            let mut damaged = file.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&Bytes::from(damaged), &SEGMENT, 0).is_none(), "bit {bit}");
        }
    }
}
