//! A recording of everything that happened to a group, and its exact replay.
//!
//! A group is a pure function of its start and of the calls made on it. A [`Step`] is one such
//! call; a recording is the [`Opening`] and the steps, made by [`Recorded`], with a fingerprint of
//! everything given back from time to time. [`replay`] makes the same calls in another process, on
//! another machine, and compares. The byte tables are in `docs/format/journal.md`.

mod opening;
mod recorded;
mod replay;

pub use opening::Opening;
pub use recorded::Recorded;
pub use replay::{ReplayError, Replayed, replay};

use crate::wire::{decode_message, encode_message, get_index, get_list};
use crate::{AskId, Input, Proposal, RequestId};
use bytes::Bytes;
use synod_codec::{DecodeError, Reader, Writer, checksum, extend_checksum};
use synod_consensus::{Instant, StoreId, WriteId};

/// One call on a group, or what it must have come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// [`Group::handle`].
    Handle(Instant, Input),
    /// [`Group::take_effects`] into an empty buffer.
    TakeEffects,
    /// [`Group::take_committed`] with this limit.
    TakeCommitted(u64),
    /// Everything given back so far folds to this.
    Expect(Fingerprint),
}

impl Step {
    /// The step as bytes: a length, a checksum, and the fields.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut body = Writer::new();
        put_step(&mut body, self);
        framed(body)
    }
}

fn framed(body: Writer) -> Bytes {
    let body = body.into_bytes();
    let mut out = Writer::with_capacity(body.len() + 8);
    let length = u32::try_from(body.len()).expect("messages are bounded far below 4 GiB");
    out.u32(length).u32(checksum(&body)).raw(&body);
    out.into_bytes()
}

/// Reads the next step of a recording; `None` at its end. A step that was cut short is an error, as
/// the last one is after a crash: what is before it replays all the same.
pub fn read_step(input: &mut Reader) -> Result<Option<Step>, DecodeError> {
    if input.remaining() == 0 {
        return Ok(None);
    }
    let mut body = unframed(input)?;
    let step = get_step(&mut body)?;
    body.finish()?;
    Ok(Some(step))
}

fn unframed(input: &mut Reader) -> Result<Reader, DecodeError> {
    let length = input.u32()?;
    let expected = input.u32()?;
    let body = input.take(usize::try_from(length).map_err(|_| DecodeError::Truncated)?)?;
    if checksum(&body) != expected {
        return Err(DecodeError::Invalid("a step's checksum does not match"));
    }
    Ok(Reader::new(body))
}

/// Folds everything that a group gave back into one number: two replays are equal if theirs are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fingerprint(pub u32);

impl Fingerprint {
    /// Adds what one step gave back.
    #[must_use]
    pub fn with(self, given: &impl std::fmt::Debug) -> Self {
        // The debug form spells out every field of every effect, so nothing can be left out.
        Self(extend_checksum(self.0, format!("{given:?}").as_bytes()))
    }
}

fn put_step(out: &mut Writer, step: &Step) {
    match step {
        Step::TakeEffects => _ = out.u8(1),
        Step::TakeCommitted(bytes_max) => _ = out.u8(2).varint(*bytes_max),
        Step::Expect(fingerprint) => _ = out.u8(4).u32(fingerprint.0),
        Step::Handle(now, input) => {
            out.u8(3).varint(now.0);
            put_input(out, input);
        }
    }
}

fn get_step(input: &mut Reader) -> Result<Step, DecodeError> {
    Ok(match input.u8()? {
        1 => Step::TakeEffects,
        2 => Step::TakeCommitted(input.varint()?),
        3 => Step::Handle(Instant(input.varint()?), get_input(input)?),
        4 => Step::Expect(Fingerprint(input.u32()?)),
        other => return Err(DecodeError::UnknownTag("step", u64::from(other))),
    })
}

fn put_input(out: &mut Writer, input: &Input) {
    match input {
        Input::Tick => _ = out.u8(1),
        Input::Receive { from, message } => {
            out.u8(2).u64(from.0).bytes(&encode_message(message));
        }
        Input::Propose(proposals) => {
            out.u8(3).varint(proposals.len() as u64);
            for it in proposals {
                out.varint(it.request.0).varint(it.deadline.0).bytes(&it.payload);
            }
        }
        Input::Read { request, deadline } => _ = out.u8(4).varint(request.0).varint(deadline.0),
        Input::Ask { request, question, deadline } => {
            out.u8(5).varint(request.0).varint(deadline.0).bytes(question);
        }
        Input::Answered { ask, answer } => {
            out.u8(6).varint(ask.0).bool(answer.is_some());
            out.bytes(answer.as_deref().unwrap_or_default());
        }
        Input::Persisted(write) => _ = out.u8(7).varint(write.0),
        Input::PersistFailed => _ = out.u8(8),
        Input::Applied(index) => _ = out.u8(9).varint(index.0),
        Input::Flushed(index) => _ = out.u8(10).varint(index.0),
        Input::SnapshotOpened { session, index } => {
            out.u8(11).varint(*session).varint(index.0);
        }
        Input::ChunkRead { session, number, chunk, resume, last } => {
            out.u8(12).varint(*session).varint(*number).bytes(chunk).bytes(resume).bool(*last);
        }
        Input::ChunkWritten { from, session, number, accepted } => {
            out.u8(13).u64(from.0).varint(*session).varint(*number).bool(*accepted);
        }
        Input::InstallReady { from, session, generation } => {
            out.u8(14).u64(from.0).varint(*session).bool(generation.is_some());
            out.varint(generation.unwrap_or_default());
        }
    }
}

fn get_input(input: &mut Reader) -> Result<Input, DecodeError> {
    Ok(match input.u8()? {
        1 => Input::Tick,
        2 => {
            let from = StoreId(input.u64()?);
            Input::Receive { from, message: decode_message(input.bytes()?)? }
        }
        3 => Input::Propose(get_list(input, "proposals", |input| {
            let (request, deadline) = (RequestId(input.varint()?), Instant(input.varint()?));
            Ok(Proposal { request, deadline, payload: input.bytes()? })
        })?),
        4 => {
            Input::Read { request: RequestId(input.varint()?), deadline: Instant(input.varint()?) }
        }
        5 => {
            let (request, deadline) = (RequestId(input.varint()?), Instant(input.varint()?));
            Input::Ask { request, question: input.bytes()?, deadline }
        }
        6 => {
            let ask = AskId(input.varint()?);
            let (known, answer) = (input.bool()?, input.bytes()?);
            Input::Answered { ask, answer: known.then_some(answer) }
        }
        7 => Input::Persisted(WriteId(input.varint()?)),
        8 => Input::PersistFailed,
        9 => Input::Applied(get_index(input)?),
        10 => Input::Flushed(get_index(input)?),
        11 => Input::SnapshotOpened { session: input.varint()?, index: get_index(input)? },
        12 => Input::ChunkRead {
            session: input.varint()?,
            number: input.varint()?,
            chunk: input.bytes()?,
            resume: input.bytes()?,
            last: input.bool()?,
        },
        13 => Input::ChunkWritten {
            from: StoreId(input.u64()?),
            session: input.varint()?,
            number: input.varint()?,
            accepted: input.bool()?,
        },
        14 => {
            let (from, session) = (StoreId(input.u64()?), input.varint()?);
            let (known, generation) = (input.bool()?, input.varint()?);
            Input::InstallReady { from, session, generation: known.then_some(generation) }
        }
        other => return Err(DecodeError::UnknownTag("input", u64::from(other))),
    })
}
