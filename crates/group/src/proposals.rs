//! Local proposals and what becomes of them.
//!
//! **Invariant:** every proposal gets exactly one outcome: it is handed out with its committed
//! entry, or refused while it is certain that no leader took it or that another entry stands in its
//! place, or else it is unknown. A proposal is handed to a second leader only when the first said
//! that it did not take it.

use crate::limits::{HELD_BYTES_MAX, PAYLOAD_BYTES_MAX, PROPOSALS_MAX};
use crate::{Outcome, Proposal, RefusedReason, RequestId, UnknownReason};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use synod_consensus::{Ballot, Entry, EntryKind, Instant, LogIndex, Origin, StoreId};

#[derive(Clone, Debug)]
pub(crate) struct Proposals {
    store: StoreId,
    incarnation: u64,
    last_sequence: u64,
    pending: BTreeMap<u64, Pending>,
    /// Sequences in the order of their deadlines.
    deadlines: BTreeSet<(Instant, u64)>,
    /// Not yet given to any leader, with their payloads.
    waiting: BTreeMap<u64, Bytes>,
    /// The payloads held in `waiting` and `forwarded`.
    held_bytes: usize,
    /// Given to a leader elsewhere, kept in case it says that it did not take them.
    forwarded: BTreeMap<u64, Bytes>,
    /// Where this store as leader put its own.
    placed: BTreeMap<LogIndex, u64>,
}

#[derive(Clone, Debug)]
struct Pending {
    request: RequestId,
    deadline: Instant,
    /// The leadership that it was given to; `None` while it waits.
    given_to: Option<Ballot>,
    index: Option<LogIndex>,
}

pub(crate) type Outcomes = Vec<(RequestId, Outcome)>;

impl Proposals {
    pub(crate) fn new(store: StoreId, incarnation: u64) -> Self {
        Self {
            store,
            incarnation,
            last_sequence: 0,
            pending: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            waiting: BTreeMap::new(),
            held_bytes: 0,
            forwarded: BTreeMap::new(),
            placed: BTreeMap::new(),
        }
    }

    pub(crate) fn origin(&self, sequence: u64) -> Origin {
        Origin { store: self.store, incarnation: self.incarnation, sequence }
    }

    pub(crate) fn last_origin(&self) -> Origin {
        self.origin(self.last_sequence)
    }

    /// Takes a new proposal in, or says why not.
    pub(crate) fn accept(&mut self, proposal: Proposal, outcomes: &mut Outcomes) {
        let refused = if proposal.payload.len() > PAYLOAD_BYTES_MAX {
            Some(RefusedReason::TooLarge)
        } else if self.pending.len() >= PROPOSALS_MAX || self.held_bytes >= HELD_BYTES_MAX {
            Some(RefusedReason::Overloaded)
        } else {
            None
        };
        if let Some(reason) = refused {
            return outcomes.push((proposal.request, Outcome::Refused(reason)));
        }
        self.last_sequence += 1;
        let sequence = self.last_sequence;
        let Proposal { request, payload, deadline } = proposal;
        self.pending.insert(sequence, Pending { request, deadline, given_to: None, index: None });
        self.deadlines.insert((deadline, sequence));
        self.wait(sequence, payload);
    }

    fn wait(&mut self, sequence: u64, payload: Bytes) {
        self.held_bytes += payload.len();
        self.waiting.insert(sequence, payload);
    }

    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Everything that waits, in order.
    pub(crate) fn take_waiting(&mut self) -> Vec<(u64, Bytes)> {
        let taken: Vec<(u64, Bytes)> = std::mem::take(&mut self.waiting).into_iter().collect();
        self.held_bytes -= taken.iter().map(|(_, payload)| payload.len()).sum::<usize>();
        taken
    }

    /// These were put into this store's own log, one after the other from `first`.
    pub(crate) fn placed(
        &mut self,
        ballot: Ballot,
        first: LogIndex,
        sequences: impl Iterator<Item = u64>,
    ) {
        for (offset, sequence) in sequences.enumerate() {
            let index = first.plus(offset as u64);
            if let Some(pending) = self.pending.get_mut(&sequence) {
                pending.given_to = Some(ballot);
                pending.index = Some(index);
                self.placed.insert(index, sequence);
            }
        }
    }

    /// These were sent to the leader of `ballot`.
    pub(crate) fn forwarded(&mut self, ballot: Ballot, proposals: &[(u64, Bytes)]) {
        for (sequence, payload) in proposals {
            if let Some(pending) = self.pending.get_mut(sequence) {
                pending.given_to = Some(ballot);
                self.held_bytes += payload.len();
                self.forwarded.insert(*sequence, payload.clone());
            }
        }
    }

    /// The leader of `ballot` did not take these: another leader may be asked.
    pub(crate) fn not_taken(&mut self, ballot: Ballot, sequences: &[u64]) {
        for sequence in sequences {
            let meant = self.pending.get_mut(sequence).filter(|it| it.given_to == Some(ballot));
            let Some(pending) = meant else { continue };
            if let Some(payload) = self.forwarded.remove(sequence) {
                pending.given_to = None;
                self.held_bytes -= payload.len();
                self.wait(*sequence, payload);
            }
        }
    }

