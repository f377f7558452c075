//! What a group wants its host to do.

use crate::{AskId, GroupMessage, RequestId};
use bytes::Bytes;
use synod_consensus::{Entry, Instant, LogIndex, SnapshotMeta, SoftState, StoreId, WriteId};
use synod_storage::{Generation, Record};

/// A message and where it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// The receiver.
    pub to: StoreId,
    /// What to say.
    pub message: GroupMessage,
}

/// A write to the node's log. Writes of one group become durable in the order of their ids.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogWrite {
    /// Reported back with [`crate::Input::Persisted`].
    pub id: WriteId,
    /// To append.
    pub records: Vec<Record>,
    /// Whether anything waits for it to be durable.
    pub must_sync: bool,
    /// To be sent only after the records are durable.
    pub responses: Vec<Outgoing>,
}

/// How a request ended. Every request gets exactly one outcome, or is a [`Committed`] entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// A read: the local state is now at least as new as everything acknowledged before the read.
    ReadReady,
    /// Certainly not done, and will not be.
    Refused(RefusedReason),
    /// Perhaps done, perhaps later, perhaps never.
    Unknown(UnknownReason),
}

/// Why something was certainly not done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RefusedReason {
    /// No leader is known.
    NoLeader,
    /// The store that was asked no longer led.
    LeaderChanged,
    /// Too much is waiting already.
    Overloaded,
    /// Another entry took the proposal's place.
    Superseded,
    /// The command is larger than an entry may be.
    TooLarge,
    /// This replica has stopped.
    Stopped,
    /// A read or a question found no confirmation in time; nothing was changed.
    TimedOut,
}

/// Why nothing certain is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UnknownReason {
    /// The deadline passed.
    TimedOut,
    /// The leader that took it was replaced.
    LeaderChanged,
    /// A snapshot covers the place where it would stand.
    BehindSnapshot,
    /// This replica has stopped.
    Stopped,
}

/// A committed entry, to be applied in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Committed {
    /// What to apply.
    pub entry: Entry,
    /// The local request that it answers, with what applying it returns.
    pub request: Option<RequestId>,
}

/// A question that only this store may answer, now: its leadership was confirmed, and the state
/// machine has applied what was committed when the question came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evaluate {
    /// Reported back with [`crate::Input::Answered`].
    pub ask: AskId,
    /// The state machine's own.
    pub question: Bytes,
    /// Leadership was confirmed by a quorum at this instant or later: the answer may rely on no
    /// other leader having begun before it.
    pub confirmed_at: Instant,
}

/// The host's part in moving a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SnapshotEffect {
    /// Sender: hold a view of the applied state under this session number.
    Open {
        /// The session.
        session: u64,
    },
    /// Sender: read one chunk of that view.
    ReadChunk {
        /// The session.
        session: u64,
        /// Which chunk.
        number: u64,
        /// It starts behind this key; empty for the first.
        after: Bytes,
    },
    /// Sender: let go of the view.
    Close {
        /// The session.
        session: u64,
    },
    /// Receiver: start a new generation; drop an unfinished one.
    Begin {
        /// From whom.
        from: StoreId,
        /// The session.
        session: u64,
        /// What will be in it.
        meta: SnapshotMeta,
    },
    /// Receiver: check a chunk and write it to the new generation.
    WriteChunk {
        /// From whom.
        from: StoreId,
        /// The session.
        session: u64,
        /// Which chunk.
        number: u64,
        /// With its checksum.
        chunk: Bytes,
    },
    /// Receiver: the last chunk is written; make the generation durable.
    Finish {
        /// From whom.
        from: StoreId,
        /// The session.
        session: u64,
    },
    /// Receiver: drop the unfinished generation.
    Abandon {
        /// From whom.
        from: StoreId,
        /// The session.
        session: u64,
    },
    /// Receiver: the switch to this generation is durable. The state machine goes on from it;
    /// entries handed out before it that are at or below `index` must not be applied to it, and
    /// requests they answer are unknown ([`UnknownReason::BehindSnapshot`]). The host answers with
    /// [`crate::Input::Applied`].
    Switch {
        /// The generation now in force.
        generation: Generation,
        /// What it has applied.
        index: LogIndex,
    },
}

/// Everything that has gathered since effects were last taken.
#[derive(Clone, Default, Debug)]
pub struct GroupEffects {
    /// May be sent at once.
    pub messages: Vec<Outgoing>,
    /// For the log, in order.
    pub writes: Vec<LogWrite>,
    /// Outcomes of local requests.
    pub outcomes: Vec<(RequestId, Outcome)>,
    /// Answers to local questions.
    pub answers: Vec<(RequestId, Bytes)>,
    /// Questions to be answered.
    pub evaluate: Vec<Evaluate>,
    /// Snapshot work, in order; to be begun before entries are taken from
    /// [`crate::Group::take_committed`].
    pub snapshots: Vec<SnapshotEffect>,
    /// Set when the leader or the role changed.
    pub soft_state: Option<SoftState>,
    /// Committed entries wait for [`crate::Group::take_committed`].
    pub committed: bool,
}

impl GroupEffects {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
            && self.writes.is_empty()
            && self.outcomes.is_empty()
            && self.answers.is_empty()
            && self.evaluate.is_empty()
            && self.snapshots.is_empty()
            && self.soft_state.is_none()
            && !self.committed
    }

    /// Empties every buffer and keeps its memory.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.writes.clear();
        self.outcomes.clear();
        self.answers.clear();
        self.evaluate.clear();
        self.snapshots.clear();
        self.soft_state = None;
        self.committed = false;
    }
}
