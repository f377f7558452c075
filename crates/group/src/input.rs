//! Everything that can happen to a group. One door, so that a recording of what came through it
//! replays the group exactly.

use crate::GroupMessage;
use bytes::Bytes;
use synod_consensus::{Instant, LogIndex, StoreId, WriteId};
use synod_storage::Generation;

/// The host's name for a client request; never reused within one incarnation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// The group's name for a question that the host must answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AskId(pub u64);

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// Time has passed: [`crate::Group::next_timeout`] was reached.
    Tick,
    /// A message came.
    Receive {
        /// From whom; the transport has made sure of it.
        from: StoreId,
        /// What.
        message: GroupMessage,
    },
    /// Local clients want these commands replicated. Everything that waits is handed in together.
    Propose(Vec<Proposal>),
    /// A local client wants to read what is current.
    Read {
        /// The host's name for it.
        request: RequestId,
        /// When its client gives up.
        deadline: Instant,
    },
    /// A local client asks what only a confirmed leader may answer. The group may put the question
    /// more than once: evaluating it twice must do no more than evaluating it once.
    Ask {
        /// The host's name for it.
        request: RequestId,
        /// The state machine's own.
        question: Bytes,
        /// When its client gives up.
        deadline: Instant,
    },
    /// The host evaluated [`crate::GroupEffects::evaluate`].
    Answered {
        /// Which.
        ask: AskId,
        /// The answer; `None` when the state machine cannot (it is not the lessor, say).
        answer: Option<Bytes>,
    },
    /// This write and every earlier one are durable.
    Persisted(WriteId),
    /// The log's disk failed: the group stops for good.
    PersistFailed,
    /// The state machine has applied everything up to here.
    Applied(LogIndex),
    /// The state machine's durable state reaches this far, so the log need not; entries behind the
    /// configured trailing length may be forgotten.
    Flushed(LogIndex),
    /// Answer to [`SnapshotEffect::Open`](crate::SnapshotEffect::Open): a view of the applied state
    /// is held.
    SnapshotOpened {
        /// The session.
        session: u64,
        /// What the view has applied.
        index: LogIndex,
    },
    /// Answer to [`SnapshotEffect::ReadChunk`](crate::SnapshotEffect::ReadChunk).
    ChunkRead {
        /// The session.
        session: u64,
        /// Echoed.
        number: u64,
        /// The chunk with its checksum.
        chunk: Bytes,
        /// Its last key.
        resume: Bytes,
        /// Nothing comes after it.
        last: bool,
    },
    /// Answer to [`SnapshotEffect::WriteChunk`](crate::SnapshotEffect::WriteChunk).
    ChunkWritten {
        /// From whom it came.
        from: StoreId,
        /// The session.
        session: u64,
        /// Echoed.
        number: u64,
        /// Whether its checksum held and it was written.
        accepted: bool,
    },
    /// Answer to [`SnapshotEffect::Finish`](crate::SnapshotEffect::Finish): the whole state is
    /// durable under `generation`.
    InstallReady {
        /// From whom it came.
        from: StoreId,
        /// The session.
        session: u64,
        /// Where the engine holds it; `None` when the stream was not whole.
        generation: Option<Generation>,
    },
}

/// A command that a local client wants replicated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// The host's name for it.
    pub request: RequestId,
    /// The command.
    pub payload: Bytes,
    /// When its client gives up: its outcome is then *unknown*, unless it is known by then.
    pub deadline: Instant,
}
