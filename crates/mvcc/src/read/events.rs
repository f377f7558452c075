//! Reading the ordered event index from a cursor, within a budget.
//!
//! Always holds: events come in order, each once, and a revision is left in the middle only for a
//! reader that said it may be.

use super::{ReadError, Reader};
use crate::layout::{EventKind, EventRecord, Layout, VersionRecord};
use crate::ring::{KnownEvent, RevisionEvents};
use crate::{Event, Fatal, KeyRange, KeyValue, Refusal, Revision};
use bytes::Bytes;
use std::ops::Bound;
use std::sync::Arc;

/// An event and, where asked for and still known, what its key was before.
pub type EventAndPrevious = (Event, Option<KeyValue>);

/// The next event to look at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Cursor {
    pub(crate) revision: Revision,
    pub(crate) sub_revision: u32,
}

impl Cursor {
    /// The first event of a revision.
    pub(crate) fn at(revision: Revision) -> Self {
        Self { revision, sub_revision: 0 }
    }
}

/// Which events are wanted, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct EventFilter {
    pub(crate) range: KeyRange,
    pub(crate) no_put: bool,
    pub(crate) no_delete: bool,
    pub(crate) want_previous: bool,
}

impl EventFilter {
    pub(crate) fn wants(&self, kind: EventKind, key: &[u8]) -> bool {
        let refused = match kind {
            EventKind::Put => self.no_put,
            EventKind::Delete => self.no_delete,
        };
        !refused && self.range.contains(key)
    }
}

/// How much to read at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ReadBudget {
    /// Stop between revisions after looking at so many events, wanted or not.
    pub(crate) examined_max: usize,
    /// Stop between revisions, or anywhere if `fragment`, at about so many bytes.
    pub(crate) bytes_max: usize,
    /// No more of one revision may be held at once; does not matter if `fragment`.
    pub(crate) revision_bytes_max: usize,
    /// A revision may be left in the middle.
    pub(crate) fragment: bool,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct EventsRead {
    pub(crate) events: Vec<EventAndPrevious>,
    /// Where to go on; `None` if everything that was offered was taken.
    pub(crate) stopped_at: Option<Cursor>,
    /// More events of the last one's revision follow.
    pub(crate) partial: bool,
    /// The first revision does not fit and may not be left in the middle; there are no events.
    pub(crate) oversized: Option<Revision>,
}

/// Gathers what is offered, in order, until the budget ends.
pub(crate) struct Collector<'a> {
    filter: &'a EventFilter,
    budget: ReadBudget,
    read: EventsRead,
    examined: usize,
    bytes: usize,
    /// Of the revision being gathered.
    revision_bytes: usize,
    revision: Revision,
}

/// What an event costs on the wire beside keys and values, in bytes, generously.
const EVENT_OVERHEAD_BYTES: usize = 48;

/// About what an event takes in a message.
fn event_bytes((event, previous): &EventAndPrevious) -> usize {
    let value = |kv: &KeyValue| EVENT_OVERHEAD_BYTES + kv.key.len() + kv.value.len();
    let event = match event {
        Event::Put(kv) => value(kv),
        Event::Delete { key, .. } => EVENT_OVERHEAD_BYTES + key.len(),
    };
    event + previous.as_ref().map_or(0, value)
}

impl<'a> Collector<'a> {
    pub(crate) fn new(filter: &'a EventFilter, budget: ReadBudget) -> Self {
        Self {
            filter,
            budget,
            read: EventsRead::default(),
            examined: 0,
            bytes: 0,
            revision_bytes: 0,
            revision: Revision(0),
        }
    }

    /// Looks at one event; false if it was not taken and nothing after it should be offered.
    pub(crate) fn offer(
        &mut self,
        at: Cursor,
        kind: EventKind,
        key: &[u8],
        load: impl FnOnce() -> Result<EventAndPrevious, Fatal>,
    ) -> Result<bool, Fatal> {
        if at.revision != self.revision && !self.enter(at) {
            return Ok(false);
        }
        self.examined += 1;
        if !self.filter.wants(kind, key) {
            return Ok(true);
        }
        let event = load()?;
        Ok(self.take(at, event))
    }

