//! The group's part in moving snapshots.

use crate::limits::SNAPSHOT_IDLE_ELECTION_TIMEOUTS;
use crate::snapshots::{Incoming, Next, Phase};
use crate::{Group, GroupMessage, SnapshotEffect};
use bytes::Bytes;
use std::time::Duration;
use synod_consensus::{Instant, LogIndex, SnapshotMeta, StoreId, WriteId};
use synod_storage::Generation;

impl Group {
    fn idle_limit(&self) -> Duration {
        self.config.consensus.election_timeout * SNAPSHOT_IDLE_ELECTION_TIMEOUTS
    }

    fn snapshot_effect(&mut self, effect: SnapshotEffect) {
        self.effects.snapshots.push(effect);
    }

    // The sender's side.

    /// The replica found a follower that only a snapshot helps.
    pub(crate) fn snapshot_needed(&mut self, to: StoreId) {
        let Some((session, known)) = self.outgoing.session_to(to) else {
            let session = self.outgoing.begin(to, self.now);
            return self.snapshot_effect(SnapshotEffect::Open { session });
        };
        if let Some(meta) = known.meta.clone() {
            self.send(to, GroupMessage::SnapshotOffer { session, meta });
        }
    }

    pub(crate) fn snapshot_opened(&mut self, session: u64, index: LogIndex) {
        let meta = self.replica.snapshot_meta(index);
        let Some(open) = self.outgoing.get_mut(session) else {
            return self.snapshot_effect(SnapshotEffect::Close { session });
        };
        let Some(meta) = meta else { return self.close_session(session, None) };
        open.meta = Some(meta.clone());
        let to = open.to;
        self.send(to, GroupMessage::SnapshotOffer { session, meta });
    }

    pub(crate) fn snapshot_fetched(
        &mut self,
        from: StoreId,
        session: u64,
        number: u64,
        after: Bytes,
    ) {
        let open = self.outgoing.touch(session, from, self.now).is_some_and(|it| it.meta.is_some());
        if open {
            self.replica.on_snapshot_moving(self.now, from);
            self.snapshot_effect(SnapshotEffect::ReadChunk { session, number, after });
        } else {
            self.send(from, GroupMessage::SnapshotGone { session });
        }
    }

    pub(crate) fn chunk_read(
        &mut self,
        session: u64,
        number: u64,
        chunk: Bytes,
        resume: Bytes,
        last: bool,
    ) {
        if let Some(open) = self.outgoing.get_mut(session) {
            let to = open.to;
            self.send(to, GroupMessage::SnapshotChunk { session, number, chunk, resume, last });
        }
    }

    pub(crate) fn snapshot_ended(&mut self, from: StoreId, session: u64, installed: bool) {
        let Some(open) = self.outgoing.touch(session, from, self.now) else { return };
        let delivered = open.meta.as_ref().filter(|_| installed).map(|meta| meta.index);
        self.close_session(session, delivered);
    }

    fn close_session(&mut self, session: u64, delivered: Option<LogIndex>) {
        if let Some(ended) = self.outgoing.end(session) {
            self.replica.on_snapshot_ended(self.now, ended.to, delivered);
            self.snapshot_effect(SnapshotEffect::Close { session });
        }
    }

    // The receiver's side.

    pub(crate) fn snapshot_offered(&mut self, from: StoreId, session: u64, meta: SnapshotMeta) {
        if meta.index <= self.replica.committed() {
            let ended = GroupMessage::SnapshotEnded { session, installed: true };
            return self.send(from, ended);
        }
        let idle_limit = self.idle_limit();
        if let Some(incoming) = &self.incoming {
            let busy = self.now.since(incoming.active_at) < idle_limit;
            if incoming.is(from, session) || incoming.is_finishing() || busy {
                return;
            }
            self.abandon();
        }
        self.snapshot_effect(SnapshotEffect::Begin { from, session, meta: meta.clone() });
        self.incoming = Some(Incoming::new(from, session, meta, self.now));
        self.fetch();
    }

    fn fetch(&mut self) {
        let now = self.now;
        if let Some(incoming) = &mut self.incoming {
            let (to, session) = (incoming.from, incoming.session);
            let (number, after) = incoming.fetch(now);
            self.send(to, GroupMessage::SnapshotFetch { session, number, after });
        }
    }

    fn abandon(&mut self) {
        if let Some(Incoming { from, session, .. }) = self.incoming.take() {
            self.snapshot_effect(SnapshotEffect::Abandon { from, session });
        }
    }

    fn incoming_of(&mut self, from: StoreId, session: u64) -> Option<&mut Incoming> {
        self.incoming.as_mut().filter(|incoming| incoming.is(from, session))
    }

