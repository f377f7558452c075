//! Group messages as bytes: `docs/format/message.md` has the tables.
//!
//! **Invariant:** decoding never panics and never allocates more than a small multiple of its
//! input, whatever the bytes are; entry payloads share the input's memory.

use crate::{ForwardedProposal, GroupMessage};
use bytes::Bytes;
use synod_codec::{DecodeError, Reader, Writer};
use synod_consensus::{
    Ballot, Body, Entry, EntryKind, LogIndex, Membership, Message, Origin, Position, SnapshotMeta,
    StoreId,
};

/// The version of the message format, the first byte of every message.
pub const MESSAGE_VERSION: u8 = 1;

/// A message as bytes.
#[must_use]
pub fn encode_message(message: &GroupMessage) -> Bytes {
    let mut out = Writer::with_capacity(64);
    out.u8(MESSAGE_VERSION);
    put_message(&mut out, message);
    out.into_bytes()
}

/// The message that `bytes` hold.
pub fn decode_message(bytes: Bytes) -> Result<GroupMessage, DecodeError> {
    let mut input = Reader::new(bytes);
    let version = input.u8()?;
    if version != MESSAGE_VERSION {
        return Err(DecodeError::UnknownTag("message version", u64::from(version)));
    }
    let message = get_message(&mut input)?;
    input.finish()?;
    Ok(message)
}

fn put_message(out: &mut Writer, message: &GroupMessage) {
    match message {
        GroupMessage::Consensus(message) => {
            put_ballot(out.u8(1), message.ballot);
            put_body(out, &message.body);
        }
        GroupMessage::Propose { ballot, incarnation, proposals } => {
            put_ballot(out.u8(2), *ballot);
            out.varint(*incarnation).varint(proposals.len() as u64);
            for it in proposals {
                out.varint(it.sequence).bytes(&it.payload);
            }
        }
        GroupMessage::ProposeRefused { ballot, incarnation, sequences, overloaded } => {
            put_ballot(out.u8(3), *ballot);
            out.varint(*incarnation).bool(*overloaded).varint(sequences.len() as u64);
            for sequence in sequences {
                out.varint(*sequence);
            }
        }
        GroupMessage::ReadIndex { incarnation, sequence } => {
            out.u8(4).varint(*incarnation).varint(*sequence);
        }
        GroupMessage::ReadIndexReply { incarnation, sequence, index } => {
            out.u8(5).varint(*incarnation).varint(*sequence).bool(index.is_some());
            out.varint(index.unwrap_or_default().0);
        }
        GroupMessage::Ask { incarnation, sequence, question } => {
            out.u8(6).varint(*incarnation).varint(*sequence).bytes(question);
        }
        GroupMessage::Answer { incarnation, sequence, answer } => {
            out.u8(7).varint(*incarnation).varint(*sequence).bool(answer.is_some());
            out.bytes(answer.as_deref().unwrap_or_default());
        }
        GroupMessage::SnapshotOffer { session, meta } => {
            put_meta(out.u8(8).varint(*session), meta);
        }
        GroupMessage::SnapshotFetch { session, number, after } => {
            out.u8(9).varint(*session).varint(*number).bytes(after);
        }
        GroupMessage::SnapshotChunk { session, number, chunk, resume, last } => {
            out.u8(10).varint(*session).varint(*number).bytes(chunk).bytes(resume).bool(*last);
        }
        GroupMessage::SnapshotEnded { session, installed } => {
            out.u8(11).varint(*session).bool(*installed);
        }
        GroupMessage::SnapshotGone { session } => {
            out.u8(12).varint(*session);
        }
    }
}

