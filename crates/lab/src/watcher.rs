//! A client that watches, moves on when its store goes down, and remembers what it was told.

use crate::network::Place;
use crate::time::Micros;
use crate::violation::{Property, Violation};
use synod_mvcc::{
    CancelReason, Event, KeyRange, Reader, Revision, WatchLimits, WatchMessage, WatchPoll,
    WatchRequest, WatchStream,
};

/// See the module's text.
pub struct Watcher {
    /// What it watches.
    pub range: KeyRange,
    /// Where it is connected, and with what.
    connection: Option<(Place, WatchStream)>,
    /// Everything up to here was told.
    told_upto: Revision,
    /// What it was told, in the order it was.
    pub told: Vec<Event>,
    /// Revisions that it may miss: `(after, before)`, cut out by compactions.
    pub gaps: Vec<(Revision, Revision)>,
}

impl Watcher {
    /// A watcher of `range` from the beginning.
    #[must_use]
    pub fn new(range: KeyRange) -> Self {
        Self { range, connection: None, told_upto: Revision(0), told: Vec::new(), gaps: Vec::new() }
    }

    /// Where it is connected.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.connection.as_ref().map(|(place, _)| *place)
    }

    /// Its store went down.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Everything up to here was told.
    #[must_use]
    pub fn told_upto(&self) -> Revision {
        self.told_upto
    }

    /// Goes on at another store, behind what it was told last.
    pub fn connect(&mut self, place: Place, reader: &Reader) {
        let mut stream = WatchStream::new(WatchLimits::default());
        let start = self.told_upto.next();
        let request = WatchRequest {
            start: Some(start),
            want_previous: true,
            ..WatchRequest::new(self.range.clone())
        };
        stream.create(request, reader);
        self.connection = Some((place, stream));
    }

    /// Takes everything that its store has to tell.
    ///
    /// # Errors
    /// When what it is told is out of order, or told twice.
    pub fn poll(&mut self, reader: &Reader, now: Micros) -> Result<(), Violation> {
        while let Some((_, stream)) = &mut self.connection {
            let polled = stream.poll(reader).map_err(|fatal| Violation {
                property: Property::Integrity,
                at: now,
                detail: fatal.to_string(),
            })?;
            match polled {
                WatchPoll::Message(message) => self.hear(message, reader, now)?,
                WatchPoll::Busy => {}
                WatchPoll::Idle => break,
            }
        }
        Ok(())
    }

    fn hear(
        &mut self,
        message: WatchMessage,
        reader: &Reader,
        now: Micros,
    ) -> Result<(), Violation> {
        match message {
            WatchMessage::Created { .. } | WatchMessage::Progress { .. } => Ok(()),
            WatchMessage::Events { revision, events, .. } => {
                for event in events {
                    self.hear_event(event.0, now)?;
                }
                self.told_upto = self.told_upto.max(revision);
                Ok(())
            }
            WatchMessage::Canceled { reason: CancelReason::Compacted { .. }, .. } => {
                // What was compacted is lost to this watcher; it goes on at the compaction.
                let resume = reader.compact_revision();
                self.gaps.push((self.told_upto, resume));
                self.told_upto = Revision(resume.0 - 1).max(self.told_upto);
                self.disconnect();
                Ok(())
            }
            other => Err(wrong(format!("a watcher heard {other:?}"), now)),
        }
    }

    fn hear_event(&mut self, event: Event, now: Micros) -> Result<(), Violation> {
        let revision = event.revision();
        if revision <= self.told_upto {
            let detail =
                format!("{event:?} came after everything up to {:?} was told", self.told_upto);
            return Err(wrong(detail, now));
        }
        if self.told.last().is_some_and(|last| last.revision() > revision) {
            return Err(wrong(format!("{event:?} came out of order"), now));
        }
        self.told.push(event);
        Ok(())
    }

    /// What it was told against everything that happened: to be called once it has caught up.
    ///
    /// # Errors
    /// When an event is missing, doubled, or another.
    pub fn check(&self, happened: &[Event], now: Micros) -> Result<(), Violation> {
        let excused = |revision: Revision| {
            self.gaps.iter().any(|(after, before)| revision > *after && revision < *before)
        };
        let expected = happened
            .iter()
            .filter(|event| self.range.contains(event.key()))
            .filter(|event| !excused(event.revision()));
        let told = self.told.iter().filter(|event| !excused(event.revision()));
        for (expected, told) in expected.clone().zip(told.clone()) {
            if expected != told {
                return Err(wrong(format!("told {told:?} instead of {expected:?}"), now));
            }
        }
        let (expected, told) = (expected.count(), told.count());
        if expected != told {
            return Err(wrong(format!("{told} events were told of {expected}"), now));
        }
        Ok(())
    }
}

fn wrong(detail: String, at: Micros) -> Violation {
    Violation { property: Property::WatchCompleteness, at, detail }
}
