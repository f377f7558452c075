//! Reading one consistent state of a key space, while the next entries are being applied.

mod compare;
mod events;
mod hash;
mod lease;
mod live;
mod select;
mod txn;

pub(crate) use compare::{CompareSource, Path, decide};
pub use events::EventAndPrevious;
pub(crate) use events::{Collector, Cursor, EventFilter, EventsRead, ReadBudget, kind_of};
pub use hash::StateHash;
pub use lease::LeaseInfo;
pub(crate) use lease::attached_keys;
pub(crate) use live::newest_at;
pub(crate) use select::{Selection, select};
pub(crate) use txn::check_ranges;

use crate::layout::{Layout, State};
use crate::ring::EventRing;
use crate::{Fatal, Range, RangeReply, Refusal, Revision};
use std::fmt;
use std::sync::Arc;
use synod_consensus::{LogIndex, Origin};
use synod_storage::View;

/// Why a read has no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// The state has no answer to it; certain, and the same on every replica in this state.
    Refused(Refusal),
    /// The state cannot be read; the replica stops.
    Fatal(Fatal),
}

impl From<Refusal> for ReadError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fatal> for ReadError {
    fn from(fatal: Fatal) -> Self {
        Self::Fatal(fatal)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "the key space refused to answer: {refusal:?}"),
            Self::Fatal(fatal) => fatal.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

/// The state of a key space behind one entry of its log, whatever is applied, compacted or scrubbed
/// meanwhile. Clones are cheap and read the same state; threads may share it. A reader that is kept
/// keeps the engine from reclaiming what it sees, so take a new one for every request.
#[derive(Clone)]
pub struct Reader {
    inner: Arc<Inner>,
}

struct Inner {
    view: Arc<dyn View>,
    layout: Layout,
    state: State,
    recent: Arc<EventRing>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader(applied {}, {:?})", self.applied(), self.revision())
    }
}

impl Reader {
    pub(crate) fn new(
        view: Arc<dyn View>,
        layout: Layout,
        state: State,
        recent: Arc<EventRing>,
    ) -> Self {
        Self { inner: Arc::new(Inner { view, layout, state, recent }) }
    }

    /// The last entry whose effect this state has.
    #[must_use]
    pub fn applied(&self) -> LogIndex {
        self.inner.state.applied
    }

    /// The newest revision.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.inner.state.revision
    }

    /// What was superseded at or before this revision is forgotten; the revision itself can be
    /// read. -1 until the first compaction.
    #[must_use]
    pub fn compact_revision(&self) -> Revision {
        self.inner.state.compact_revision
    }

    /// How often a lessor began its reign; 0 before the first.
    #[must_use]
    pub fn lessor_epoch(&self) -> u64 {
        self.inner.state.lessor_epoch
    }

    /// Whose the lessor's epoch is; all zero before the first.
    #[must_use]
    pub fn lessor_claimant(&self) -> Origin {
        self.inner.state.lessor_claimant
    }

    /// How many leases were ever granted: the number of the last grant.
    #[must_use]
    pub fn grants(&self) -> u64 {
        self.inner.state.grants
    }

    /// Reads keys, at the newest revision or an older one that is not compacted.
    pub fn range(&self, range: &Range) -> Result<RangeReply, ReadError> {
        self.check_revision(range.revision)?;
        Ok(self.selection(range)?)
    }

    /// Refuses revisions that cannot be read.
    pub(crate) fn check_revision(&self, revision: Option<Revision>) -> Result<(), Refusal> {
        check_revision(&self.inner.state, revision)
    }

    pub(crate) fn selection(&self, range: &Range) -> Result<RangeReply, Fatal> {
        let at = read_revision(&self.inner.state, range.revision);
        Selection { view: &*self.inner.view, layout: &self.inner.layout }.read(range, at)
    }

    pub(crate) fn view(&self) -> &dyn View {
        &*self.inner.view
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.inner.layout
    }

    pub(crate) fn state(&self) -> &State {
        &self.inner.state
    }

    pub(crate) fn recent(&self) -> &EventRing {
        &self.inner.recent
    }
}

/// The revision that a read asked for, if it asked for one.
pub(crate) fn asked_revision(revision: Option<Revision>) -> Option<Revision> {
    revision.filter(|revision| revision.0 > 0)
}

/// The revision that a read reads at.
pub(crate) fn read_revision(state: &State, revision: Option<Revision>) -> Revision {
    asked_revision(revision).unwrap_or(state.revision)
}

/// Refuses revisions that `state` cannot be read at.
pub(crate) fn check_revision(state: &State, revision: Option<Revision>) -> Result<(), Refusal> {
    match asked_revision(revision) {
        Some(revision) if revision > state.revision => Err(Refusal::FutureRevision),
        Some(revision) if revision < state.compact_revision => {
            Err(Refusal::Compacted { at: state.compact_revision })
        }
        _ => Ok(()),
    }
}
