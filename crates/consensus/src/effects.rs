//! What a replica wants done. The host carries it out; nothing here does IO.

use crate::{Ballot, Entry, HardState, LogIndex, Message, ReadId, SnapshotMeta, StoreId, WriteId};

/// A message and where it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// The receiver.
    pub to: StoreId,
    /// What to say.
    pub message: Message,
}

/// One write to the log. Writes of one replica become durable in the order of their ids; several
/// may be under way at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    /// Reported back by [`crate::Replica::on_persisted`].
    pub id: WriteId,
    /// Replaces the hard state.
    pub hard_state: Option<HardState>,
    /// The log restarts behind this snapshot: every entry is dropped, at any index. Carried out
    /// before `truncate_from` and `entries`.
    pub install: Option<SnapshotMeta>,
    /// Everything up to this snapshot may be forgotten; entries behind it stay.
    pub compact: Option<SnapshotMeta>,
    /// Entries from here on are removed before `entries` are written. Raft only: Multi-Paxos
    /// overwrites single positions and keeps what follows.
    pub truncate_from: Option<LogIndex>,
    /// Each replaces what its position held; consecutive.
    pub entries: Vec<Entry>,
    /// Whether anything waits for this write to be durable. False only for a compaction, which may
    /// go along with the next write.
    pub must_sync: bool,
    /// To be sent only after the write is durable: they assert it.
    pub responses: Vec<Envelope>,
}

/// How a read that asked for confirmation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadOutcome {
    /// The state at `index` or later may answer.
    Ready {
        /// The host's name for the read.
        id: ReadId,
        /// The state machine must have applied this much first.
        index: LogIndex,
    },
    /// This store no longer leads; nothing was read.
    Failed {
        /// The host's name for the read.
        id: ReadId,
    },
}

/// A follower needs what the log no longer holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotNeeded {
    /// Who needs it.
    pub to: StoreId,
    /// A snapshot below this index would not help.
    pub at_least: LogIndex,
}

/// What a replica is in its group now.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// Follows a leader, or waits for one.
    Follower,
    /// Asks whether an election would find support, changing nothing (Raft's pre-vote).
    Canvasser,
    /// Campaigns: Raft's candidate, or Multi-Paxos in phase 1.
    Candidate,
    /// Proposes.
    Leader,
}

/// What routing needs to know; not durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SoftState {
    /// This replica's role.
    pub role: Role,
    /// The leader it knows of, itself included.
    pub leader: Option<StoreId>,
    /// The ballot that leader leads with; a new leadership of the same store has another one.
    pub ballot: Ballot,
}

/// Everything that has gathered since effects were last taken. Buffers are the caller's, to be
/// reused.
#[derive(Clone, Default, Debug)]
pub struct Effects {
    /// May be sent at once: they assert nothing that is not durable.
    pub messages: Vec<Envelope>,
    /// For the log, in order.
    pub writes: Vec<Write>,
    /// Every read gets exactly one outcome.
    pub reads: Vec<ReadOutcome>,
    /// For the host to stream; repeated until the follower moves on.
    pub snapshots: Vec<SnapshotNeeded>,
    /// Set when it changed.
    pub soft_state: Option<SoftState>,
}

impl Effects {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
            && self.writes.is_empty()
            && self.reads.is_empty()
            && self.snapshots.is_empty()
            && self.soft_state.is_none()
    }
}