fn get_message(input: &mut Reader) -> Result<GroupMessage, DecodeError> {
    Ok(match input.u8()? {
        1 => {
            let ballot = get_ballot(input)?;
            GroupMessage::Consensus(Message { ballot, body: get_body(input)? })
        }
        2 => {
            let (ballot, incarnation) = (get_ballot(input)?, input.varint()?);
            let proposals = get_list(input, "proposals", |input| {
                Ok(ForwardedProposal { sequence: input.varint()?, payload: input.bytes()? })
            })?;
            GroupMessage::Propose { ballot, incarnation, proposals }
        }
        3 => {
            let (ballot, incarnation) = (get_ballot(input)?, input.varint()?);
            let overloaded = input.bool()?;
            let sequences = get_list(input, "sequences", Reader::varint)?;
            GroupMessage::ProposeRefused { ballot, incarnation, sequences, overloaded }
        }
        4 => GroupMessage::ReadIndex { incarnation: input.varint()?, sequence: input.varint()? },
        5 => {
            let (incarnation, sequence) = (input.varint()?, input.varint()?);
            let (known, index) = (input.bool()?, LogIndex(input.varint()?));
            GroupMessage::ReadIndexReply { incarnation, sequence, index: known.then_some(index) }
        }
        6 => GroupMessage::Ask {
            incarnation: input.varint()?,
            sequence: input.varint()?,
            question: input.bytes()?,
        },
        7 => {
            let (incarnation, sequence) = (input.varint()?, input.varint()?);
            let (known, answer) = (input.bool()?, input.bytes()?);
            GroupMessage::Answer { incarnation, sequence, answer: known.then_some(answer) }
        }
        8 => GroupMessage::SnapshotOffer { session: input.varint()?, meta: get_meta(input)? },
        9 => GroupMessage::SnapshotFetch {
            session: input.varint()?,
            number: input.varint()?,
            after: input.bytes()?,
        },
        10 => GroupMessage::SnapshotChunk {
            session: input.varint()?,
            number: input.varint()?,
            chunk: input.bytes()?,
            resume: input.bytes()?,
            last: input.bool()?,
        },
        11 => GroupMessage::SnapshotEnded { session: input.varint()?, installed: input.bool()? },
        12 => GroupMessage::SnapshotGone { session: input.varint()? },
        other => return Err(DecodeError::UnknownTag("message kind", u64::from(other))),
    })
}

fn put_body(out: &mut Writer, body: &Body) {
    match body {
        Body::Canvass { last } => put_position(out.u8(1), *last),
        Body::CanvassReply { granted } => _ = out.u8(2).bool(*granted),
        Body::Vote { last } => put_position(out.u8(3), *last),
        Body::VoteReply { granted } => _ = out.u8(4).bool(*granted),
        Body::Prepare { from } => _ = out.u8(5).varint(from.0),
        Body::Promise { from, accepted, first, last, committed } => {
            out.u8(6).varint(from.0).varint(first.0).varint(last.0).varint(committed.0);
            put_entries(out, accepted);
        }
        Body::Reject => _ = out.u8(7),
        Body::Append { previous, entries, committed } => {
            put_position(out.u8(8), *previous);
            put_entries(out.varint(committed.0), entries);
        }
        Body::Appended { matched } => _ = out.u8(9).varint(matched.0),
        Body::AppendRefused { previous, hint } => {
            put_position(out.u8(10).varint(previous.0), *hint);
        }
        Body::Commit { committed } => _ = out.u8(11).varint(committed.0),
        Body::Heartbeat { committed, round } => {
            out.u8(12).varint(committed.0).varint(*round);
        }
        Body::HeartbeatReply { round, verified } => {
            _ = out.u8(13).varint(*round).varint(verified.0)
        }
    }
}

fn get_body(input: &mut Reader) -> Result<Body, DecodeError> {
    Ok(match input.u8()? {
        1 => Body::Canvass { last: get_position(input)? },
        2 => Body::CanvassReply { granted: input.bool()? },
        3 => Body::Vote { last: get_position(input)? },
        4 => Body::VoteReply { granted: input.bool()? },
        5 => Body::Prepare { from: get_index(input)? },
        6 => Body::Promise {
            from: get_index(input)?,
            first: get_index(input)?,
            last: get_index(input)?,
            committed: get_index(input)?,
            accepted: get_entries(input)?,
        },
        7 => Body::Reject,
        8 => Body::Append {
            previous: get_position(input)?,
            committed: get_index(input)?,
            entries: get_entries(input)?,
        },
        9 => Body::Appended { matched: get_index(input)? },
        10 => Body::AppendRefused { previous: get_index(input)?, hint: get_position(input)? },
        11 => Body::Commit { committed: get_index(input)? },
        12 => Body::Heartbeat { committed: get_index(input)?, round: input.varint()? },
        13 => Body::HeartbeatReply { round: input.varint()?, verified: get_index(input)? },
        other => return Err(DecodeError::UnknownTag("consensus message", u64::from(other))),
    })
}

