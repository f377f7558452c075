//! What has been handed to the disk and what is on it.
//!
//! **Invariant:** a message that asserts durable state leaves only through [`Writer::say`], which
//! ties it to a write that is durable no earlier than everything the replica wrote before.

use crate::{Ballot, Entry, Envelope, HardState, Instant, LogIndex, SnapshotMeta, Write, WriteId};
use std::collections::VecDeque;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Writer {
    next_id: WriteId,
    pending: Option<Write>,
    /// Positions at or above this one are changed by the pending write.
    pending_from: Option<LogIndex>,
    in_flight: VecDeque<InFlight>,
    sealed: Vec<Write>,
    /// The ballot that is promised on disk.
    promised: Ballot,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct InFlight {
    id: WriteId,
    touched_from: Option<LogIndex>,
    promised: Option<Ballot>,
    since: Instant,
}

impl Writer {
    pub(crate) fn new(promised: Ballot) -> Self {
        Self {
            next_id: WriteId(1),
            pending: None,
            pending_from: None,
            in_flight: VecDeque::new(),
            sealed: Vec::new(),
            promised,
        }
    }

    fn pending(&mut self) -> &mut Write {
        let id = self.next_id;
        self.pending.get_or_insert_with(|| Write {
            id,
            hard_state: None,
            install: None,
            compact: None,
            truncate_from: None,
            entries: Vec::new(),
            must_sync: false,
            responses: Vec::new(),
        })
    }

    fn touch(&mut self, from: LogIndex) {
        self.pending_from = Some(self.pending_from.map_or(from, |at| at.min(from)));
    }

    /// The id that the pending write has or will have.
    pub(crate) fn upcoming(&self) -> WriteId {
        self.next_id
    }

    pub(crate) fn hard_state(&mut self, state: HardState) {
        let pending = self.pending();
        pending.hard_state = Some(state);
        pending.must_sync = true;
    }

    pub(crate) fn entry(&mut self, now: Instant, entry: Entry) {
        let follows = self
            .pending
            .as_ref()
            .and_then(|write| write.entries.last())
            .is_none_or(|last| last.index.next() == entry.index);
        if !follows {
            self.seal(now, None);
        }
        self.touch(entry.index);
        let pending = self.pending();
        pending.entries.push(entry);
        pending.must_sync = true;
    }

    pub(crate) fn truncate(&mut self, now: Instant, from: LogIndex) {
        if self.pending.as_ref().is_some_and(|write| !write.entries.is_empty()) {
            self.seal(now, None);
        }
        self.touch(from);
        let pending = self.pending();
        let from = pending.truncate_from.map_or(from, |at| at.min(from));
        pending.truncate_from = Some(from);
        pending.must_sync = true;
    }

    /// The log restarts behind `meta`; what is written next follows it.
    pub(crate) fn install(&mut self, now: Instant, meta: SnapshotMeta) {
        self.seal(now, None);
        self.touch(LogIndex(1));
        let pending = self.pending();
        pending.install = Some(meta);
        pending.must_sync = true;
    }

    pub(crate) fn compact(&mut self, now: Instant, meta: SnapshotMeta) {
        if self.pending.as_ref().is_some_and(|write| write.install.is_some()) {
            self.seal(now, None);
        }
        self.pending().compact = Some(meta);
    }

    /// Sends `envelope` once everything written so far is durable.
    pub(crate) fn say(&mut self, envelope: Envelope) {
        let pending = self.pending();
        pending.responses.push(envelope);
        pending.must_sync = true;
    }

    /// Ends the pending write; `hard_state` goes along with anything that must be synced anyway.
    pub(crate) fn seal(&mut self, now: Instant, hard_state: Option<HardState>) {
        let Some(mut write) = self.pending.take() else { return };
        if write.hard_state.is_none() && !write.entries.is_empty() {
            write.hard_state = hard_state;
        }
        self.in_flight.push_back(InFlight {
            id: write.id,
            touched_from: self.pending_from.take(),
            promised: write.hard_state.map(|state| state.promised),
            since: now,
        });
        self.next_id = WriteId(write.id.0 + 1);
        self.sealed.push(write);
    }

    pub(crate) fn take_sealed(&mut self, out: &mut Vec<Write>) {
        out.append(&mut self.sealed);
    }

    /// Everything up to `id` is durable.
    pub(crate) fn persisted(&mut self, id: WriteId) {
        while let Some(done) = self.in_flight.pop_front_if(|write| write.id <= id) {
            if let Some(promised) = done.promised {
                self.promised = promised;
            }
        }
    }

    /// Whether nothing is on its way to the disk.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.pending.is_none()
    }

    pub(crate) fn promised_on_disk(&self) -> Ballot {
        self.promised
    }

    /// Everything up to here is on disk as it is in memory, where the log ends at `last`.
    pub(crate) fn durable(&self, last: LogIndex) -> LogIndex {
        let in_flight = self.in_flight.iter().filter_map(|write| write.touched_from);
        in_flight.chain(self.pending_from).map(LogIndex::previous).fold(last, LogIndex::min)
    }

    /// Since when the oldest write has been on its way.
    pub(crate) fn oldest_since(&self) -> Option<Instant> {
        self.in_flight.front().map(|write| write.since)
    }
}
