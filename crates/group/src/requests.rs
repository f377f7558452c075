//! Local reads and questions on their way to an outcome.
//!
//! Both need a confirmed leader and may be put again: a read changes nothing, and a question does
//! the same when it is evaluated twice. So nothing that is lost on the way loses a request; only
//! its deadline does.
//!
//! **Invariant:** every request is in exactly one place (waiting, on its way in a round, or waiting
//! for the state machine) until it gets its one outcome.

use crate::limits::REQUESTS_MAX;
use crate::{Outcome, RefusedReason, RequestId};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use synod_consensus::{Instant, LogIndex};

/// Requests of one kind; `T` is what a request carries (nothing for a read).
#[derive(Clone, Debug)]
pub(crate) struct Requests<T> {
    open: BTreeMap<RequestId, (Instant, T)>,
    deadlines: BTreeSet<(Instant, RequestId)>,
    waiting: BTreeSet<RequestId>,
    /// Rounds under way, by the number that names them to the leader.
    rounds: BTreeMap<u64, Round>,
}

#[derive(Clone, Debug)]
struct Round {
    requests: Vec<RequestId>,
    /// When it counts as lost; never for one that this store's own replica confirms.
    retry_at: Instant,
}

impl<T: Clone> Requests<T> {
    pub(crate) fn new() -> Self {
        Self {
            open: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            waiting: BTreeSet::new(),
            rounds: BTreeMap::new(),
        }
    }

    /// Takes a request in; false if there are too many.
    pub(crate) fn accept(&mut self, request: RequestId, deadline: Instant, carried: T) -> bool {
        if self.open.len() >= REQUESTS_MAX {
            return false;
        }
        self.open.insert(request, (deadline, carried));
        self.deadlines.insert((deadline, request));
        self.waiting.insert(request);
        true
    }

    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(crate) fn rounds_under_way(&self) -> usize {
        self.rounds.len()
    }

    /// Sends everything that waits under way as one round.
    pub(crate) fn begin_round(&mut self, number: u64, retry_at: Instant) {
        let requests = std::mem::take(&mut self.waiting).into_iter().collect();
        self.rounds.insert(number, Round { requests, retry_at });
    }

    /// Sends one waiting request under way, with what it carries.
    pub(crate) fn begin_one(&mut self, number: u64, retry_at: Instant) -> Option<T> {
        let request = self.waiting.pop_first()?;
        self.rounds.insert(number, Round { requests: vec![request], retry_at });
        self.open.get(&request).map(|(_, carried)| carried.clone())
    }

    /// A round ended well: its requests that are still open.
    pub(crate) fn finish_round(&mut self, number: u64) -> Vec<RequestId> {
        let round = self.rounds.remove(&number);
        let requests = round.map(|round| round.requests).unwrap_or_default();
        requests.into_iter().filter(|request| self.open.contains_key(request)).collect()
    }

    /// A round failed: its requests wait again.
    pub(crate) fn fail_round(&mut self, number: u64) {
        let again = self.finish_round(number);
        self.waiting.extend(again);
    }

    /// A round failed, and another try now would fail too.
    pub(crate) fn retry_round(&mut self, number: u64, retry_at: Instant) {
        if let Some(round) = self.rounds.get_mut(&number) {
            round.retry_at = retry_at;
        }
    }

    /// A request got its outcome; false if it had one already.
    pub(crate) fn close(&mut self, request: RequestId) -> bool {
        let Some((deadline, _)) = self.open.remove(&request) else { return false };
        self.deadlines.remove(&(deadline, request));
        self.waiting.remove(&request);
        true
    }

    /// Ends what its client no longer waits for, and puts lost rounds again.
    pub(crate) fn expire(&mut self, now: Instant, outcomes: &mut Vec<(RequestId, Outcome)>) {
        while let Some((deadline, request)) = self.deadlines.first().copied() {
            if deadline > now {
                break;
            }
            self.close(request);
            outcomes.push((request, Outcome::Refused(RefusedReason::TimedOut)));
        }
        let lost = self.rounds.iter().filter(|(_, round)| round.retry_at <= now);
        let lost: Vec<u64> = lost.map(|(number, _)| *number).collect();
        lost.into_iter().for_each(|number| self.fail_round(number));
    }

    /// The replica stopped.
    pub(crate) fn stop(&mut self, outcomes: &mut Vec<(RequestId, Outcome)>) {
        let all: Vec<RequestId> = self.open.keys().copied().collect();
        for request in all {
            self.close(request);
            outcomes.push((request, Outcome::Refused(RefusedReason::Stopped)));
        }
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        let deadline = self.deadlines.first().map_or(Instant::NEVER, |(deadline, _)| *deadline);
        self.rounds.values().map(|round| round.retry_at).fold(deadline, Instant::min)
    }
}

/// Requests whose position is confirmed and that wait for the state machine to reach it.
#[derive(Clone, Debug, Default)]
pub(crate) struct AppliedWaits<T> {
    by_index: BTreeMap<LogIndex, Vec<T>>,
}

impl<T> AppliedWaits<T> {
    pub(crate) fn new() -> Self {
        Self { by_index: BTreeMap::new() }
    }

    pub(crate) fn wait(&mut self, index: LogIndex, waiters: impl IntoIterator<Item = T>) {
        self.by_index.entry(index).or_default().extend(waiters);
    }

    /// What waited for `applied` or less.
    pub(crate) fn release(&mut self, applied: LogIndex) -> Vec<T> {
        let later = self.by_index.split_off(&applied.next());
        std::mem::replace(&mut self.by_index, later).into_values().flatten().collect()
    }
}

/// A question whose leadership is confirmed, or on its way there.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) from: Asker,
    pub(crate) question: Bytes,
    /// When confirmation was asked for.
    pub(crate) asked_at: Instant,
}

/// Who asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    /// A local client, in the round with this number.
    Here(u64),
    /// Another store.
    There { store: synod_consensus::StoreId, incarnation: u64, sequence: u64 },
}
