//! The group itself: one door in, one way out, and the routing between its parts.

use crate::proposals::Proposals;
use crate::requests::{AppliedWaits, Question, Requests};
use crate::snapshots::{Incoming, Outgoing as OutgoingSnapshots};
use crate::tenure::Tenure;
use crate::{
    AskId, Committed, GroupConfig, GroupEffects, GroupMessage, GroupStatus, Input, LogWrite,
    Outcome, Outgoing, RefusedReason, RequestId,
};
use bytes::Bytes;
use std::collections::BTreeMap;
use synod_consensus::{
    Effects, Instant, LogIndex, Origin, ReadId, Replica, Restored, Role, StoreId, WriteId,
};
use synod_storage::GroupLog;

/// See the crate's text.
#[derive(Clone, Debug)]
pub struct Group {
    pub(crate) config: GroupConfig,
    pub(crate) replica: Replica,
    pub(crate) now: Instant,
    /// The last committed entry that was handed out.
    pub(crate) handed: LogIndex,
    pub(crate) applied: LogIndex,
    pub(crate) proposals: Proposals,
    pub(crate) tenure: Tenure,
    pub(crate) reads: Requests<()>,
    pub(crate) read_waits: AppliedWaits<RequestId>,
    pub(crate) asks: Requests<Bytes>,
    pub(crate) ask_waits: AppliedWaits<AskId>,
    /// Questions that the host or the state machine still owes something, by their number here.
    pub(crate) questions: BTreeMap<AskId, Question>,
    /// What the replica was asked to confirm.
    pub(crate) confirmations: BTreeMap<ReadId, Confirmation>,
    /// Numbers everything that needs a number of its own: rounds, confirmations, questions.
    pub(crate) last_number: u64,
    pub(crate) outgoing: OutgoingSnapshots,
    pub(crate) incoming: Option<Incoming>,
    pub(crate) effects: GroupEffects,
    replica_effects: Effects,
    pub(crate) stopped: Option<&'static str>,
}

/// What a confirmation of leadership is for.
#[derive(Clone, Debug)]
pub(crate) enum Confirmation {
    /// A round of local reads.
    Reads(u64),
    /// A round of another store's reads.
    ReadsFor { store: StoreId, incarnation: u64, sequence: u64 },
    /// A question.
    Question(AskId),
}

impl Group {
    /// Starts from what the log's recovery found; the state machine has applied `applied` durably.
    #[must_use]
    pub fn new(config: GroupConfig, log: GroupLog, applied: LogIndex, now: Instant) -> Self {
        let GroupLog { hard_state, snapshot, entries, .. } = log;
        let applied = applied.max(snapshot.index);
        let restored = Restored { hard_state, snapshot, entries, applied };
        let replica = Replica::new(config.consensus.clone(), restored, now);
        let (store, incarnation) = (config.consensus.store, config.incarnation);
        Self {
            replica,
            now,
            handed: applied,
            applied,
            proposals: Proposals::new(store, incarnation),
            tenure: Tenure::default(),
            reads: Requests::new(),
            read_waits: AppliedWaits::new(),
            asks: Requests::new(),
            ask_waits: AppliedWaits::new(),
            questions: BTreeMap::new(),
            confirmations: BTreeMap::new(),
            last_number: 0,
            outgoing: OutgoingSnapshots::new(incarnation),
            incoming: None,
            effects: GroupEffects::default(),
            replica_effects: Effects::default(),
            stopped: None,
            config,
        }
    }

