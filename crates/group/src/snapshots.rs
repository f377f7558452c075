//! Moving a snapshot between two stores: who holds which session, and what comes next.
//!
//! The receiver fetches chunk after chunk, so that what is lost is asked for again and a slow
//! receiver is never flooded. A session belongs to one view of one store: another store, or the
//! same store after a restart, starts over.

use crate::limits::{CHUNK_ATTEMPTS_MAX, CHUNK_RETRY};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;
use synod_consensus::{Instant, LogIndex, SnapshotMeta, StoreId, WriteId};
use synod_storage::Generation;

/// Snapshots that this store offers.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    next_session: u64,
    sessions: BTreeMap<u64, Session>,
}

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) to: StoreId,
    /// Known once the host holds the view.
    pub(crate) meta: Option<SnapshotMeta>,
    pub(crate) active_at: Instant,
}

/// Session numbers of one incarnation start here, so that none is used twice.
const SESSIONS_PER_INCARNATION: u64 = 1 << 32;

impl Outgoing {
    pub(crate) fn new(incarnation: u64) -> Self {
        Self {
            next_session: incarnation.wrapping_mul(SESSIONS_PER_INCARNATION) + 1,
            sessions: BTreeMap::new(),
        }
    }

    pub(crate) fn session_to(&self, to: StoreId) -> Option<(u64, &Session)> {
        self.sessions.iter().find(|(_, it)| it.to == to).map(|(number, it)| (*number, it))
    }

    pub(crate) fn begin(&mut self, to: StoreId, now: Instant) -> u64 {
        let number = self.next_session;
        self.next_session += 1;
        self.sessions.insert(number, Session { to, meta: None, active_at: now });
        number
    }

    /// The session, if it belongs to `from`; it counts as active.
    pub(crate) fn touch(&mut self, number: u64, from: StoreId, now: Instant) -> Option<&Session> {
        let session = self.sessions.get_mut(&number).filter(|session| session.to == from)?;
        session.active_at = now;
        Some(session)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Session> {
        self.sessions.get_mut(&number)
    }

    pub(crate) fn end(&mut self, number: u64) -> Option<Session> {
        self.sessions.remove(&number)
    }

    /// The sessions from which nothing has come for `limit`.
    pub(crate) fn idle_for(&self, limit: Duration, now: Instant) -> Vec<u64> {
        let idle = self.sessions.iter().filter(|(_, it)| it.active_at.after(limit) <= now);
        idle.map(|(number, _)| *number).collect()
    }

    pub(crate) fn oldest_activity(&self) -> Option<Instant> {
        self.sessions.values().map(|session| session.active_at).min()
    }
}

/// The snapshot that this store receives; at most one.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) from: StoreId,
    pub(crate) session: u64,
    pub(crate) meta: SnapshotMeta,
    pub(crate) phase: Phase,
    pub(crate) active_at: Instant,
    number: u64,
    after: Bytes,
    attempts: u32,
}

/// What the receiver waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// A chunk from the other side.
    Fetching { retry_at: Instant },
    /// The host, to check and write a chunk.
    Writing { resume: Bytes, last: bool },
    /// The host, to make the generation durable.
    Finishing,
    /// The log, to make the switch durable.
    Installing { generation: Generation, write: Option<WriteId> },
}

/// What to do after a chunk was checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    Fetch,
    Finish,
    GiveUp,
    Nothing,
}

impl Incoming {
    pub(crate) fn new(from: StoreId, session: u64, meta: SnapshotMeta, now: Instant) -> Self {
        Self {
            from,
            session,
            meta,
            phase: Phase::Fetching { retry_at: now.after(CHUNK_RETRY) },
            active_at: now,
            number: 0,
            after: Bytes::new(),
            attempts: 0,
        }
    }

    pub(crate) fn is(&self, from: StoreId, session: u64) -> bool {
        (self.from, self.session) == (from, session)
    }

    /// Whether it can no longer be dropped for another: the host or the log holds part of it.
    pub(crate) fn is_finishing(&self) -> bool {
        matches!(self.phase, Phase::Finishing | Phase::Installing { .. })
    }

    /// What to fetch, and from when on it counts as lost.
    pub(crate) fn fetch(&mut self, now: Instant) -> (u64, Bytes) {
        self.phase = Phase::Fetching { retry_at: now.after(CHUNK_RETRY) };
        (self.number, self.after.clone())
    }

    /// Whether the chunk is the one that is waited for; then it goes to the host.
    pub(crate) fn receive(&mut self, number: u64, resume: Bytes, last: bool, now: Instant) -> bool {
        let awaited = matches!(self.phase, Phase::Fetching { .. }) && number == self.number;
        if awaited {
            self.phase = Phase::Writing { resume, last };
            self.active_at = now;
        }
        awaited
    }

    /// The host checked a chunk.
    pub(crate) fn written(&mut self, number: u64, accepted: bool) -> Next {
        let Phase::Writing { resume, last } = &self.phase else { return Next::Nothing };
        if number != self.number {
            return Next::Nothing;
        }
        if !accepted {
            self.attempts += 1;
            return if self.attempts < CHUNK_ATTEMPTS_MAX { Next::Fetch } else { Next::GiveUp };
        }
        self.attempts = 0;
        self.number += 1;
        self.after = resume.clone();
        if *last {
            self.phase = Phase::Finishing;
            return Next::Finish;
        }
        Next::Fetch
    }

    pub(crate) fn retry_at(&self) -> Instant {
        match self.phase {
            Phase::Fetching { retry_at } => retry_at,
            Phase::Writing { .. } | Phase::Finishing | Phase::Installing { .. } => Instant::NEVER,
        }
    }

    pub(crate) fn index(&self) -> LogIndex {
        self.meta.index
    }
}
