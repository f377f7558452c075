//! The names of things: stores, groups, log positions, ballots, and instants.

use std::fmt;
use std::time::Duration;

/// One disk's identity in consensus, drawn at random when the disk is first used; never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StoreId(pub u64);

impl StoreId {
    /// "No store": sorts below every real one.
    pub const NONE: Self = Self(0);
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{:x}", self.0)
    }
}

/// One replicated log and its state machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GroupId(pub u64);

impl GroupId {
    /// The group that holds what nodes exist and where data should live.
    pub const META: Self = Self(0);
    /// The default key space, the one that the etcd face serves.
    pub const DEFAULT: Self = Self(1);
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g{}", self.0)
    }
}

/// A position in a group's log. The first entry is at 1; 0 is "before the log".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogIndex(pub u64);

impl LogIndex {
    /// Before the first entry.
    pub const ZERO: Self = Self(0);

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The position before this one; zero stays zero.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The position `count` after this one.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }
}

impl fmt::Display for LogIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for LogIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A leader's right to propose: a round and the store that owns it, ordered by round first.
///
/// In Raft the round is the term and the store is the one that this term's vote went to
/// ([`StoreId::NONE`] while no vote was cast). In Multi-Paxos it is the ballot itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ballot {
    /// Raft's term.
    pub round: u64,
    /// Who owns the round, or whom it was promised to.
    pub store: StoreId,
}

impl Ballot {
    /// Below every ballot that a store can own.
    pub const ZERO: Self = Self { round: 0, store: StoreId::NONE };

    /// The ballot of `round` owned by `store`.
    #[must_use]
    pub const fn new(round: u64, store: StoreId) -> Self {
        Self { round, store }
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.store)
    }
}

impl fmt::Debug for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A proposal's name, given once where it enters the cluster and never changed: whatever ballot an
/// entry is chosen under, its origin tells whose it is. All zero for the core's own entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Origin {
    /// The store through which the proposal entered.
    pub store: StoreId,
    /// Which start of that store's process; larger at every start.
    pub incarnation: u64,
    /// Counts that incarnation's proposals, from 1.
    pub sequence: u64,
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{}/{}", self.store, self.incarnation, self.sequence)
    }
}

/// A point on the host's monotonic clock, in microseconds from a start that the host chooses.
///
/// It never crosses a process's restart nor the network: only differences have a meaning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// Later than any instant that comes: a timer that is off.
    pub const NEVER: Self = Self(u64::MAX);

    /// This instant moved forward by `duration`; saturates at [`Instant::NEVER`].
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}

/// Numbers a replica's writes to its log, from 1, in the order they must become durable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct WriteId(pub u64);

/// The host's name for a read it asked to be confirmed. The core never interprets it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct ReadId(pub u64);
