//! What a leader does, the same in both protocols: replicate, commit, confirm, step down.
//!
//! The protocols differ in what an acknowledgement means (Raft: the logs are equal up to here;
//! Multi-Paxos: everything up to here was accepted under this ballot or is chosen) and in which
//! positions counting may commit. Everything else is shared.

use crate::config::ConsensusBug;
use crate::progress::{Mode, Progress};
use crate::replica::{Replica, State};
use crate::{
    Ballot, Body, Entry, EntryKind, Instant, LogIndex, Message, Origin, Position, Protocol, ReadId,
    ReadOutcome, SnapshotNeeded, StoreId, quorum,
};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Leadership {
    pub(crate) ballot: Ballot,
    pub(crate) progress: BTreeMap<StoreId, Progress>,
    /// This leadership's own first entry: nothing is read before it is committed.
    pub(crate) first_own: LogIndex,
    /// Proposals beyond the commit index, in bytes.
    uncommitted_bytes: usize,
    /// The last confirmation round that was started.
    round: u64,
    /// Rounds under way, with the reads that wait for them; and reads that wait for a round.
    rounds: VecDeque<(u64, Vec<Read>)>,
    waiting_reads: Vec<ReadId>,
    heartbeat_due: Instant,
    check_quorum_due: Instant,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Read {
    id: ReadId,
    index: LogIndex,
}

/// How many confirmation rounds may be under way: one carries what waits, another what came since.
const ROUNDS_MAX: usize = 2;
/// Reads that wait for confirmation; above it reads are refused.
const READS_MAX: usize = 65_536;

/// Why a proposal or a read was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotTaken {
    /// This replica does not lead.
    NotLeader,
    /// Too much waits to be committed or confirmed.
    Overloaded,
    /// The replica has stopped for good.
    Stopped,
}

impl Leadership {
    pub(crate) fn new(
        ballot: Ballot,
        first_own: LogIndex,
        others: impl Iterator<Item = StoreId>,
        now: Instant,
    ) -> Self {
        Self {
            ballot,
            progress: others.map(|store| (store, Progress::new(first_own, now))).collect(),
            first_own,
            uncommitted_bytes: 0,
            round: 0,
            rounds: VecDeque::new(),
            waiting_reads: Vec::new(),
            heartbeat_due: now,
            check_quorum_due: now,
        }
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        self.heartbeat_due.min(self.check_quorum_due)
    }

    /// Every read that has no outcome yet.
    pub(crate) fn reads(&self) -> impl Iterator<Item = ReadId> {
        let confirmed = self.rounds.iter().flat_map(|(_, reads)| reads.iter().map(|read| read.id));
        confirmed.chain(self.waiting_reads.iter().copied())
    }
}

impl Replica {
    /// Takes office: the log is right, and the new ballot's first entry ends it.
    pub(crate) fn lead(&mut self, ballot: Ballot) {
        let first_own = self.log.last().next();
        let me = self.config.store;
        let others = self.log.membership().stores().filter(|store| *store != me);
        let mut leadership = Leadership::new(ballot, first_own, others, self.now);
        leadership.check_quorum_due = self.now.after(self.config.election_timeout);
        if self.config.protocol == Protocol::Paxos {
            // Followers have accepted nothing under this ballot beyond what is chosen.
            let next = self.committed.next().max(self.log.first());
            leadership.progress.values_mut().for_each(|progress| progress.next = next);
        }
        self.state = State::Leader(leadership);
        self.set_leader(Some(me), ballot);
        self.append_own(Origin::default(), EntryKind::Noop, Bytes::new());
        self.advance_commit();
    }

    /// Proposes commands, in order, and says where the first one stands. Each is later committed
    /// where it stands, or another entry is committed there instead: that tells its fate.
    pub fn propose(
        &mut self,
        now: Instant,
        proposals: impl IntoIterator<Item = (Origin, Bytes)>,
    ) -> Result<LogIndex, NotTaken> {
        self.observe(now);
        self.not_stopped()?;
        let State::Leader(leadership) = &self.state else { return Err(NotTaken::NotLeader) };
        if leadership.uncommitted_bytes > self.config.uncommitted_bytes_max {
            return Err(NotTaken::Overloaded);
        }
        let first = self.log.last().next();
        for (origin, payload) in proposals {
            self.append_own(origin, EntryKind::Command, payload);
        }
        Ok(first)
    }

