//! One store's part in one group: the one type that a host drives.
//!
//! **Invariant:** `promised` never falls, and a message that asserts it leaves after it is durable.
//! `committed` never falls. What is at or below it never changes.

use crate::config::ConsensusBug;
use crate::leader::{Leadership, NotTaken};
use crate::log::Log;
use crate::paxos::Preparation;
use crate::random::Random;
use crate::writer::Writer;
use crate::{
    Ballot, Body, Config, Effects, Entry, Envelope, HardState, Instant, LogIndex, Membership,
    Message, Protocol, ReadOutcome, Restored, Role, SnapshotMeta, SoftState, StoreId, WriteId,
};
use std::collections::BTreeSet;

/// See the crate's text.
#[derive(Clone, Debug)]
pub struct Replica {
    pub(crate) config: Config,
    pub(crate) random: Random,
    pub(crate) now: Instant,
    pub(crate) promised: Ballot,
    pub(crate) log: Log,
    pub(crate) writer: Writer,
    pub(crate) committed: LogIndex,
    applied: LogIndex,
    pub(crate) state: State,
    leader: Option<StoreId>,
    leader_ballot: Ballot,
    /// Under which ballot a leader was heard, and how far its log is known to be in ours.
    pub(crate) verified: (Ballot, LogIndex),
    pub(crate) heard_leader_at: Option<Instant>,
    pub(crate) election_due: Instant,
    pub(crate) effects: Effects,
    stopped: bool,
}

/// What a replica is, with what only that role knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Follower,
    /// Asks whether a campaign under this ballot would find support.
    Canvasser {
        ballot: Ballot,
        granted: BTreeSet<StoreId>,
    },
    /// Raft: collects votes. `write` makes the own vote durable; it counts only then.
    Candidate {
        ballot: Ballot,
        granted: BTreeSet<StoreId>,
        write: WriteId,
    },
    /// Multi-Paxos: phase 1.
    Preparing(Preparation),
    Leader(Leadership),
}

impl Replica {
    /// Starts from what was durable. A restarted replica follows, whatever it was before.
    ///
    /// # Panics
    /// If what was restored cannot have been written by a replica.
    #[must_use]
    pub fn new(config: Config, restored: Restored, now: Instant) -> Self {
        let Restored { hard_state, snapshot, entries, applied } = restored;
        let snapshot_index = snapshot.index;
        let log = Log::new(snapshot, entries);
        let committed = hard_state.committed.min(log.last()).max(snapshot_index).max(applied);
        assert!(committed <= log.last(), "what was applied must be in the log");
        let promised = restored_promise(&config, hard_state.promised);
        let mut replica = Self {
            random: Random::new(config.seed),
            now,
            promised,
            writer: Writer::new(promised),
            log,
            committed,
            applied,
            state: State::Follower,
            leader: None,
            leader_ballot: promised,
            verified: (Ballot::ZERO, LogIndex::ZERO),
            // A leader may live: a store that comes back must not help to replace it at once.
            heard_leader_at: Some(now),
            election_due: now,
            effects: Effects::default(),
            stopped: false,
            config,
        };
        replica.restart_election_timer();
        replica
    }

    /// Time has passed: does what was due by `now`.
    pub fn tick(&mut self, now: Instant) {
        self.observe(now);
        if self.stopped {
            return;
        }
        match self.state {
            State::Leader(_) => self.tick_leader(),
            _ if self.election_due <= self.now => self.canvass(),
            _ => {}
        }
    }