    pub(crate) fn chunk_came(
        &mut self,
        from: StoreId,
        session: u64,
        number: u64,
        chunk: Bytes,
        resume: Bytes,
        last: bool,
    ) {
        let now = self.now;
        let Some(incoming) = self.incoming_of(from, session) else { return };
        if incoming.receive(number, resume, last, now) {
            self.snapshot_effect(SnapshotEffect::WriteChunk { from, session, number, chunk });
        }
    }

    pub(crate) fn chunk_written(
        &mut self,
        from: StoreId,
        session: u64,
        number: u64,
        accepted: bool,
    ) {
        let Some(incoming) = self.incoming_of(from, session) else { return };
        match incoming.written(number, accepted) {
            Next::Fetch => self.fetch(),
            Next::Finish => self.snapshot_effect(SnapshotEffect::Finish { from, session }),
            Next::GiveUp => self.give_up(),
            Next::Nothing => {}
        }
    }

    fn give_up(&mut self) {
        if let Some(incoming) = &self.incoming {
            let (from, session) = (incoming.from, incoming.session);
            self.send(from, GroupMessage::SnapshotEnded { session, installed: false });
        }
        self.abandon();
    }

    pub(crate) fn snapshot_gone(&mut self, from: StoreId, session: u64) {
        if self.incoming_of(from, session).is_some_and(|incoming| !incoming.is_finishing()) {
            self.abandon();
        }
    }

    pub(crate) fn install_ready(
        &mut self,
        from: StoreId,
        session: u64,
        generation: Option<Generation>,
    ) {
        let Some(incoming) = self.incoming_of(from, session) else { return };
        let Some(generation) = generation else { return self.give_up() };
        let meta = incoming.meta.clone();
        incoming.phase = Phase::Installing { generation, write: None };
        if !self.replica.install_snapshot(self.now, meta) {
            let installed = self.replica.committed() >= self.incoming_index();
            self.send(from, GroupMessage::SnapshotEnded { session, installed });
            self.abandon();
        }
    }

    fn incoming_index(&self) -> LogIndex {
        self.incoming.as_ref().map_or(LogIndex::ZERO, Incoming::index)
    }

    /// The generation that the log's switch record names.
    pub(crate) fn switching_generation(&mut self, id: WriteId) -> Generation {
        let installing = self.incoming.as_mut().map(|incoming| &mut incoming.phase);
        let Some(Phase::Installing { generation, write }) = installing else {
            unreachable!("the log is replaced only by a snapshot that is being installed")
        };
        *write = Some(id);
        *generation
    }

    /// From the moment the replica's log is replaced until the switch is durable, nothing is
    /// handed out: it would be applied to the state that is being left.
    pub(crate) fn is_switching(&self) -> bool {
        let phase = self.incoming.as_ref().map(|incoming| &incoming.phase);
        matches!(phase, Some(Phase::Installing { .. }))
    }

    pub(crate) fn switch_if_durable(&mut self, persisted: WriteId) {
        let phase = self.incoming.as_ref().map(|incoming| &incoming.phase);
        let Some(Phase::Installing { generation, write: Some(write) }) = phase else { return };
        if *write > persisted {
            return;
        }
        let generation = *generation;
        let Some(Incoming { from, session, meta, .. }) = self.incoming.take() else { return };
        self.handed = self.handed.max(meta.index);
        self.proposals.behind_snapshot(meta.index, meta.ballot, &mut self.effects.outcomes);
        self.snapshot_effect(SnapshotEffect::Switch { generation, index: meta.index });
        self.send(from, GroupMessage::SnapshotEnded { session, installed: true });
    }

    // Both sides.

    pub(crate) fn tick_snapshots(&mut self) {
        let limit = self.idle_limit();
        for session in self.outgoing.idle_for(limit, self.now) {
            self.close_session(session, None);
        }
        let Some(incoming) = &self.incoming else { return };
        if incoming.is_finishing() {
            return;
        }
        if self.now.since(incoming.active_at) >= limit {
            self.give_up();
        } else if incoming.retry_at() <= self.now {
            self.fetch();
        }
    }

    pub(crate) fn next_snapshot_timeout(&self) -> Instant {
        let limit = self.idle_limit();
        let outgoing = self.outgoing.oldest_activity().map_or(Instant::NEVER, |at| at.after(limit));
        let incoming = self.incoming.as_ref().filter(|incoming| !incoming.is_finishing());
        let incoming = incoming.map_or(Instant::NEVER, |incoming| {
            incoming.retry_at().min(incoming.active_at.after(limit))
        });
        outgoing.min(incoming)
    }
}
