//! What a leader knows of one other store's log.
//!
//! **Invariant:** `matched` never falls; in [`Mode::Replicate`] `matched < next`, and at most the
//! configured number of appends wait for an answer.

use crate::{Instant, LogIndex};
use std::collections::VecDeque;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Progress {
    /// Durable there and the same as here.
    pub(crate) matched: LogIndex,
    /// The next position to send.
    pub(crate) next: LogIndex,
    pub(crate) mode: Mode,
    /// The commit index last told, so that it is told once.
    pub(crate) told_committed: LogIndex,
    /// The last confirmation round answered.
    pub(crate) confirmed_round: u64,
    /// When an answer under this leadership last came.
    pub(crate) heard_at: Instant,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Where the logs agree is not known: one append at a time, the next after an answer or a
    /// heartbeat's answer.
    Probe { waiting: bool },
    /// Appends follow each other without waiting; the last position of each that is unanswered.
    Replicate { inflight: VecDeque<LogIndex> },
    /// A snapshot is on its way; nothing is sent before it ended.
    Snapshot { asked_at: Instant },
}

impl Progress {
    pub(crate) fn new(next: LogIndex, now: Instant) -> Self {
        Self {
            matched: LogIndex::ZERO,
            next,
            mode: Mode::Probe { waiting: false },
            told_committed: LogIndex::ZERO,
            confirmed_round: 0,
            heard_at: now,
        }
    }

    /// Whether an append may be sent now.
    pub(crate) fn may_send(&self, inflight_max: usize) -> bool {
        match &self.mode {
            Mode::Probe { waiting } => !waiting,
            Mode::Replicate { inflight } => inflight.len() < inflight_max,
            Mode::Snapshot { .. } => false,
        }
    }

    /// An append up to `last` was sent.
    pub(crate) fn sent(&mut self, last: LogIndex) {
        match &mut self.mode {
            Mode::Probe { waiting } => *waiting = true,
            Mode::Replicate { inflight } => {
                inflight.push_back(last);
                self.next = last.next();
            }
            Mode::Snapshot { .. } => unreachable!("nothing is sent beside a snapshot"),
        }
    }

    /// Everything up to `matched` is there. Answers may come late or twice.
    pub(crate) fn acknowledged(&mut self, matched: LogIndex) {
        self.matched = self.matched.max(matched);
        self.next = self.next.max(self.matched.next());
        match &mut self.mode {
            Mode::Replicate { inflight } => {
                while inflight.pop_front_if(|last| *last <= matched).is_some() {}
            }
            Mode::Probe { .. } | Mode::Snapshot { .. } => {
                self.next = self.matched.next();
                self.mode = Mode::Replicate { inflight: VecDeque::new() };
            }
        }
    }

    /// The append behind `previous` did not fit; the logs may agree up to `hint`.
    pub(crate) fn refused(&mut self, previous: LogIndex, hint: LogIndex) {
        let stale = match self.mode {
            // A probe is refused where it was sent; anything else is an old answer.
            Mode::Probe { .. } => self.next.previous() != previous,
            Mode::Replicate { .. } => previous <= self.matched,
            Mode::Snapshot { .. } => true,
        };
        if !stale {
            // It may fall below what was acknowledged: a follower that restarted need not know any
            // more whose log it holds. It falls with every refusal, so the search ends.
            self.next = hint.min(previous.previous()).next();
            self.mode = Mode::Probe { waiting: false };
        }
    }

    /// An answer to a heartbeat came: whatever is still unanswered may be lost, and a follower that
    /// restarted since may know less of this leader's log than it has acknowledged.
    pub(crate) fn heartbeat_answered(&mut self, verified: LogIndex, inflight_max: usize) {
        match &mut self.mode {
            Mode::Replicate { .. } if verified < self.matched => {
                self.next = verified.next();
                self.mode = Mode::Probe { waiting: false };
            }
            Mode::Probe { waiting } => *waiting = false,
            Mode::Replicate { inflight } if inflight.len() >= inflight_max => {
                inflight.pop_front();
            }
            Mode::Replicate { .. } | Mode::Snapshot { .. } => {}
        }
    }

    /// The log no longer holds what is needed.
    pub(crate) fn needs_snapshot(&mut self, now: Instant) {
        self.mode = Mode::Snapshot { asked_at: now };
    }

    /// The snapshot was delivered up to `index`, or could not be.
    pub(crate) fn snapshot_ended(&mut self, delivered: Option<LogIndex>) {
        if let Mode::Snapshot { .. } = self.mode {
            self.next = delivered.unwrap_or(self.matched).max(self.matched).next();
            self.mode = Mode::Probe { waiting: false };
        }
    }
}
