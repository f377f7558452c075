//! A broken promise.

use crate::time::Micros;
use std::fmt;

/// Which named property broke, when, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The property.
    pub property: Property,
    /// When it was noticed.
    pub at: Micros,
    /// What was seen.
    pub detail: String,
}

/// What a cluster promises.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Property {
    /// At most one store leads under a ballot (the Raft paper's figure 3).
    ElectionSafety,
    /// A new leader's log holds everything that was committed under earlier ballots.
    LeaderCompleteness,
    /// No two stores commit different entries at one position, and none changes.
    StateMachineSafety,
    /// What is committed is durable on a quorum.
    CommittedOnQuorum,
    /// A store's promise never falls, not over a restart either.
    Monotonic,
    /// A proposal is committed at most once, and never after it was refused.
    ProposalFate,
    /// What clients were told is what the log says, in an order that respects time.
    Linearizability,
    /// Every watch is told every event once, in order.
    WatchCompleteness,
    /// A lease that was acknowledged lives as long as was said.
    LeaseSafety,
    /// After the same entries, all stores hold the same state.
    ReplicaEquality,
    /// The host's contract was broken: a panic, a refused log, a fatal error.
    Integrity,
    /// With all faults healed, the cluster serves again in time.
    Liveness,
    /// Everything committed is on every store after all of them lost their power.
    Durability,
    /// A recording replays exactly.
    Replay,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.at.0 / 1_000;
        write!(f, "{:?} broken at {millis} ms: {}", self.property, self.detail)
    }
}

impl std::error::Error for Violation {}