    /// The leader of `ballot` has too much to do already.
    pub(crate) fn overloaded(
        &mut self,
        ballot: Ballot,
        sequences: &[u64],
        outcomes: &mut Outcomes,
    ) {
        for sequence in sequences {
            if self.pending.get(sequence).is_some_and(|it| it.given_to == Some(ballot)) {
                self.end(*sequence, Outcome::Refused(RefusedReason::Overloaded), outcomes);
            }
        }
    }

    /// Ends one that this store as leader could not take.
    pub(crate) fn refuse(&mut self, sequence: u64, reason: RefusedReason, outcomes: &mut Outcomes) {
        self.end(sequence, Outcome::Refused(reason), outcomes);
    }

    fn end(&mut self, sequence: u64, outcome: Outcome, outcomes: &mut Outcomes) {
        if let Some(pending) = self.forget(sequence) {
            outcomes.push((pending.request, outcome));
        }
    }

    fn forget(&mut self, sequence: u64) -> Option<Pending> {
        let pending = self.pending.remove(&sequence)?;
        self.deadlines.remove(&(pending.deadline, sequence));
        let held = self.waiting.remove(&sequence).or_else(|| self.forwarded.remove(&sequence));
        self.held_bytes -= held.map_or(0, |payload| payload.len());
        if let Some(index) = pending.index
            && self.placed.get(&index) == Some(&sequence)
        {
            self.placed.remove(&index);
        }
        Some(pending)
    }

    /// An entry is committed: whose request it answers, and whom it tells that they lost.
    pub(crate) fn committed(
        &mut self,
        entry: &Entry,
        outcomes: &mut Outcomes,
    ) -> Option<RequestId> {
        let origin = entry.origin;
        let mine = origin.store == self.store && origin.incarnation == self.incarnation;
        let answered = if mine { self.forget(origin.sequence) } else { None };
        if let Some(loser) = self.placed.get(&entry.index).copied() {
            self.end(loser, Outcome::Refused(RefusedReason::Superseded), outcomes);
        }
        if entry.kind == EntryKind::Noop {
            self.leader_began(entry.ballot, outcomes);
        }
        answered.map(|pending| pending.request)
    }

    /// A new leader's first entry is committed, and with it whatever it recovered. What an earlier
    /// leader took may come up later only by accident: its client should not wait for that.
    fn leader_began(&mut self, ballot: Ballot, outcomes: &mut Outcomes) {
        self.end_all(UnknownReason::LeaderChanged, outcomes, |pending| {
            pending.given_to.is_some_and(|given| given < ballot)
        });
    }

    /// A snapshot replaced the log up to `index`, whose entry has `ballot`.
    pub(crate) fn behind_snapshot(
        &mut self,
        index: LogIndex,
        ballot: Ballot,
        outcomes: &mut Outcomes,
    ) {
        self.end_all(UnknownReason::BehindSnapshot, outcomes, |pending| {
            pending.index.is_some_and(|at| at <= index)
                || pending.given_to.is_some_and(|given| given < ballot)
        });
    }

    fn end_all(
        &mut self,
        reason: UnknownReason,
        outcomes: &mut Outcomes,
        ends: impl Fn(&Pending) -> bool,
    ) {
        let ending: Vec<u64> =
            self.pending.iter().filter(|(_, it)| ends(it)).map(|(sequence, _)| *sequence).collect();
        for sequence in ending {
            self.end(sequence, Outcome::Unknown(reason), outcomes);
        }
    }

    /// Ends what its client no longer waits for.
    pub(crate) fn expire(&mut self, now: Instant, outcomes: &mut Outcomes) {
        while let Some((deadline, sequence)) = self.deadlines.first().copied() {
            if deadline > now {
                return;
            }
            let given = self.pending.get(&sequence).is_some_and(|it| it.given_to.is_some());
            let outcome = if given {
                Outcome::Unknown(UnknownReason::TimedOut)
            } else {
                Outcome::Refused(RefusedReason::NoLeader)
            };
            self.end(sequence, outcome, outcomes);
        }
    }

    /// The replica stopped: nothing more will be learned here.
    pub(crate) fn stop(&mut self, outcomes: &mut Outcomes) {
        let all: Vec<u64> = self.pending.keys().copied().collect();
        for sequence in all {
            let given = self.pending.get(&sequence).is_some_and(|it| it.given_to.is_some());
            let outcome = if given {
                Outcome::Unknown(UnknownReason::Stopped)
            } else {
                Outcome::Refused(RefusedReason::Stopped)
            };
            self.end(sequence, outcome, outcomes);
        }
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        self.deadlines.first().map_or(Instant::NEVER, |(deadline, _)| *deadline)
    }
}
