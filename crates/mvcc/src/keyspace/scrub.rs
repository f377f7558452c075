//! Removing, step by step, what a compaction made invisible.
//!
//! The event index up to the compaction is the list of what is left to do. In its order, every
//! event makes the version of its key before it superfluous, and a deletion makes itself so too.
//! Events below the compact revision go as they are passed; those at the revision itself stay,
//! since watchers may start there.
//!
//! Always holds: a step changes nothing that can be seen at or behind the compact revision, so
//! replicas need not scrub in step; steps are not in the log, and a crash may undo them.

use super::KeySpace;
use crate::layout::{EventKind, EventRecord, Layout};
use crate::read::Cursor;
use crate::{Fatal, KeySpaceBug, Revision};
use bytes::Bytes;
use std::ops::Bound;
use synod_storage::WriteBatch;

/// How far a scrub got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scrubbed {
    /// Nothing is left to remove.
    Done,
    /// The budget ended first; call again.
    More,
}

impl KeySpace {
    /// Looks at up to `events_max` events that the compaction made invisible and removes what they
    /// superseded. The host calls it between entries, with a budget that keeps the pause short.
    pub fn scrub(&mut self, events_max: usize) -> Result<Scrubbed, Fatal> {
        let compact_revision = self.state.compact_revision;
        if self.scrub_cursor.revision > compact_revision {
            return Ok(Scrubbed::Done);
        }
        let step = self.plan_scrub(events_max)?;
        if !step.batch.is_empty() {
            self.engine.write(step.batch)?;
        }
        self.scrub_cursor = step.next.unwrap_or(Cursor::at(compact_revision.next()));
        Ok(if step.next.is_some() { Scrubbed::More } else { Scrubbed::Done })
    }

    /// Lets the next scrub begin where events may have been left standing: at the compact revision
    /// before the new one.
    pub(super) fn reopen_scrub(&mut self, previous: Revision) {
        self.scrub_cursor = self.scrub_cursor.min(Cursor::at(previous));
    }

    fn plan_scrub(&self, events_max: usize) -> Result<Step, Fatal> {
        let view = self.engine.view();
        let mut step = Step { batch: WriteBatch::default(), next: None };
        for (examined, found) in view.scan(self.scrub_bounds()).enumerate() {
            let (event_key, value) = found?;
            let (revision, sub_revision) = Layout::split_event(&event_key)?;
            if examined == events_max {
                step.next = Some(Cursor { revision, sub_revision });
                break;
            }
            self.scrub_key(&EventRecord::decode(value)?, revision, &mut step.batch);
            if self.forgets_event(revision) {
                step.batch.remove(event_key);
            }
        }
        Ok(step)
    }

    /// From the cursor through the compact revision.
    fn scrub_bounds(&self) -> (Bound<Bytes>, Bound<Bytes>) {
        let Cursor { revision, sub_revision } = self.scrub_cursor;
        let first = self.layout.event(revision, sub_revision);
        let end = self.layout.event(self.state.compact_revision.next(), 0);
        (Bound::Included(first), Bound::Excluded(end))
    }

    fn forgets_event(&self, revision: Revision) -> bool {
        revision < self.state.compact_revision || self.has_bug(KeySpaceBug::DropEventAtCompaction)
    }

    /// Removes what an event superseded, without looking: the event knows which version that is. A
    /// deletion's own version goes too; older ones are gone already, as events are taken in order.
    fn scrub_key(&self, event: &EventRecord, revision: Revision, batch: &mut WriteBatch) {
        if let Some(previous) = event.previous {
            batch.remove(self.layout.version(&event.key, previous));
        }
        let drops_newest = self.has_bug(KeySpaceBug::ScrubDropsNewestVersion);
        if event.kind == EventKind::Delete || drops_newest {
            batch.remove(self.layout.version(&event.key, revision));
        }
    }
}

/// One step of a scrub.
struct Step {
    batch: WriteBatch,
    /// Where the next one begins; `None` if there is nothing more to do.
    next: Option<Cursor>,
}