    fn append_own(&mut self, origin: Origin, kind: EntryKind, payload: Bytes) {
        let index = self.log.last().next();
        let State::Leader(leadership) = &mut self.state else {
            unreachable!("only a leader appends")
        };
        let entry = Entry { index, ballot: leadership.ballot, origin, kind, payload };
        leadership.uncommitted_bytes += entry.weight_bytes();
        self.log.append(entry.clone());
        self.writer.entry(self.now, entry);
        self.persisted_or_planted();
    }

    /// Asks for confirmation that this replica still leads. Every read that is taken gets exactly
    /// one [`ReadOutcome`].
    pub fn read(&mut self, now: Instant, id: ReadId) -> Result<(), NotTaken> {
        self.observe(now);
        self.not_stopped()?;
        let planted = self.planted(ConsensusBug::ReadWithoutQuorum);
        let State::Leader(leadership) = &mut self.state else { return Err(NotTaken::NotLeader) };
        if planted {
            self.effects.reads.push(ReadOutcome::Ready { id, index: self.committed });
            return Ok(());
        }
        if leadership.waiting_reads.len() >= READS_MAX {
            return Err(NotTaken::Overloaded);
        }
        leadership.waiting_reads.push(id);
        Ok(())
    }

    /// Starts a confirmation round for every read that waits.
    fn start_round(&mut self) {
        let committed = self.committed;
        let State::Leader(leadership) = &mut self.state else { return };
        let ready = committed >= leadership.first_own && leadership.rounds.len() < ROUNDS_MAX;
        if leadership.waiting_reads.is_empty() || !ready {
            return;
        }
        leadership.round += 1;
        let ids = std::mem::take(&mut leadership.waiting_reads);
        let reads = ids.into_iter().map(|id| Read { id, index: committed }).collect();
        leadership.rounds.push_back((leadership.round, reads));
        self.send_heartbeats();
        self.finish_rounds();
    }

    fn send_heartbeats(&mut self) {
        let committed = self.committed;
        let due = self.now.after(self.config.heartbeat_interval);
        let State::Leader(leadership) = &mut self.state else { return };
        leadership.heartbeat_due = due;
        let (ballot, round) = (leadership.ballot, leadership.round);
        let stores: Vec<StoreId> = leadership.progress.keys().copied().collect();
        for store in stores {
            self.send(store, ballot, Body::Heartbeat { committed, round });
        }
    }

    fn finish_rounds(&mut self) {
        let me = self.config.store;
        let State::Leader(leadership) = &mut self.state else { return };
        let started = leadership.round;
        let confirmed = quorum::reached_by_quorum(self.log.membership(), |store| {
            if store == me {
                return started;
            }
            leadership.progress.get(&store).map_or(0, |progress| progress.confirmed_round)
        });
        while let Some((_, reads)) =
            leadership.rounds.pop_front_if(|(round, _)| *round <= confirmed)
        {
            let outcomes =
                reads.into_iter().map(|read| ReadOutcome::Ready { id: read.id, index: read.index });
            self.effects.reads.extend(outcomes);
        }
    }

    /// A leader's timers: heartbeats, and whether it still has a quorum and a disk.
    pub(crate) fn tick_leader(&mut self) {
        let State::Leader(leadership) = &self.state else { return };
        if leadership.check_quorum_due <= self.now {
            if !self.has_active_quorum() || self.disk_stalls() {
                return self.step_down();
            }
            self.recheck_quorum();
        }
        let State::Leader(leadership) = &self.state else { return };
        if leadership.heartbeat_due <= self.now {
            self.retry_snapshots();
            self.send_heartbeats();
        }
    }

    fn recheck_quorum(&mut self) {
        let due = self.now.after(self.config.election_timeout / 2);
        if let State::Leader(leadership) = &mut self.state {
            leadership.check_quorum_due = due;
        }
    }