    /// Begins a revision, if the budget allows.
    fn enter(&mut self, at: Cursor) -> bool {
        if self.examined >= self.budget.examined_max || self.bytes >= self.budget.bytes_max {
            self.read.stopped_at = Some(at);
            return false;
        }
        self.revision = at.revision;
        self.revision_bytes = 0;
        true
    }

    fn take(&mut self, at: Cursor, event: EventAndPrevious) -> bool {
        let bytes = event_bytes(&event);
        let full = self.bytes > 0 && self.bytes + bytes > self.budget.bytes_max;
        if self.budget.fragment && full {
            self.read.stopped_at = Some(at);
            self.read.partial = self.revision_bytes > 0;
            return false;
        }
        if !self.budget.fragment && self.revision_bytes + bytes > self.budget.revision_bytes_max {
            self.give_up(at.revision);
            return false;
        }
        self.bytes += bytes;
        self.revision_bytes += bytes;
        self.read.events.push(event);
        true
    }

    /// Leaves a revision that does not fit for the next time, when it is the first one.
    fn give_up(&mut self, revision: Revision) {
        self.read.stopped_at = Some(Cursor::at(revision));
        self.read.events.retain(|(event, _)| event.revision() != revision);
        self.read.oversized = self.read.events.is_empty().then_some(revision);
    }

    pub(crate) fn finish(self) -> EventsRead {
        self.read
    }

    /// Offers an event from memory.
    pub(crate) fn offer_known(&mut self, at: Cursor, known: &KnownEvent) -> Result<bool, Fatal> {
        let want_previous = self.filter.want_previous;
        let previous = || known.previous.clone().filter(|_| want_previous);
        self.offer(at, kind_of(&known.event), known.event.key(), || {
            Ok((known.event.clone(), previous()))
        })
    }

