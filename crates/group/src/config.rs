//! What a group is told at its start, and what it can tell about itself.

use synod_consensus::{Config, GroupId, LogIndex, Membership, SoftState};

/// What a group is told at its start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupConfig {
    /// Names the group in log records.
    pub group: GroupId,
    /// For the replica.
    pub consensus: Config,
    /// Which start of this store's process; larger than any before it, below 2³².
    pub incarnation: u64,
    /// The log keeps this many bytes of applied entries for followers that lag; those that lag
    /// more get a snapshot.
    pub trailing_bytes: usize,
    /// A fault built in on purpose, so that the laboratory can show that it would be caught.
    /// Always `None` elsewhere.
    pub planted_bug: Option<GroupBug>,
}

/// Faults that the laboratory plants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GroupBug {
    /// A leader takes a forwarded proposal as often as it comes.
    TakeForwardedTwice,
}

/// What a group can tell about itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupStatus {
    /// Role, leader and ballot.
    pub soft_state: SoftState,
    /// The last entry in the log, durable or not.
    pub last_index: LogIndex,
    /// What is committed.
    pub committed: LogIndex,
    /// What is applied.
    pub applied: LogIndex,
    /// Who votes.
    pub membership: Membership,
    /// Whether it has stopped, and why.
    pub stopped: Option<&'static str>,
}