    fn has_active_quorum(&self) -> bool {
        let State::Leader(leadership) = &self.state else { return false };
        quorum::has_quorum(self.log.membership(), |store| {
            let heard = leadership.progress.get(&store).map(|progress| progress.heard_at);
            store == self.config.store
                || heard.is_some_and(|at| self.now.since(at) < self.config.election_timeout)
        })
    }

    fn disk_stalls(&self) -> bool {
        let since = self.writer.oldest_since();
        since.is_some_and(|since| self.now.since(since) >= self.config.election_timeout)
    }

    fn retry_snapshots(&mut self) {
        let (now, patience) = (self.now, self.config.election_timeout * 4);
        let State::Leader(leadership) = &mut self.state else { return };
        for progress in leadership.progress.values_mut() {
            if let Mode::Snapshot { asked_at } = progress.mode
                && now.since(asked_at) >= patience
            {
                progress.snapshot_ended(None);
            }
        }
    }

    /// Sends every follower what it may be sent now; told of the commit index if nothing else.
    pub(crate) fn replicate(&mut self) {
        self.start_round();
        let State::Leader(leadership) = &self.state else { return };
        let stores: Vec<StoreId> = leadership.progress.keys().copied().collect();
        for store in stores {
            while self.send_append(store) {}
            self.tell_commit(store);
        }
    }

    /// Sends one append if there is something to send; whether another may follow.
    fn send_append(&mut self, to: StoreId) -> bool {
        let (first, last) = (self.log.first(), self.log.last());
        let State::Leader(leadership) = &mut self.state else { return false };
        let Some(progress) = leadership.progress.get_mut(&to) else { return false };
        if !progress.may_send(self.config.inflight_appends_max) {
            return false;
        }
        let probing = matches!(progress.mode, Mode::Probe { .. });
        if progress.next > last && !probing {
            return false;
        }
        if progress.next < first {
            progress.needs_snapshot(self.now);
            self.effects.snapshots.push(SnapshotNeeded { to, at_least: first.previous() });
            return false;
        }
        let previous = progress.next.previous();
        let entries = self.log.slice(progress.next, last, self.config.append_bytes_max);
        progress.sent(entries.last().map_or(previous, |entry| entry.index));
        progress.told_committed = self.committed;
        let ballot = leadership.ballot;
        self.send_append_message(to, ballot, previous, entries);
        !probing
    }

    fn send_append_message(
        &mut self,
        to: StoreId,
        ballot: Ballot,
        previous: LogIndex,
        entries: Vec<Entry>,
    ) {
        let position = Position {
            index: previous,
            ballot: self.log.ballot_at(previous).expect("the append starts within the log"),
        };
        let committed = self.committed;
        self.send(to, ballot, Body::Append { previous: position, entries, committed });
    }

    fn tell_commit(&mut self, to: StoreId) {
        let committed = self.committed;
        let State::Leader(leadership) = &mut self.state else { return };
        let Some(progress) = leadership.progress.get_mut(&to) else { return };
        let pipelined = matches!(progress.mode, Mode::Replicate { .. });
        if pipelined && progress.told_committed < committed {
            progress.told_committed = committed;
            let ballot = leadership.ballot;
            self.send(to, ballot, Body::Commit { committed });
        }
    }

    /// The follower's part of the log is durable and right up to `matched`.
    pub(crate) fn on_appended(&mut self, from: StoreId, ballot: Ballot, matched: LogIndex) {
        let last = self.log.last();
        let Some(progress) = self.answered(from, ballot) else { return };
        progress.acknowledged(matched.min(last));
        self.advance_commit();
    }

    pub(crate) fn on_append_refused(
        &mut self,
        from: StoreId,
        ballot: Ballot,
        previous: LogIndex,
        hint: Position,
    ) {
        let at = match self.config.protocol {
            Protocol::Raft => self.log.last_not_above(hint.index, hint.ballot.round).index,
            Protocol::Paxos => hint.index,
        };
        if let Some(progress) = self.answered(from, ballot) {
            progress.refused(previous, at);
        }
    }