    /// Something happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Tick => self.tick(),
            Input::Receive { from, message } => self.receive(from, message),
            Input::Propose(proposals) => self.accept_proposals(proposals),
            Input::Read { request, deadline } => self.accept_read(request, deadline),
            Input::Ask { request, question, deadline } => {
                self.accept_ask(request, question, deadline);
            }
            Input::Answered { ask, answer } => self.answered(ask, answer),
            Input::Persisted(write) => self.persisted(write),
            Input::PersistFailed => self.stop("its disk failed"),
            Input::Applied(index) => self.on_applied(index),
            Input::Flushed(index) => self.compact_behind(index),
            Input::SnapshotOpened { session, index } => self.snapshot_opened(session, index),
            Input::ChunkRead { session, number, chunk, resume, last } => {
                self.chunk_read(session, number, chunk, resume, last);
            }
            Input::ChunkWritten { from, session, number, accepted } => {
                self.chunk_written(from, session, number, accepted);
            }
            Input::InstallReady { from, session, generation } => {
                self.install_ready(from, session, generation);
            }
        }
    }

    fn tick(&mut self) {
        self.replica.tick(self.now);
        let outcomes = &mut self.effects.outcomes;
        self.proposals.expire(self.now, outcomes);
        self.reads.expire(self.now, outcomes);
        self.asks.expire(self.now, outcomes);
        self.tick_snapshots();
    }

    fn receive(&mut self, from: StoreId, message: GroupMessage) {
        match message {
            GroupMessage::Consensus(message) => self.replica.step(self.now, from, message),
            GroupMessage::Propose { ballot, incarnation, proposals } => {
                self.take_forwarded(from, ballot, incarnation, proposals);
            }
            GroupMessage::ProposeRefused { ballot, incarnation, sequences, overloaded } => {
                self.forward_refused(ballot, incarnation, &sequences, overloaded);
            }
            GroupMessage::ReadIndex { incarnation, sequence } => {
                self.confirm_for(from, incarnation, sequence);
            }
            GroupMessage::ReadIndexReply { incarnation, sequence, index } => {
                self.read_index_reply(incarnation, sequence, index);
            }
            GroupMessage::Ask { incarnation, sequence, question } => {
                self.ask_for(from, incarnation, sequence, question);
            }
            GroupMessage::Answer { incarnation, sequence, answer } => {
                self.answer_came(incarnation, sequence, answer);
            }
            GroupMessage::SnapshotOffer { session, meta } => {
                self.snapshot_offered(from, session, meta);
            }
            GroupMessage::SnapshotFetch { session, number, after } => {
                self.snapshot_fetched(from, session, number, after);
            }
            GroupMessage::SnapshotChunk { session, number, chunk, resume, last } => {
                self.chunk_came(from, session, number, chunk, resume, last);
            }
            GroupMessage::SnapshotEnded { session, installed } => {
                self.snapshot_ended(from, session, installed);
            }
            GroupMessage::SnapshotGone { session } => self.snapshot_gone(from, session),
        }
    }

    /// Moves everything that is to be done into `out`, behind what is there.
    pub fn take_effects(&mut self, out: &mut GroupEffects) {
        if self.stopped.is_none() {
            self.submit_proposals();
            self.submit_reads();
            self.submit_asks();
        }
        let mut taken = std::mem::take(&mut self.replica_effects);
        self.replica.take_effects(&mut taken);
        self.translate(&mut taken);
        self.replica_effects = taken;
        self.effects.committed = self.has_committed();
        let effects = &mut self.effects;
        out.messages.append(&mut effects.messages);
        out.writes.append(&mut effects.writes);
        out.outcomes.append(&mut effects.outcomes);
        out.answers.append(&mut effects.answers);
        out.evaluate.append(&mut effects.evaluate);
        out.snapshots.append(&mut effects.snapshots);
        out.soft_state = effects.soft_state.take().or(out.soft_state);
        out.committed |= effects.committed;
    }

    fn translate(&mut self, taken: &mut Effects) {
        for envelope in taken.messages.drain(..) {
            self.send(envelope.to, GroupMessage::Consensus(envelope.message));
        }
        for write in taken.writes.drain(..) {
            let write = self.log_write(write);
            self.effects.writes.push(write);
        }
        for outcome in std::mem::take(&mut taken.reads) {
            self.confirmed(outcome);
        }
        for needed in std::mem::take(&mut taken.snapshots) {
            self.snapshot_needed(needed.to);
        }
        if let Some(soft_state) = taken.soft_state.take() {
            if soft_state.role == Role::Leader {
                self.tenure.begin(soft_state.ballot);
            }
            self.effects.soft_state = Some(soft_state);
        }
    }

    fn log_write(&mut self, write: synod_consensus::Write) -> LogWrite {
        use synod_storage::Record;
        let group = self.config.group;
        let mut records = Vec::new();
        if let Some(meta) = write.install {
            let generation = self.switching_generation(write.id);
            records.push(Record::Install(group, meta, generation));
        }
        records.extend(write.compact.map(|meta| Record::Compact(group, meta)));
        records.extend(write.hard_state.map(|state| Record::HardState(group, state)));
        records.extend(write.truncate_from.map(|from| Record::Truncate(group, from)));
        if !write.entries.is_empty() {
            records.push(Record::Entries(group, write.entries));
        }
        let responses = write.responses.into_iter().map(|envelope| Outgoing {
            to: envelope.to,
            message: GroupMessage::Consensus(envelope.message),
        });
        LogWrite {
            id: write.id,
            records,
            must_sync: write.must_sync,
            responses: responses.collect(),
        }
    }

    fn persisted(&mut self, write: WriteId) {
        self.replica.on_persisted(self.now, write);
        self.switch_if_durable(write);
    }

    fn on_applied(&mut self, index: LogIndex) {
        self.applied = self.applied.max(index);
        self.replica.on_applied(index);
        self.release_applied();
    }

    fn has_committed(&self) -> bool {
        !self.is_switching() && self.replica.applicable() > self.handed
    }

    /// The next committed entries to apply: at least one if there is any, at most about
    /// `bytes_max`. Only what is durable here is handed out, once, in order. It may decide outcomes
    /// of other requests: take the effects afterwards.
    pub fn take_committed(&mut self, bytes_max: usize) -> Vec<Committed> {
        if !self.has_committed() {
            return Vec::new();
        }
        let entries = self.replica.committed_entries(self.handed.next(), bytes_max);
        self.handed = entries.last().map_or(self.handed, |entry| entry.index);
        let hand_out = |entry| {
            let request = self.proposals.committed(&entry, &mut self.effects.outcomes);
            Committed { entry, request }
        };
        entries.into_iter().map(hand_out).collect()
    }

    /// Forgets what the state machine holds durably, but for a tail that lagging followers need.
    fn compact_behind(&mut self, flushed: LogIndex) {
        let mut index = flushed.min(self.applied);
        let mut kept_bytes = 0;
        while let Some(entry) = self.replica.entry(index) {
            kept_bytes += entry.weight_bytes();
            if kept_bytes > self.config.trailing_bytes {
                return self.replica.compact(self.now, index);
            }
            index = index.previous();
        }
    }

    fn stop(&mut self, why: &'static str) {
        self.replica.on_persist_failed(self.now);
        self.stopped = Some(why);
        let outcomes = &mut self.effects.outcomes;
        self.proposals.stop(outcomes);
        self.reads.stop(outcomes);
        self.asks.stop(outcomes);
    }

    /// When [`Input::Tick`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        self.replica
            .next_timeout()
            .min(self.proposals.next_deadline())
            .min(self.reads.next_timeout())
            .min(self.asks.next_timeout())
            .min(self.next_snapshot_timeout())
    }

    /// What it can tell about itself.
    #[must_use]
    pub fn status(&self) -> GroupStatus {
        GroupStatus {
            soft_state: self.replica.soft_state(),
            last_index: self.replica.last_index(),
            committed: self.replica.committed(),
            applied: self.applied,
            membership: self.replica.membership().clone(),
            stopped: self.stopped,
        }
    }

    /// The origin that the last proposal taken in was given.
    #[must_use]
    pub fn last_origin(&self) -> Origin {
        self.proposals.last_origin()
    }

    /// The replica, to be looked at: invariants are checked from outside.
    #[must_use]
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub(crate) fn send(&mut self, to: StoreId, message: GroupMessage) {
        self.effects.messages.push(Outgoing { to, message });
    }

    pub(crate) fn refuse(&mut self, request: RequestId, reason: RefusedReason) {
        self.effects.outcomes.push((request, Outcome::Refused(reason)));
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.replica.soft_state().role == Role::Leader
    }

    /// The leader, if it is another store.
    pub(crate) fn leader_elsewhere(&self) -> Option<StoreId> {
        self.replica.soft_state().leader.filter(|leader| *leader != self.config.consensus.store)
    }
}