    /// When [`Replica::tick`] has something to do.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        match &self.state {
            _ if self.stopped => Instant::NEVER,
            State::Leader(leadership) => leadership.next_timeout(),
            _ if self.may_campaign() => self.election_due,
            _ => Instant::NEVER,
        }
    }

    /// A message came.
    pub fn step(&mut self, now: Instant, from: StoreId, message: Message) {
        self.observe(now);
        if self.stopped || from == self.config.store {
            return;
        }
        let Message { ballot, body } = message;
        match body {
            Body::Canvass { last } => self.on_canvass(from, ballot, last),
            Body::CanvassReply { granted } => self.on_canvass_reply(from, ballot, granted),
            Body::Vote { last } => self.on_vote(from, ballot, last),
            Body::VoteReply { granted } => self.on_vote_reply(from, ballot, granted),
            Body::Prepare { from: first } => self.on_prepare(from, ballot, first),
            Body::Promise { from: start, accepted, first, last, committed } => {
                let chunk = crate::paxos::Chunk { start, accepted, first, last, committed };
                self.on_promise(from, ballot, chunk);
            }
            Body::Reject => self.on_reject(ballot),
            Body::Append { previous, entries, committed } => {
                if self.accept_leader(from, ballot) {
                    self.on_append(from, ballot, previous, entries, committed);
                }
            }
            Body::Commit { committed } => {
                if self.accept_leader(from, ballot) {
                    self.commit_verified(ballot, committed);
                }
            }
            Body::Heartbeat { committed, round } => {
                if self.accept_leader(from, ballot) {
                    self.commit_verified(ballot, committed);
                    self.answer_heartbeat(from, ballot, round);
                }
            }
            Body::Appended { matched } => self.on_appended(from, ballot, matched),
            Body::AppendRefused { previous, hint } => {
                self.on_append_refused(from, ballot, previous, hint);
            }
            Body::HeartbeatReply { round, verified } => {
                self.on_heartbeat_reply(from, ballot, round, verified);
            }
        }
    }

    /// This write and every earlier one are durable.
    pub fn on_persisted(&mut self, now: Instant, write: WriteId) {
        self.observe(now);
        self.writer.persisted(write);
        self.count_own_support();
        self.advance_commit();
    }

    /// The disk failed. A failed sync is final (what was written before it may be lost whatever a
    /// later sync says), so the replica stops for good.
    pub fn on_persist_failed(&mut self, now: Instant) {
        self.observe(now);
        self.step_down();
        self.stopped = true;
    }

    /// The state machine has applied everything up to here.
    pub fn on_applied(&mut self, index: LogIndex) {
        assert!(index <= self.committed, "only what is committed is applied");
        self.applied = self.applied.max(index);
    }

    /// Forgets the log up to `index`, which the state machine's durable state must cover. Ignored
    /// if there is nothing to forget.
    pub fn compact(&mut self, now: Instant, index: LogIndex) {
        self.observe(now);
        let index = index.min(self.applied).min(self.writer.durable(self.log.last()));
        if index >= self.log.first() {
            let meta = self.log.compact(index);
            self.writer.compact(self.now, meta);
        }
    }

    /// Moves everything that is to be done into `out`.
    pub fn take_effects(&mut self, out: &mut Effects) {
        if !self.stopped {
            self.replicate();
            let state = self.hard_state();
            self.writer.seal(self.now, Some(state));
        }
        let effects = &mut self.effects;
        out.messages.append(&mut effects.messages);
        out.reads.append(&mut effects.reads);
        out.snapshots.append(&mut effects.snapshots);
        out.soft_state = effects.soft_state.take().or(out.soft_state);
        self.writer.take_sealed(&mut out.writes);
    }

    /// Committed entries from `from` on that are durable here: at least one if there is any, at
    /// most `bytes_max` beyond the first.
    #[must_use]
    pub fn committed_entries(&self, from: LogIndex, bytes_max: usize) -> Vec<Entry> {
        let durable = self.writer.durable(self.log.last());
        self.log.slice(from, self.committed.min(durable), bytes_max)
    }

    /// How far entries may be applied: committed, and durable here.
    #[must_use]
    pub fn applicable(&self) -> LogIndex {
        self.committed.min(self.writer.durable(self.log.last()))
    }

    /// Replaces the log by a snapshot that the state machine holds durably under a new generation.
    /// Returns whether it is needed; then the switch is in the writes that follow.
    pub fn install_snapshot(&mut self, now: Instant, meta: SnapshotMeta) -> bool {
        self.observe(now);
        let agrees = self.config.protocol == Protocol::Raft
            && self.log.ballot_at(meta.index) == Some(meta.ballot);
        if self.stopped || meta.index <= self.committed || matches!(self.state, State::Leader(_)) {
            return false;
        }
        if agrees {
            // The log holds what the snapshot covers; what follows may be acknowledged already.
            self.commit_to(meta.index);
            return false;
        }
        let kept = self.kept_behind(meta.index);
        self.writer.install(self.now, meta.clone());
        self.log = Log::new(meta.clone(), Vec::new());
        for entry in kept {
            self.log.append(entry.clone());
            self.writer.entry(self.now, entry);
        }
        self.committed = meta.index;
        self.verified.1 = self.verified.1.max(meta.index);
        true
    }

    /// Multi-Paxos must remember what it accepted behind the snapshot: it may be chosen. In Raft
    /// the log conflicts with what is committed, so nothing of it can be.
    fn kept_behind(&self, index: LogIndex) -> Vec<Entry> {
        match self.config.protocol {
            Protocol::Raft => Vec::new(),
            Protocol::Paxos if self.log.last() > index => {
                self.log.slice(index.next(), self.log.last(), usize::MAX)
            }
            Protocol::Paxos => Vec::new(),
        }
    }

    /// What would stand for the log up to `index`; `None` if the log cannot tell any more.
    #[must_use]
    pub fn snapshot_meta(&self, index: LogIndex) -> Option<SnapshotMeta> {
        let known = index <= self.committed && self.log.ballot_at(index).is_some();
        known.then(|| self.log.snapshot_meta(index))
    }

    /// Role, leader and ballot.
    #[must_use]
    pub fn soft_state(&self) -> SoftState {
        SoftState { role: self.role(), leader: self.leader, ballot: self.leader_ballot }
    }

    fn role(&self) -> Role {
        match self.state {
            State::Follower => Role::Follower,
            State::Canvasser { .. } => Role::Canvasser,
            State::Candidate { .. } | State::Preparing(_) => Role::Candidate,
            State::Leader(_) => Role::Leader,
        }
    }

    /// The highest ballot promised, durable or not.
    #[must_use]
    pub fn promised(&self) -> Ballot {
        self.promised
    }

    /// The highest ballot whose promise is durable.
    #[must_use]
    pub fn promised_on_disk(&self) -> Ballot {
        self.writer.promised_on_disk()
    }

    /// What is known to be committed.
    #[must_use]
    pub fn committed(&self) -> LogIndex {
        self.committed
    }

    /// The first position that the log still holds.
    #[must_use]
    pub fn first_index(&self) -> LogIndex {
        self.log.first()
    }

    /// The last position of the log, durable or not.
    #[must_use]
    pub fn last_index(&self) -> LogIndex {
        self.log.last()
    }

    /// The entry at `index`, if the log holds it.
    #[must_use]
    pub fn entry(&self, index: LogIndex) -> Option<&Entry> {
        self.log.get(index)
    }

    /// Everything up to here is durable on this store, as it is in memory.
    #[must_use]
    pub fn durable(&self) -> LogIndex {
        self.writer.durable(self.log.last())
    }

    /// The membership in force.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        self.log.membership()
    }

    /// Whether the replica has stopped for good.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// What it was told at its start.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn observe(&mut self, now: Instant) {
        // A host's clock that is read by several threads may be handed in out of order.
        self.now = self.now.max(now);
    }

    pub(crate) fn not_stopped(&self) -> Result<(), NotTaken> {
        if self.stopped { Err(NotTaken::Stopped) } else { Ok(()) }
    }

    pub(crate) fn planted(&self, bug: ConsensusBug) -> bool {
        self.config.planted_bug == Some(bug)
    }

    fn hard_state(&self) -> HardState {
        HardState { promised: self.promised, committed: self.committed }
    }

    /// Binds this store to a higher ballot.
    pub(crate) fn promise(&mut self, ballot: Ballot) {
        assert!(ballot > self.promised, "promises only rise");
        self.promised = ballot;
        let state = self.hard_state();
        self.writer.hard_state(state);
    }

    pub(crate) fn commit_to(&mut self, index: LogIndex) {
        let before = self.committed;
        self.committed = before.max(index.min(self.log.last()));
        self.release_committed(before);
    }

    /// Sends a message that asserts durable state.
    pub(crate) fn say(&mut self, to: StoreId, ballot: Ballot, body: Body) {
        let planted = self.planted(ConsensusBug::AcknowledgeBeforeSync);
        if planted || self.writer.is_idle() {
            return self.send(to, ballot, body);
        }
        self.writer.say(Envelope { to, message: Message { ballot, body } });
    }

    /// The planted bug: a leader counts its own entry before it is durable.
    pub(crate) fn persisted_or_planted(&mut self) {
        if self.planted(ConsensusBug::AcknowledgeBeforeSync) {
            let state = self.hard_state();
            self.writer.seal(self.now, Some(state));
            self.writer.persisted(WriteId(u64::MAX));
            self.advance_commit();
        }
    }

    pub(crate) fn set_leader(&mut self, leader: Option<StoreId>, ballot: Ballot) {
        self.leader = leader;
        self.leader_ballot = ballot;
        self.effects.soft_state = Some(self.soft_state());
    }

    /// Fails every read that a leadership which ends still owes an outcome.
    pub(crate) fn fail_reads(&mut self) {
        if let State::Leader(leadership) = &self.state {
            let failed = leadership.reads().map(|id| ReadOutcome::Failed { id });
            self.effects.reads.extend(failed);
        }
    }
}

fn restored_promise(config: &Config, promised: Ballot) -> Ballot {
    match (config.planted_bug, config.protocol) {
        (Some(ConsensusBug::ForgetVote), Protocol::Raft) => {
            Ballot::new(promised.round, StoreId::NONE)
        }
        (Some(ConsensusBug::ForgetVote), Protocol::Paxos) => Ballot::ZERO,
        _ => promised,
    }
}
