//! A client of a watch stream that believes nothing: it checks every message as it comes, and at
//! the end that nothing is missing.

use super::generate::{key_range, revision};
use super::rig::{Rig, Verdict, same};
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeMap;
use synod_mvcc::twin::Twin;
use synod_mvcc::{
    CancelReason, Event, EventAndPrevious, Reader, Revision, WatchLimits, WatchMessage, WatchPoll,
    WatchRequest, WatchStream,
};

/// One thing that a client or its host does.
#[derive(Clone, Debug)]
pub enum Act {
    Create(WatchRequest),
    Cancel(i64),
    Poll(usize),
    RequestProgress,
    Tick,
}

pub fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => request().prop_map(Act::Create),
        1 => (0i64..6).prop_map(Act::Cancel),
        6 => (1usize..12).prop_map(Act::Poll),
        1 => Just(Act::RequestProgress),
        1 => Just(Act::Tick),
    ]
}

pub fn request() -> impl Strategy<Value = WatchRequest> {
    let id = prop_oneof![4 => Just(None), 1 => (1i64..4).prop_map(Some)];
    let flags = (any::<bool>(), prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    let more = (any::<bool>(), any::<bool>());
    (id, key_range(), option::of(revision()), flags, more).prop_map(
        |(id, range, start, (want_previous, no_put, no_delete), (progress, fragment))| {
            WatchRequest { id, range, start, want_previous, no_put, no_delete, progress, fragment }
        },
    )
}

/// Limits so small that every one of them is met.
pub fn limits() -> impl Strategy<Value = WatchLimits> {
    let bytes = prop_oneof![Just(1usize), 60usize..400, Just(1 << 20)];
    let revision_bytes = prop_oneof![1 => 100usize..300, 4 => Just(1 << 20)];
    (bytes, revision_bytes, 1usize..20, 1usize..20).prop_map(
        |(message_bytes_max, revision_bytes_max, examined_max, matches_max)| WatchLimits {
            watches_max: 8,
            message_bytes_max,
            revision_bytes_max,
            examined_max,
            matches_max,
        },
    )
}

/// What a watch was told so far.
struct Told {
    request: WatchRequest,
    start: Revision,
    events: Vec<EventAndPrevious>,
    /// Nothing at or below it may follow.
    bookmark: Revision,
    in_fragment: bool,
    canceled: Option<CancelReason>,
}

pub struct Client {
    stream: WatchStream,
    /// Requests in the order in which they will be answered.
    asked: Vec<WatchRequest>,
    watches: BTreeMap<i64, Told>,
    finished: Vec<Told>,
    progress_seen: usize,
}

impl Client {
    pub fn new(limits: WatchLimits) -> Self {
        Self {
            stream: WatchStream::new(limits),
            asked: Vec::new(),
            watches: BTreeMap::new(),
            finished: Vec::new(),
            progress_seen: 0,
        }
    }

    pub fn act(&mut self, act: &Act, rig: &Rig) -> Verdict {
        match act {
            Act::Create(request) => {
                self.asked.push(request.clone());
                self.stream.create(request.clone(), &rig.reader());
            }
            Act::Cancel(id) => self.stream.cancel(*id),
            Act::RequestProgress => self.stream.request_progress(),
            Act::Tick => self.stream.tick_progress(),
            Act::Poll(count) => {
                let reader = rig.reader();
                for _ in 0..*count {
                    self.poll(&reader)?;
                }
            }
        }
        Ok(())
    }

    /// True once there is nothing more to tell.
    fn poll(&mut self, reader: &Reader) -> Result<bool, String> {
        match self.stream.poll(reader).unwrap() {
            WatchPoll::Idle => return Ok(true),
            WatchPoll::Busy => {}
            WatchPoll::Message(message) => self.hear(message)?,
        }
        Ok(false)
    }

    /// Polls until idle, then checks that every watch was told everything.
    pub fn drain(&mut self, rig: &Rig) -> Verdict {
        let reader = rig.reader();
        let mut polls = 0;
        while !self.poll(&reader)? {
            polls += 1;
            if polls > 1_000_000 {
                return Err("the stream never becomes idle".to_owned());
            }
        }
        for told in self.watches.values() {
            check_complete(told, &rig.twin)?;
        }
        for told in &self.finished {
            check_prefix(told, &rig.twin)?;
        }
        self.check_progress(&reader)
    }

    /// A progress request is answered once, as soon as every watch has begun.
    fn check_progress(&mut self, reader: &Reader) -> Verdict {
        let before = self.progress_seen;
        self.stream.request_progress();
        while !self.poll(reader)? {}
        let started =
            |told: &Told| told.request.start.is_none_or(|start| start <= reader.revision());
        let due = !self.watches.is_empty() && self.watches.values().all(started);
        same("answers to a progress request", &(self.progress_seen - before), &usize::from(due))
    }

    fn hear(&mut self, message: WatchMessage) -> Verdict {
        match message {
            WatchMessage::Created { id, revision } => {
                let request = self.asked.remove(0);
                let start = request.start.unwrap_or(revision.next());
                let (events, canceled) = (Vec::new(), None);
                let bookmark = Revision(i64::MIN);
                let told = Told { request, start, events, bookmark, in_fragment: false, canceled };
                match self.watches.insert(id, told) {
                    None => Ok(()),
                    Some(_) => Err(format!("two watches are called {id}")),
                }
            }
            WatchMessage::Rejected { .. } => {
                self.asked.remove(0);
                Ok(())
            }
            WatchMessage::Canceled { id, reason } => {
                let mut told = self.watches.remove(&id).ok_or("an unknown watch is cancelled")?;
                told.canceled = Some(reason);
                self.finished.push(told);
                Ok(())
            }
            WatchMessage::Events { id, revision, events, fragment } => {
                let told = self.watches.get_mut(&id).ok_or("events of an unknown watch")?;
                told.hear_events(revision, events, fragment)
            }
            WatchMessage::Progress { id, revision } => self.hear_progress(id, revision),
        }
    }

    fn hear_progress(&mut self, id: Option<i64>, revision: Revision) -> Verdict {
        if id.is_none() {
            self.progress_seen += 1;
        }
        for (_, told) in
            self.watches.iter_mut().filter(|(other, _)| id.is_none_or(|id| id == **other))
        {
            if told.in_fragment || told.request.start.is_some_and(|start| start > revision) {
                return Err(format!("progress {revision} came too early"));
            }
            if id.is_some() && !told.request.progress {
                return Err("progress that nobody asked for".to_owned());
            }
            told.bookmark = told.bookmark.max(revision);
        }
        Ok(())
    }
}

impl Told {
    fn hear_events(
        &mut self,
        revision: Revision,
        events: Vec<EventAndPrevious>,
        fragment: bool,
    ) -> Verdict {
        let first = events.first().ok_or("an empty message")?.0.revision();
        let before = self.events.last().map(|(event, _)| event.revision());
        if before == Some(first) && !self.in_fragment {
            return Err(format!("revision {first} was told in two messages"));
        }
        if fragment && !self.request.fragment {
            return Err("a fragment for a watch that takes none".to_owned());
        }
        if first <= self.bookmark {
            return Err(format!("revision {first} was told after progress {}", self.bookmark));
        }
        same("a message's revision", &Some(revision), &events.last().map(|(e, _)| e.revision()))?;
        self.in_fragment = fragment;
        self.events.extend(events);
        Ok(())
    }
}

fn wanted(told: &Told, event: &Event) -> bool {
    let refused = match event {
        Event::Put(_) => told.request.no_put,
        Event::Delete { .. } => told.request.no_delete,
    };
    !refused && event.revision() >= told.start && told.request.range.contains(event.key())
}

fn events_of(told: &Told) -> Vec<Event> {
    told.events.iter().map(|(event, _)| event.clone()).collect()
}

fn expected(told: &Told, twin: &Twin) -> Vec<Event> {
    twin.history().iter().filter(|event| wanted(told, event)).cloned().collect()
}

fn check_complete(told: &Told, twin: &Twin) -> Verdict {
    if told.in_fragment {
        return Err("a fragment has no end".to_owned());
    }
    same("what a watch was told", &events_of(told), &expected(told, twin))?;
    check_previous(told, twin)
}

/// A watch that ended was told the beginning of what it wanted, and ended for a reason.
fn check_prefix(told: &Told, twin: &Twin) -> Verdict {
    let (events, expected) = (events_of(told), expected(told, twin));
    let beginning = expected.get(..events.len()).unwrap_or_default().to_vec();
    same("what an ended watch was told", &events, &beginning)?;
    let missing = expected.get(events.len()).map(Event::revision);
    match told.canceled {
        Some(CancelReason::Compacted { at }) => {
            let told_through = events.last().map_or(Revision(i64::MIN), Event::revision);
            let needs_older = told.start < at && told_through < at;
            same("whether a cancelled watch needed what is compacted", &needs_older, &true)?;
        }
        Some(CancelReason::RevisionTooLarge { revision }) => {
            same("the revision too large", &missing, &Some(revision))?;
        }
        _ => {}
    }
    check_previous(told, twin)
}

/// What was before is right, and left out only if it was not asked for, not there, or compacted.
fn check_previous(told: &Told, twin: &Twin) -> Verdict {
    for (event, previous) in &told.events {
        let before = Revision(event.revision().0 - 1);
        let truth = twin.keys_at(before).remove(event.key());
        let right = match previous {
            Some(_) => told.request.want_previous && *previous == truth,
            None => {
                let compacted = before < twin.compact_revision();
                truth.is_none() || !told.request.want_previous || compacted
            }
        };
        if !right {
            return Err(format!("before {event:?} was {truth:?}, but told was {previous:?}"));
        }
    }
    Ok(())
}
