//! What a batch holds: the callers' records, and what the log itself copies forward.

use super::frame::Frame;
use crate::record::{decode_meta, encode_meta};
use crate::{Generation, Record};
use synod_codec::{DecodeError, Reader, Writer};
use synod_consensus::{GroupId, SnapshotMeta};

/// Record tags end below this one.
const TAG_BASE: u8 = 6;

/// One element of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Item {
    /// As it was appended.
    Record(Record),
    /// What a group's log starts behind, said again at the head of the log before the segment that
    /// said it first is removed. Unlike [`Record::Install`] it drops nothing behind the index.
    Base(GroupId, SnapshotMeta, Generation),
}

impl Item {
    pub(super) fn encode(&self, out: &mut Writer) {
        match self {
            Self::Record(record) => record.encode(out),
            Self::Base(group, meta, generation) => {
                out.u8(TAG_BASE).varint(group.0).varint(*generation);
                encode_meta(meta, out);
            }
        }
    }

    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        let mut ahead = input.clone();
        if ahead.u8()? != TAG_BASE {
            return Ok(Self::Record(Record::decode(input)?));
        }
        *input = ahead;
        let group = GroupId(input.varint()?);
        let generation = input.varint()?;
        Ok(Self::Base(group, decode_meta(input)?, generation))
    }
}

/// Everything in a valid frame, in order. An error means that the program that wrote it was not
/// this one, or was wrong: the bytes are the ones that were written.
pub(super) fn decode_all(frame: &Frame) -> Result<Vec<Item>, DecodeError> {
    let mut input = Reader::new(frame.records.clone());
    let mut items = Vec::new();
    while input.remaining() > 0 {
        items.push(Item::decode(&mut input)?);
    }
    if items.len() as u64 == u64::from(frame.header.count) {
        Ok(items)
    } else {
        Err(DecodeError::Invalid("a batch does not hold as many records as it says"))
    }
}
