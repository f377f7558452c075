//! What the node's log is made of, before it becomes bytes.

mod codec;

pub(crate) use codec::{decode_meta, encode_meta, entry_weight_bytes};

use synod_consensus::{Entry, GroupId, HardState, LogIndex, SnapshotMeta};

/// Names a generation of a group's state in the engine: a snapshot is installed by writing a new
/// generation beside the old one and then switching with a [`Record::Install`].
pub type Generation = u64;

/// One change of one group's durable log. Records take effect in the order they were appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// Entries, consecutive; each replaces what its position held, and what follows stays.
    Entries(GroupId, Vec<Entry>),
    /// Replaces the hard state.
    HardState(GroupId, HardState),
    /// Removes every entry from this index on.
    Truncate(GroupId, LogIndex),
    /// The log restarts behind `meta`: every entry is dropped, and `generation` is the state from
    /// here on. Also the first record of a new group (index 0, the founding membership).
    Install(GroupId, SnapshotMeta, Generation),
    /// Everything up to `meta.index` may be forgotten; entries behind it stay. The generation does
    /// not change.
    Compact(GroupId, SnapshotMeta),
}

/// What recovery found of one group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupLog {
    /// The last hard state.
    pub hard_state: HardState,
    /// What the log starts behind.
    pub snapshot: SnapshotMeta,
    /// The engine's generation in force.
    pub generation: Generation,
    /// Consecutive from `snapshot.index + 1`.
    pub entries: Vec<Entry>,
}