pub(crate) fn put_ballot(out: &mut Writer, ballot: Ballot) {
    out.varint(ballot.round).u64(ballot.store.0);
}

pub(crate) fn get_ballot(input: &mut Reader) -> Result<Ballot, DecodeError> {
    Ok(Ballot::new(input.varint()?, StoreId(input.u64()?)))
}

fn put_position(out: &mut Writer, position: Position) {
    put_ballot(out.varint(position.index.0), position.ballot);
}

fn get_position(input: &mut Reader) -> Result<Position, DecodeError> {
    let index = get_index(input)?;
    Ok(Position { index, ballot: get_ballot(input)? })
}

/// Positions are counted from 1 and leave room to be counted on without overflow.
const INDEX_MAX: u64 = u64::MAX / 4;

pub(crate) fn get_index(input: &mut Reader) -> Result<LogIndex, DecodeError> {
    match input.varint()? {
        index if index <= INDEX_MAX => Ok(LogIndex(index)),
        index => Err(DecodeError::OverLimit("log index", index)),
    }
}

/// Entries are consecutive: the first one's index stands for all.
pub(crate) fn put_entries(out: &mut Writer, entries: &[Entry]) {
    out.varint(entries.len() as u64);
    out.varint(entries.first().map_or(0, |entry| entry.index.0));
    for entry in entries {
        put_ballot(out, entry.ballot);
        out.u8(kind_tag(entry.kind));
        put_origin(out, entry.origin);
        out.bytes(&entry.payload);
    }
}

pub(crate) fn get_entries(input: &mut Reader) -> Result<Vec<Entry>, DecodeError> {
    let count = input.count("entries")?;
    let first = get_index(input)?;
    let mut entries = Vec::new();
    for offset in 0..count {
        let index = first.plus(offset as u64);
        let ballot = get_ballot(input)?;
        let kind = kind_of(input.u8()?)?;
        let origin = get_origin(input)?;
        let payload = input.bytes()?;
        if kind == EntryKind::Membership && Membership::decode(&payload).is_err() {
            return Err(DecodeError::Invalid("an entry's membership is invalid"));
        }
        entries.push(Entry { index, ballot, origin, kind, payload });
    }
    Ok(entries)
}

fn kind_tag(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::Noop => 0,
        EntryKind::Command => 1,
        EntryKind::Membership => 2,
    }
}

fn kind_of(tag: u8) -> Result<EntryKind, DecodeError> {
    match tag {
        0 => Ok(EntryKind::Noop),
        1 => Ok(EntryKind::Command),
        2 => Ok(EntryKind::Membership),
        other => Err(DecodeError::UnknownTag("entry kind", u64::from(other))),
    }
}

/// The core's own entries have no origin: one byte says so.
fn put_origin(out: &mut Writer, origin: Origin) {
    if origin == Origin::default() {
        out.u8(0);
    } else {
        out.u8(1).u64(origin.store.0).varint(origin.incarnation).varint(origin.sequence);
    }
}

fn get_origin(input: &mut Reader) -> Result<Origin, DecodeError> {
    if !input.bool()? {
        return Ok(Origin::default());
    }
    let store = StoreId(input.u64()?);
    Ok(Origin { store, incarnation: input.varint()?, sequence: input.varint()? })
}

pub(crate) fn put_meta(out: &mut Writer, meta: &SnapshotMeta) {
    put_ballot(out.varint(meta.index.0), meta.ballot);
    out.bytes(&meta.membership.encode());
}

pub(crate) fn get_meta(input: &mut Reader) -> Result<SnapshotMeta, DecodeError> {
    let index = get_index(input)?;
    let ballot = get_ballot(input)?;
    let membership = Membership::decode(&input.bytes()?)
        .map_err(|_| DecodeError::Invalid("a snapshot's membership is invalid"))?;
    Ok(SnapshotMeta { index, ballot, membership })
}

pub(crate) fn get_list<T>(
    input: &mut Reader,
    field: &'static str,
    item: impl Fn(&mut Reader) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = input.count(field)?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(item(input)?);
    }
    Ok(items)
}

#[cfg(test)]
mod tests;
