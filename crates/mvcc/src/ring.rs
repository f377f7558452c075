//! The newest events, in memory, shared by the writer and every reader.
//!
//! Events never change, so a reader of an older state may look here as well: it just stops at its
//! own revision. Always holds: the revisions kept are consecutive and end with the newest that was
//! written since the key space was opened.

use crate::{Event, KeyValue, Revision};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

/// An event and what its key was before; `None` if it was not there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KnownEvent {
    pub(crate) event: Event,
    pub(crate) previous: Option<KeyValue>,
}

/// Everything that happened at one revision, in order. Never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RevisionEvents {
    pub(crate) revision: Revision,
    pub(crate) events: Vec<KnownEvent>,
}

/// What a kept event costs beside its keys and values, in bytes: the structures around them.
const EVENT_OVERHEAD_BYTES: usize = 256;

impl RevisionEvents {
    /// About what it costs to keep.
    fn weight_bytes(&self) -> usize {
        self.events.iter().map(KnownEvent::weight_bytes).sum()
    }
}

impl KnownEvent {
    fn weight_bytes(&self) -> usize {
        let value = |kv: &KeyValue| kv.key.len() + kv.value.len();
        let event = match &self.event {
            Event::Put(kv) => value(kv),
            Event::Delete { key, .. } => key.len(),
        };
        EVENT_OVERHEAD_BYTES + event + self.previous.as_ref().map_or(0, value)
    }
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct EventRing {
    kept: Mutex<Kept>,
    bytes_max: usize,
}

#[derive(Debug)]
struct Kept {
    /// The revision of the first element; of the next one to come if there is none.
    first: Revision,
    revisions: VecDeque<Arc<RevisionEvents>>,
    bytes: usize,
}

impl Kept {
    fn next(&self) -> Revision {
        Revision(self.first.0 + self.revisions.len() as i64)
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.revisions.pop_front() {
            self.first = self.first.next();
            self.bytes -= oldest.weight_bytes();
        }
    }
}

impl EventRing {
    /// Keeps what is written behind `revision`.
    pub(crate) fn new(revision: Revision, bytes_max: usize) -> Self {
        let kept = Kept { first: revision.next(), revisions: VecDeque::new(), bytes: 0 };
        Self { kept: Mutex::new(kept), bytes_max }
    }

    /// Adds the next revision; forgets the oldest ones that no longer fit.
    pub(crate) fn push(&self, events: RevisionEvents) {
        let mut kept = self.lock();
        assert_eq!(events.revision, kept.next(), "revisions are consecutive");
        kept.bytes += events.weight_bytes();
        kept.revisions.push_back(Arc::new(events));
        while kept.bytes > self.bytes_max {
            kept.drop_oldest();
        }
    }

    /// Up to `count_max` revisions from `from` to `to`, both included; `None` if one of them is not
    /// kept any more.
    pub(crate) fn get(
        &self,
        from: Revision,
        to: Revision,
        count_max: usize,
    ) -> Option<Vec<Arc<RevisionEvents>>> {
        let kept = self.lock();
        if from < kept.first || to >= kept.next() {
            return None;
        }
        let skip = usize::try_from(from.0 - kept.first.0).expect("checked not to be negative");
        let count = usize::try_from(to.0 - from.0 + 1).unwrap_or(0).min(count_max);
        Some(kept.revisions.iter().skip(skip).take(count).cloned().collect())
    }

    /// Forgets everything up to `revision`: a planted bug's accomplice.
    pub(crate) fn forget_through(&self, revision: Revision) {
        let mut kept = self.lock();
        while kept.first <= revision && !kept.revisions.is_empty() {
            kept.drop_oldest();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("no code path panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn at(revision: i64) -> RevisionEvents {
        let revision = Revision(revision);
        let event = Event::Delete { key: Bytes::from_static(b"k"), revision };
        RevisionEvents { revision, events: vec![KnownEvent { event, previous: None }] }
    }

    #[test]
    fn only_what_is_complete_is_answered() {
        let ring = EventRing::new(Revision(1), 3 * (EVENT_OVERHEAD_BYTES + 1));
        for revision in 2..=6 {
            ring.push(at(revision));
        }
        let revisions = |from, to, max| {
            let found = ring.get(Revision(from), Revision(to), max)?;
            Some(found.iter().map(|events| events.revision.0).collect::<Vec<_>>())
        };
        assert_eq!(revisions(4, 6, 10), Some(vec![4, 5, 6]));
        assert_eq!(revisions(4, 5, 10), Some(vec![4, 5]));
        assert_eq!(revisions(4, 6, 2), Some(vec![4, 5]));
        assert_eq!(revisions(3, 6, 10), None, "three fit, the fourth was forgotten");
        assert_eq!(revisions(5, 7, 10), None, "the seventh has not come");
    }

    #[test]
    fn a_revision_larger_than_the_ring_leaves_it_empty_but_in_step() {
        let ring = EventRing::new(Revision(1), 10);
        ring.push(at(2));
        assert_eq!(ring.get(Revision(2), Revision(2), 1), None);
        ring.push(at(3));
    }
}
