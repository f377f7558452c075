//! Finds the batches of one segment, and what later ones say about a place that holds none.

use super::frame::{self, Frame};
use super::segment::HEADER_BYTES;
use super::{LogPosition, SECTOR_BYTES, SegmentHeader};
use bytes::Bytes;

/// What a segment's file holds behind its header.
#[derive(Debug)]
pub(super) struct Scan {
    /// Valid batches, one behind the other from the header on.
    pub(super) frames: Vec<Frame>,
    /// Where the last of them ends, in bytes: the end of the file, or a place that holds no batch.
    pub(super) end: u64,
    /// The highest place that any valid batch, behind such a place too, says was synced before it.
    pub(super) vouched: LogPosition,
}

/// Reads all of `file`, the contents of the segment that `segment` heads.
pub(super) fn scan(file: &Bytes, segment: &SegmentHeader) -> Scan {
    let mut frames = Vec::new();
    let mut end = HEADER_BYTES;
    while let Some(frame) = frame::read(file, segment, end) {
        end = frame.end;
        frames.push(frame);
    }
    // The header itself was synced before the segment had a name.
    let start = LogPosition { segment: segment.number, offset: HEADER_BYTES };
    let before = frames.iter().map(|frame| frame.header.synced).max().unwrap_or(start);
    let vouched = before.max(start).max(vouched_behind(file, segment, end));
    Scan { frames, end, vouched }
}

/// Looks for batches behind a place that holds none, at every sector: pages reach a disk in any
/// order, so a torn tail may well have whole batches in it. What counts is what they vouch for.
fn vouched_behind(file: &Bytes, segment: &SegmentHeader, bad: u64) -> LogPosition {
    let mut vouched = LogPosition::default();
    let mut offset = bad + SECTOR_BYTES;
    while offset < file.len() as u64 {
        match frame::read(file, segment, offset) {
            Some(frame) => {
                vouched = vouched.max(frame.header.synced);
                offset = frame.end;
            }
            None => offset += SECTOR_BYTES,
        }
    }
    vouched
}
