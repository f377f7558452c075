//! What a log holds: entries, the durable state beside them, and what stands for a compacted prefix.

use crate::{Ballot, LogIndex, Membership, Origin};
use bytes::Bytes;

/// What an entry's payload is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EntryKind {
    /// No payload: a new leader's first entry.
    Noop,
    /// A command for the state machine.
    Command,
    /// A [`Membership`], in [`Membership::encode`]'s form; in force as soon as it is in the log.
    Membership,
}

/// One position of a group's log.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Entry {
    /// Where it stands.
    pub index: LogIndex,
    /// The ballot it was accepted under: in Raft the term that created it, in Multi-Paxos the
    /// latest ballot under which this store accepted it.
    pub ballot: Ballot,
    /// Whose proposal it is; stays when another leader proposes it again.
    pub origin: Origin,
    /// How to read the payload.
    pub kind: EntryKind,
    /// Shared, never copied by the core.
    pub payload: Bytes,
}

impl Entry {
    /// What the entry weighs against windows and caches: its payload and a fixed overhead.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        self.payload.len() + ENTRY_OVERHEAD_BYTES
    }
}

/// An entry without its payload costs about this much in memory and on the wire.
pub const ENTRY_OVERHEAD_BYTES: usize = 64;

/// What a replica must not forget beside its entries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct HardState {
    /// Raft: the term and the vote in it. Multi-Paxos: the highest ballot promised.
    pub promised: Ballot,
    /// A lower bound of the commit index. Losing an advance of it is harmless.
    pub committed: LogIndex,
}

/// What stands for everything up to `index`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SnapshotMeta {
    /// The last entry that the snapshot covers.
    pub index: LogIndex,
    /// That entry's ballot.
    pub ballot: Ballot,
    /// The membership in force at `index`.
    pub membership: Membership,
}

/// What a replica finds when it starts: the durable state, as the log's recovery read it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// The last durable hard state.
    pub hard_state: HardState,
    /// What the log starts after. A new group starts with index 0 and the founding membership.
    pub snapshot: SnapshotMeta,
    /// Consecutive entries from `snapshot.index + 1`.
    pub entries: Vec<Entry>,
    /// How far the state machine's durable state reaches; at least `snapshot.index`.
    pub applied: LogIndex,
}
