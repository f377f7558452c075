//! What a replica is told at its start, and the limits that it keeps.

use crate::StoreId;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Which protocol decides a group's log. Fixed when the group is founded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Protocol {
    /// Raft (Ongaro's thesis, 2014).
    #[default]
    Raft,
    /// Multi-Paxos with a contiguous log ("Paxos Made Simple", 2001, section 3).
    Paxos,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raft => "raft",
            Self::Paxos => "paxos",
        })
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "raft" => Ok(Self::Raft),
            "paxos" => Ok(Self::Paxos),
            other => Err(format!("unknown consensus protocol '{other}': use raft or paxos")),
        }
    }
}

/// What a replica is told at its start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// This store.
    pub store: StoreId,
    /// The group's protocol.
    pub protocol: Protocol,
    /// Without word from a leader for this long, and up to twice this long, a voter campaigns. A
    /// leader that hears from no quorum for this long steps down.
    pub election_timeout: Duration,
    /// How often a leader tells that it is alive; at most a third of `election_timeout`.
    pub heartbeat_interval: Duration,
    /// Drawn once by the host; the same seed and inputs give the same behaviour.
    pub seed: u64,
    /// At most this many bytes of entries in one message (a single larger entry goes alone).
    pub append_bytes_max: usize,
    /// At most this many appends wait for one follower's answer.
    pub inflight_appends_max: usize,
    /// At most this many bytes of proposals wait to be committed; above it proposals are refused.
    pub uncommitted_bytes_max: usize,
    /// A fault built in on purpose, so that the laboratory can show that it would be caught.
    /// Always `None` elsewhere.
    pub planted_bug: Option<ConsensusBug>,
}

impl Config {
    /// The settings for stores on one local network: an election within half a second of a loss.
    #[must_use]
    pub fn local_network(store: StoreId, protocol: Protocol, seed: u64) -> Self {
        Self {
            store,
            protocol,
            election_timeout: Duration::from_millis(500),
            heartbeat_interval: Duration::from_millis(100),
            seed,
            append_bytes_max: 1 << 20,
            inflight_appends_max: 64,
            uncommitted_bytes_max: 64 << 20,
            planted_bug: None,
        }
    }
}

/// Faults that the laboratory plants. Each breaks one rule that keeps data safe.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConsensusBug {
    /// Acknowledge what was written but is not durable.
    AcknowledgeBeforeSync,
    /// Raft: commit an entry of an earlier term by counting its replicas (the Raft paper's figure 8).
    CountEarlierTerm,
    /// Forget the vote or the promise over a restart.
    ForgetVote,
    /// Multi-Paxos: take the first chunk of a promise as the whole log.
    AdoptFirstChunk,
    /// Serve a read without asking a quorum.
    ReadWithoutQuorum,
}