    pub(crate) fn on_heartbeat_reply(
        &mut self,
        from: StoreId,
        ballot: Ballot,
        round: u64,
        verified: LogIndex,
    ) {
        let inflight_max = self.config.inflight_appends_max;
        let last = self.log.last();
        let Some(progress) = self.answered(from, ballot) else { return };
        progress.confirmed_round = progress.confirmed_round.max(round);
        progress.heartbeat_answered(verified, inflight_max);
        let stalled = progress.matched < last && progress.next > last;
        if stalled {
            self.probe_stalled(from);
        }
        self.finish_rounds();
    }

    /// Everything was sent and something is unanswered: an empty append shows whether it was lost.
    fn probe_stalled(&mut self, to: StoreId) {
        let State::Leader(leadership) = &self.state else { return };
        let Some(progress) = leadership.progress.get(&to) else { return };
        if matches!(progress.mode, Mode::Replicate { .. }) {
            let (ballot, previous) = (leadership.ballot, progress.next.previous());
            self.send_append_message(to, ballot, previous, Vec::new());
        }
    }

    /// The progress of a store that answered under this leadership, marked as heard from.
    fn answered(&mut self, from: StoreId, ballot: Ballot) -> Option<&mut Progress> {
        let State::Leader(leadership) = &mut self.state else { return None };
        if leadership.ballot != ballot {
            return None;
        }
        let progress = leadership.progress.get_mut(&from)?;
        progress.heard_at = self.now;
        Some(progress)
    }

    /// Commits what a quorum has durably accepted under this ballot.
    pub(crate) fn advance_commit(&mut self) {
        let State::Leader(leadership) = &self.state else { return };
        let own = self.writer.durable(self.log.last());
        let reached = quorum::committed(self.log.membership(), |store| {
            if store == self.config.store {
                return own;
            }
            leadership.progress.get(&store).map_or(LogIndex::ZERO, |progress| progress.matched)
        });
        if reached > self.committed && self.may_commit_by_counting(reached) {
            self.commit_to(reached);
        }
    }

    /// Raft commits by counting only entries of its own term (section 5.4.2 of the paper); under a
    /// Multi-Paxos ballot everything that is counted was accepted under it.
    fn may_commit_by_counting(&self, index: LogIndex) -> bool {
        let State::Leader(leadership) = &self.state else { return false };
        self.config.protocol == Protocol::Paxos
            || self.planted(ConsensusBug::CountEarlierTerm)
            || self.log.ballot_at(index).is_some_and(|ballot| ballot == leadership.ballot)
    }

    /// The commit index moved from `from`: what was proposed up to it no longer counts as waiting.
    pub(crate) fn release_committed(&mut self, from: LogIndex) {
        let upto = self.committed;
        let State::Leader(leadership) = &mut self.state else { return };
        let start = from.next().max(leadership.first_own);
        let bytes: usize = (start.0..=upto.0)
            .filter_map(|index| self.log.get(LogIndex(index)))
            .map(Entry::weight_bytes)
            .sum();
        leadership.uncommitted_bytes = leadership.uncommitted_bytes.saturating_sub(bytes);
    }

    /// A snapshot for `to` was delivered up to an index, or could not be.
    pub fn on_snapshot_ended(&mut self, now: Instant, to: StoreId, delivered: Option<LogIndex>) {
        self.observe(now);
        if let State::Leader(leadership) = &mut self.state
            && let Some(progress) = leadership.progress.get_mut(&to)
        {
            progress.snapshot_ended(delivered);
        }
    }

    /// The snapshot for `to` is still moving: no need for another.
    pub fn on_snapshot_moving(&mut self, now: Instant, to: StoreId) {
        self.observe(now);
        if let State::Leader(leadership) = &mut self.state
            && let Some(progress) = leadership.progress.get_mut(&to)
            && let Mode::Snapshot { asked_at } = &mut progress.mode
        {
            *asked_at = now;
        }
    }

    pub(crate) fn send(&mut self, to: StoreId, ballot: Ballot, body: Body) {
        self.effects.messages.push(crate::Envelope { to, message: Message { ballot, body } });
    }
}
