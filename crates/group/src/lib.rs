//! One group's member on one node.
mod effects;
mod input;
mod message;
pub use effects::*;
pub use input::{AskId, Input, Proposal, RequestId};
pub use message::{ForwardedProposal, GroupMessage};

use synod_consensus::{Config, Instant, LogIndex, Membership, SoftState, StoreId};
use synod_storage::GroupLog;
use bytes::Bytes;

/// What a group is told at its start.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// Names the group in log records.
    pub group: synod_consensus::GroupId,
    /// For the replica.
    pub consensus: Config,
    /// Which start of this store's process; larger than any before it.
    pub incarnation: u64,
    /// The log keeps at least this many bytes of applied entries for followers that lag.
    pub trailing_bytes: usize,
}

/// What a group can tell about itself.
#[derive(Clone, Debug)]
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

/// See the crate's text.
#[derive(Clone, Debug)]
pub struct Group { _config: GroupConfig }

impl Group {
    /// Starts from what the log's recovery found; the state machine has applied `applied` durably.
    #[must_use]
    pub fn new(config: GroupConfig, _log: GroupLog, _applied: LogIndex, _now: Instant) -> Self {
        Self { _config: config }
    }
    /// Something happened.
    pub fn handle(&mut self, _now: Instant, _input: Input) {}
    /// Moves everything that is to be done into `out`.
    pub fn take_effects(&mut self, _out: &mut GroupEffects) {}
    /// The next committed entries to apply, at least one if there is any, at most about `bytes_max`.
    /// Only what is durable here is handed out.
    pub fn take_committed(&mut self, _bytes_max: usize) -> Vec<Committed> { Vec::new() }
    /// When [`Input::Tick`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Instant { Instant::NEVER }
    /// What it can tell about itself.
    #[must_use]
    pub fn status(&self) -> GroupStatus { unreachable!("being written") }
}

/// Encodes a message for the wire.
#[must_use]
pub fn encode_message(_message: &GroupMessage) -> Bytes { Bytes::new() }
/// Decodes a message.
pub fn decode_message(_bytes: Bytes) -> Result<GroupMessage, synod_codec::DecodeError> { Err(synod_codec::DecodeError::Truncated) }
#[allow(dead_code)]
fn _unused(_: StoreId) {}
