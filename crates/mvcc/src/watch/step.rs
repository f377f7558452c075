//! The watches of a stream that are in step: new revisions are looked up once for all of them.
//!
//! Always holds: every member has been told, or has a match waiting for, everything it wants up to
//! `through`. Matches are positions in a shared batch, not copies.

use crate::read::{Collector, Cursor, EventFilter, EventsRead, ReadBudget, kind_of};
use crate::ring::{KnownEvent, RevisionEvents};
use crate::{Fatal, KeyRange, RangeEnd, Reader, Revision};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Who wants which keys.
#[derive(Debug, Default)]
struct Interest {
    single: BTreeMap<Bytes, BTreeSet<i64>>,
    ranges: BTreeMap<i64, EventFilter>,
    filters_of_single: BTreeMap<i64, EventFilter>,
}

impl Interest {
    fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.filters_of_single.is_empty()
    }

    fn add(&mut self, id: i64, filter: &EventFilter) {
        if filter.range.end == RangeEnd::Single {
            self.single.entry(filter.range.start.clone()).or_default().insert(id);
            self.filters_of_single.insert(id, filter.clone());
        } else {
            self.ranges.insert(id, filter.clone());
        }
    }

    fn remove(&mut self, id: i64, range: &KeyRange) {
        self.ranges.remove(&id);
        self.filters_of_single.remove(&id);
        if let Some(ids) = self.single.get_mut(&range.start) {
            ids.remove(&id);
            if ids.is_empty() {
                self.single.remove(&range.start);
            }
        }
    }

    fn ids(&self) -> Vec<i64> {
        self.ranges.keys().chain(self.filters_of_single.keys()).copied().collect()
    }

    /// Everyone who wants the event.
    fn of<'a>(&'a self, known: &'a KnownEvent) -> impl Iterator<Item = i64> + 'a {
        let (kind, key) = (kind_of(&known.event), known.event.key());
        let single = self.single.get(key).into_iter().flatten();
        let single = single.filter_map(|id| self.filters_of_single.get_key_value(id));
        let wanting = single.chain(&self.ranges).filter(move |(_, filter)| filter.wants(kind, key));
        wanting.map(|(id, _)| *id)
    }
}

/// Where an event stands in the batch.
#[derive(Clone, Copy, Debug)]
struct Match {
    revision: usize,
    event: usize,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct InStep {
    through: Revision,
    interest: Interest,
    batch: Vec<Arc<RevisionEvents>>,
    matches: BTreeMap<i64, VecDeque<Match>>,
}

/// What became of an attempt to go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Advance {
    /// There is nothing newer.
    UpToDate,
    /// Newer revisions were looked at; there may be matches.
    Prepared,
    /// Memory no longer has what comes next; these members have to read on their own from here.
    FellBehind(Vec<i64>, Cursor),
}

impl InStep {
    pub(super) fn new() -> Self {
        let (batch, matches) = (Vec::new(), BTreeMap::new());
        Self { through: Revision(0), interest: Interest::default(), batch, matches }
    }

    /// Everything up to here was looked at for every member.
    pub(super) fn through(&self) -> Revision {
        self.through
    }

    pub(super) fn add(&mut self, id: i64, filter: &EventFilter) {
        self.interest.add(id, filter);
    }

    pub(super) fn remove(&mut self, id: i64, range: &KeyRange) {
        self.interest.remove(id, range);
        self.matches.remove(&id);
    }

    /// A member that has something to be told.
    pub(super) fn next_match(&self) -> Option<i64> {
        self.matches.keys().next().copied()
    }

    /// Looks at newer revisions, as soon as all matches of the last ones were taken.
    pub(super) fn advance(&mut self, reader: &Reader, limits: Advances) -> Advance {
        assert!(self.matches.is_empty(), "matches are taken before newer ones are looked for");
        self.batch.clear();
        if reader.revision() <= self.through {
            return Advance::UpToDate;
        }
        if self.interest.is_empty() {
            self.through = reader.revision();
            return Advance::UpToDate;
        }
        let next = self.through.next();
        match reader.recent().get(next, reader.revision(), limits.revisions_max) {
            Some(kept) => {
                self.prepare(kept, limits.matches_max);
                Advance::Prepared
            }
            None => Advance::FellBehind(self.dissolve(reader.revision()), Cursor::at(next)),
        }
    }

    /// Finds who wants what, up to about so many matches, whole revisions at a time.
    fn prepare(&mut self, kept: Vec<Arc<RevisionEvents>>, matches_max: usize) {
        let mut count = 0;
        for events in kept {
            if count >= matches_max {
                break;
            }
            let revision = self.batch.len();
            for (event, known) in events.events.iter().enumerate() {
                for id in self.interest.of(known) {
                    self.matches.entry(id).or_default().push_back(Match { revision, event });
                    count += 1;
                }
            }
            self.through = events.revision;
            self.batch.push(events);
        }
    }

    fn dissolve(&mut self, through: Revision) -> Vec<i64> {
        let ids = self.interest.ids();
        self.interest = Interest::default();
        self.through = through;
        ids
    }

    /// Takes the next message's worth of a member's matches.
    pub(super) fn take(
        &mut self,
        id: i64,
        filter: &EventFilter,
        budget: ReadBudget,
    ) -> Result<EventsRead, Fatal> {
        let mut collector = Collector::new(filter, budget);
        let mut matches = self.matches.remove(&id).unwrap_or_default();
        for next in &matches {
            let known = &self.batch[next.revision].events[next.event];
            if !collector.offer_known(self.cursor(*next), known)? {
                break;
            }
        }
        let read = collector.finish();
        if let Some(stopped_at) = read.stopped_at {
            matches.retain(|next| self.cursor(*next) >= stopped_at);
            self.matches.insert(id, matches);
        }
        Ok(read)
    }

    fn cursor(&self, place: Match) -> Cursor {
        let revision = self.batch[place.revision].revision;
        let sub_revision = u32::try_from(place.event).expect("sub-revisions fit in 32 bits");
        Cursor { revision, sub_revision }
    }
}

/// How far one advance may go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Advances {
    pub(super) revisions_max: usize,
    pub(super) matches_max: usize,
}
