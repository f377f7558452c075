//! The stream itself: requests in, messages out, one poll at a time.

use super::message::{
    CancelReason, RejectReason, WatchLimits, WatchMessage, WatchPoll, WatchRequest,
};
use super::step::{Advance, Advances, InStep};
use crate::read::{Cursor, EventFilter, EventsRead, ReadBudget};
use crate::{Fatal, Reader, Revision};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// So many reads of the event index at most go into one poll.
const READS_PER_POLL_MAX: usize = 16;

/// So many answers may wait before the host should poll instead of handing in more requests: a
/// client that sends a burst of them is served without a pause.
const ANSWERS_MAX: usize = 256;

/// See the [module](super)'s text. The host feeds it readers of one key space, never an older one
/// after a newer one; a reader of another generation, after a snapshot was installed, is as good.
#[derive(Debug)]
pub struct WatchStream {
    limits: WatchLimits,
    watches: BTreeMap<i64, Watch>,
    next_id: i64,
    /// Answers to requests, and cancellations: see [`WatchStream::accepts_requests`].
    answers: VecDeque<WatchMessage>,
    in_step: InStep,
    behind: BTreeMap<i64, Cursor>,
    ahead: BTreeSet<(Revision, i64)>,
    /// The watch behind that was served last; the one after it comes next.
    served: i64,
    /// Watches whose turn it is to be told the revision.
    progress_due: BTreeSet<i64>,
    progress_requested: bool,
}

#[derive(Debug)]
struct Watch {
    filter: EventFilter,
    start: Option<Revision>,
    fragment: bool,
    progress: bool,
    /// Whether events went out since the last tick.
    told: bool,
    /// Under which revision it stands among those ahead, if it does.
    ahead_at: Option<Revision>,
}

impl WatchStream {
    /// A stream without watches.
    ///
    /// # Panics
    /// If a limit is zero, under which no event could ever be told.
    #[must_use]
    pub fn new(limits: WatchLimits) -> Self {
        let smallest = [limits.message_bytes_max, limits.examined_max, limits.matches_max];
        assert!(!smallest.contains(&0), "limits are at least one");
        Self {
            limits,
            watches: BTreeMap::new(),
            next_id: 0,
            answers: VecDeque::new(),
            in_step: InStep::new(),
            behind: BTreeMap::new(),
            ahead: BTreeSet::new(),
            served: i64::MIN,
            progress_due: BTreeSet::new(),
            progress_requested: false,
        }
    }

    /// How many watches there are.
    #[must_use]
    pub fn watch_count(&self) -> usize {
        self.watches.len()
    }

    /// Whether the host may hand in requests. While it may not, too many answers wait to be polled.
    #[must_use]
    pub fn accepts_requests(&self) -> bool {
        self.answers.len() < ANSWERS_MAX
    }

    /// Creates a watch, or says why not, in the next message.
    pub fn create(&mut self, request: WatchRequest, reader: &Reader) {
        let answer = match self.admit(&request) {
            Ok(id) => {
                self.add(id, request, reader);
                WatchMessage::Created { id, revision: reader.revision() }
            }
            Err(reason) => WatchMessage::Rejected { reason },
        };
        self.answers.push_back(answer);
    }

    /// Ends a watch; an id that no watch has is passed over.
    pub fn cancel(&mut self, id: i64) {
        if self.watches.contains_key(&id) {
            self.end(id, CancelReason::Requested);
        }
    }

    /// Asks for one progress message for the whole stream, as soon as every watch was told
    /// everything and has reached its start. Nothing comes while there are no watches.
    pub fn request_progress(&mut self) {
        self.progress_requested = !self.watches.is_empty();
    }

    /// Lets every watch that wants it be told the revision if no event went out to it since the
    /// last tick. The host calls it at its interval.
    pub fn tick_progress(&mut self) {
        for (id, watch) in &mut self.watches {
            if watch.progress && !watch.told {
                self.progress_due.insert(*id);
            }
            watch.told = false;
        }
    }

    /// The next thing to tell.
    pub fn poll(&mut self, reader: &Reader) -> Result<WatchPoll, Fatal> {
        if let Some(answer) = self.answers.pop_front() {
            return Ok(WatchPoll::Message(answer));
        }
        if let Some(message) = self.poll_in_step(reader)? {
            return Ok(WatchPoll::Message(message));
        }
        // An older reader than the last one has nothing new for anybody.
        if reader.revision() == self.in_step.through() {
            self.wake_ahead();
            if let Some(poll) = self.poll_behind(reader)? {
                return Ok(poll);
            }
        }
        Ok(self.poll_progress().map_or(WatchPoll::Idle, WatchPoll::Message))
    }

    fn admit(&mut self, request: &WatchRequest) -> Result<i64, RejectReason> {
        if request.is_empty() {
            return Err(RejectReason::EmptyRange);
        }
        if self.watches.len() >= self.limits.watches_max {
            return Err(RejectReason::TooManyWatches);
        }
        match request.id {
            Some(id) if self.watches.contains_key(&id) => Err(RejectReason::DuplicateId),
            Some(id) => Ok(id),
            None => Ok(self.choose_id()),
        }
    }