    /// Offers the events of a revision from memory, from the cursor on.
    fn offer_revision(&mut self, from: Cursor, events: &RevisionEvents) -> Result<bool, Fatal> {
        for (sub_revision, known) in (0u32..).zip(&events.events) {
            let at = Cursor { revision: events.revision, sub_revision };
            if at >= from && !self.offer_known(at, known)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

pub(crate) fn kind_of(event: &Event) -> EventKind {
    match event {
        Event::Put(_) => EventKind::Put,
        Event::Delete { .. } => EventKind::Delete,
    }
}

impl Reader {
    /// Every event from revision `from` to `to`, both included, with what each key was before as
    /// far as that is not compacted. Reads the engine, whatever is in memory: for checks.
    pub fn events(&self, from: Revision, to: Revision) -> Result<Vec<EventAndPrevious>, ReadError> {
        if from < self.compact_revision() {
            return Err(Refusal::Compacted { at: self.compact_revision() }.into());
        }
        let range = KeyRange::all();
        let filter = EventFilter { range, no_put: false, no_delete: false, want_previous: true };
        let budget = ReadBudget {
            examined_max: usize::MAX,
            bytes_max: usize::MAX,
            revision_bytes_max: usize::MAX,
            fragment: false,
        };
        let mut collector = Collector::new(&filter, budget);
        self.offer_stored(Cursor::at(from), to.min(self.revision()), &mut collector)?;
        Ok(collector.finish().events)
    }

    /// Reads wanted events from `from` up to the newest revision. The caller has checked that
    /// `from` is not compacted.
    pub(crate) fn read_events(
        &self,
        from: Cursor,
        filter: &EventFilter,
        budget: ReadBudget,
    ) -> Result<EventsRead, Fatal> {
        let mut collector = Collector::new(filter, budget);
        let count_max = budget.examined_max;
        match self.recent().get(from.revision, self.revision(), count_max) {
            Some(kept) => self.offer_kept(from, &kept, &mut collector)?,
            None => self.offer_stored(from, self.revision(), &mut collector)?,
        }
        Ok(collector.finish())
    }

    fn offer_kept(
        &self,
        from: Cursor,
        kept: &[Arc<RevisionEvents>],
        collector: &mut Collector<'_>,
    ) -> Result<(), Fatal> {
        for events in kept {
            if !collector.offer_revision(from, events)? {
                return Ok(());
            }
        }
        if let Some(last) = kept.last()
            && last.revision < self.revision()
        {
            // Only so many revisions were fetched; the rest is for the next time.
            collector.read.stopped_at = Some(Cursor::at(last.revision.next()));
        }
        Ok(())
    }

    fn offer_stored(
        &self,
        from: Cursor,
        to: Revision,
        collector: &mut Collector<'_>,
    ) -> Result<(), Fatal> {
        let first = Bound::Included(self.layout().event(from.revision, from.sub_revision));
        let last = Bound::Excluded(self.layout().event(to.next(), 0));
        for found in self.view().scan((first, last)) {
            let (key, value) = found?;
            let (revision, sub_revision) = Layout::split_event(&key)?;
            let at = Cursor { revision, sub_revision };
            let record = EventRecord::decode(value)?;
            let want_previous = collector.filter.want_previous;
            let load = || self.load_event(revision, &record, want_previous);
            if !collector.offer(at, record.kind, &record.key, load)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The event with its value, and what was before unless that is compacted: it is as long as the
    /// event lies behind the compact revision.
    fn load_event(
        &self,
        revision: Revision,
        record: &EventRecord,
        want_previous: bool,
    ) -> Result<EventAndPrevious, Fatal> {
        let key = record.key.clone();
        let event = match record.kind {
            EventKind::Delete => Event::Delete { key: key.clone(), revision },
            EventKind::Put => Event::Put(self.load_put(&key, revision)?),
        };
        let previous = match record.previous {
            Some(previous) if want_previous && revision.0 > self.compact_revision().0 => {
                Some(self.load_put(&key, previous)?)
            }
            _ => None,
        };
        Ok((event, previous))
    }

    fn load_put(&self, key: &Bytes, revision: Revision) -> Result<KeyValue, Fatal> {
        match self.view().get(&self.layout().version(key, revision))? {
            Some(raw) => {
                let record = VersionRecord::new(raw)?;
                if record.is_tombstone() {
                    return Err(Fatal::corrupt(format!("the put at {revision} is a tombstone")));
                }
                record.key_value(key.clone(), revision)
            }
            None => Err(Fatal::corrupt(format!("the value written at {revision} is missing"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter() -> EventFilter {
        EventFilter {
            range: KeyRange::all(),
            no_put: false,
            no_delete: false,
            want_previous: false,
        }
    }

    fn known() -> KnownEvent {
        let event = Event::Delete { key: Bytes::from_static(b"key"), revision: Revision(2) };
        KnownEvent { event, previous: None }
    }

    /// Offers `count` events of one revision; how many were taken, and the outcome.
    fn gather(budget: ReadBudget, count: u32) -> EventsRead {
        let filter = filter();
        let mut collector = Collector::new(&filter, budget);
        for sub_revision in 0..count {
            let at = Cursor { revision: Revision(2), sub_revision };
            if !collector.offer_known(at, &known()).unwrap() {
                break;
            }
        }
        collector.finish()
    }

    const EVENT_BYTES: usize = EVENT_OVERHEAD_BYTES + 3;
    const BUDGET: ReadBudget = ReadBudget {
        examined_max: 10,
        bytes_max: 2 * EVENT_BYTES,
        revision_bytes_max: 3 * EVENT_BYTES,
        fragment: false,
    };

    #[test]
    fn a_revision_is_whole_or_oversized_without_fragments() {
        let fits = gather(BUDGET, 3);
        assert_eq!((fits.events.len(), fits.stopped_at, fits.oversized), (3, None, None));
        assert_eq!(gather(BUDGET, 4).oversized, Some(Revision(2)));
    }

    #[test]
    fn a_fragment_stops_before_the_event_that_does_not_fit() {
        let budget = ReadBudget { fragment: true, ..BUDGET };
        let whole = gather(budget, 2);
        assert_eq!((whole.events.len(), whole.partial, whole.stopped_at), (2, false, None));
        let cut = gather(budget, 3);
        let third = Cursor { revision: Revision(2), sub_revision: 2 };
        assert_eq!((cut.events.len(), cut.partial, cut.stopped_at), (2, true, Some(third)));
    }
}