    fn choose_id(&mut self) -> i64 {
        while self.watches.contains_key(&self.next_id) {
            self.next_id += 1;
        }
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn add(&mut self, id: i64, request: WatchRequest, reader: &Reader) {
        let WatchRequest { range, start, want_previous, no_put, no_delete, .. } = request;
        let filter = EventFilter { range, no_put, no_delete, want_previous };
        let (fragment, progress) = (request.fragment, request.progress);
        let next = start.unwrap_or(reader.revision().next());
        let watch = Watch { filter, start, fragment, progress, told: false, ahead_at: None };
        self.watches.insert(id, watch);
        self.place(id, Cursor::at(next));
    }

    /// Puts a watch where its cursor belongs.
    fn place(&mut self, id: i64, next: Cursor) {
        let in_step = Cursor::at(self.in_step.through().next());
        let watch = self.watches.get_mut(&id).expect("only watches that exist are placed");
        watch.ahead_at = (next > in_step).then_some(next.revision);
        if next == in_step {
            self.in_step.add(id, &watch.filter);
        } else if next > in_step {
            self.ahead.insert((next.revision, id));
        } else {
            self.behind.insert(id, next);
        }
    }

    /// Watches whose start has come go where they belong.
    fn wake_ahead(&mut self) {
        while let Some((start, id)) = self.ahead.first().copied() {
            if start > self.in_step.through().next() {
                return;
            }
            self.ahead.remove(&(start, id));
            self.place(id, Cursor::at(start));
        }
    }

    fn poll_in_step(&mut self, reader: &Reader) -> Result<Option<WatchMessage>, Fatal> {
        loop {
            while let Some(id) = self.in_step.next_match() {
                let watch = &self.watches[&id];
                let read = self.in_step.take(id, &watch.filter, budget(&self.limits, watch))?;
                if let Some(message) = self.tell(id, read) {
                    return Ok(Some(message));
                }
            }
            let limits = Advances {
                revisions_max: self.limits.examined_max,
                matches_max: self.limits.matches_max,
            };
            match self.in_step.advance(reader, limits) {
                Advance::Prepared => {}
                Advance::UpToDate => return Ok(None),
                Advance::FellBehind(ids, cursor) => {
                    self.behind.extend(ids.into_iter().map(|id| (id, cursor)));
                    return Ok(None);
                }
            }
        }
    }

    fn poll_behind(&mut self, reader: &Reader) -> Result<Option<WatchPoll>, Fatal> {
        for _ in 0..READS_PER_POLL_MAX {
            let Some((id, cursor)) = self.next_behind() else { return Ok(None) };
            self.served = id;
            if let Some(message) = self.serve_behind(id, cursor, reader)? {
                return Ok(Some(WatchPoll::Message(message)));
            }
        }
        Ok(if self.behind.is_empty() { None } else { Some(WatchPoll::Busy) })
    }

    /// In turn, so that a watch with a long way to go does not hold up the others.
    fn next_behind(&self) -> Option<(i64, Cursor)> {
        let after = (std::ops::Bound::Excluded(self.served), std::ops::Bound::Unbounded);
        let next = self.behind.range(after).next().or_else(|| self.behind.iter().next())?;
        Some((*next.0, *next.1))
    }

    fn serve_behind(
        &mut self,
        id: i64,
        cursor: Cursor,
        reader: &Reader,
    ) -> Result<Option<WatchMessage>, Fatal> {
        if cursor.revision < reader.compact_revision() {
            self.end(id, CancelReason::Compacted { at: reader.compact_revision() });
            return Ok(self.answers.pop_front());
        }
        let watch = &self.watches[&id];
        let read = reader.read_events(cursor, &watch.filter, budget(&self.limits, watch))?;
        self.behind.remove(&id);
        self.place(id, read.stopped_at.unwrap_or(Cursor::at(reader.revision().next())));
        Ok(self.tell(id, read))
    }

    /// What was read, as a message; `None` if there is nothing in it.
    fn tell(&mut self, id: i64, read: EventsRead) -> Option<WatchMessage> {
        if let Some(revision) = read.oversized {
            self.end(id, CancelReason::RevisionTooLarge { revision });
            return self.answers.pop_front();
        }
        let revision = read.events.last()?.0.revision();
        let watch = self.watches.get_mut(&id).expect("only watches that exist are read for");
        watch.told = true;
        Some(WatchMessage::Events { id, revision, events: read.events, fragment: read.partial })
    }

    /// Reached only when nothing else is to be told.
    fn poll_progress(&mut self) -> Option<WatchMessage> {
        let revision = self.in_step.through();
        while let Some(id) = self.progress_due.pop_first() {
            if self.is_told_everything(id) && !self.watches[&id].told {
                return Some(WatchMessage::Progress { id: Some(id), revision });
            }
        }
        let all = || self.watches.keys().all(|id| self.is_told_everything(*id));
        if self.progress_requested && all() {
            self.progress_requested = false;
            return Some(WatchMessage::Progress { id: None, revision });
        }
        None
    }

    /// Whether a watch has reached its start and was told everything up to the common revision.
    fn is_told_everything(&self, id: i64) -> bool {
        let watch = &self.watches[&id];
        let started = watch.start.is_none_or(|start| start <= self.in_step.through());
        started && watch.ahead_at.is_none() && !self.behind.contains_key(&id)
    }

    fn end(&mut self, id: i64, reason: CancelReason) {
        let watch = self.watches.remove(&id).expect("the caller knows the watch");
        self.in_step.remove(id, &watch.filter.range);
        self.behind.remove(&id);
        if let Some(start) = watch.ahead_at {
            self.ahead.remove(&(start, id));
        }
        self.progress_due.remove(&id);
        self.progress_requested &= !self.watches.is_empty();
        self.answers.push_back(WatchMessage::Canceled { id, reason });
    }
}

fn budget(limits: &WatchLimits, watch: &Watch) -> ReadBudget {
    ReadBudget {
        examined_max: limits.examined_max,
        bytes_max: limits.message_bytes_max,
        revision_bytes_max: limits.revision_bytes_max,
        fragment: watch.fragment,
    }
}
