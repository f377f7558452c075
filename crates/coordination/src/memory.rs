//! A key space of one member in memory, for tests and for trying things out. Nothing is durable.
//!
//! It is the real key space and the real lessor over the engine's twin in memory; only replication
//! is missing: a proposal is applied at once, under a lock.

use crate::backend::{Backend, Failure, Identity, Leadership, Member, Refused, Remaining, Status};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use synod_consensus::{Ballot, Entry, EntryKind, GroupId, Instant, Origin, StoreId};
use synod_mvcc::{Applied, Command, Fatal, KeySpace, LeaseId, Lessor, Reader, Renewal, Reply};
use synod_storage::MemoryEngine;
use tokio::sync::watch;

/// How often leases are looked through. Shorter than the shortest lease by an order of magnitude.
const EXPIRY_INTERVAL: Duration = Duration::from_millis(100);

/// How many events are scrubbed after a compaction, at a time.
const SCRUB_EVENTS: usize = 1000;

/// The one member's identity, and its cluster's.
const IDENTITY: Identity = Identity { cluster_id: 0x5d0c, member_id: 0x5d0d };

/// The one ballot there ever is.
const TERM: u64 = 1;

/// See the module's text. Clones share one key space.
#[derive(Clone)]
pub struct MemoryBackend {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    started: tokio::time::Instant,
}

struct State {
    key_space: KeySpace,
    lessor: Lessor,
    /// What every request gets instead of an answer, if anything.
    failure: Option<Failure>,
}

impl MemoryBackend {
    /// An empty key space. Must be called within a tokio runtime, which then ends its leases.
    ///
    /// # Panics
    /// Outside a runtime.
    #[must_use]
    pub fn start() -> Self {
        let engine = Arc::new(MemoryEngine::new());
        let key_space = KeySpace::open(engine, GroupId::DEFAULT, 0)
            .expect("an empty engine in memory holds a new key space");
        let state = State { key_space, lessor: Lessor::new(), failure: None };
        let shared = Shared {
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            started: tokio::time::Instant::now(),
        };
        let backend = Self { shared: Arc::new(shared) };
        backend.become_lessor();
        tokio::spawn(expire(Arc::downgrade(&backend.shared)));
        backend
    }

    /// Lets every proposal, confirmation and renewal fail like this, until it is taken back with
    /// `None`. [`Refused::NoLeader`] also makes the leader unknown.
    pub fn fail_with(&self, failure: Option<Failure>) {
        self.shared.lock().failure = failure;
    }

    fn become_lessor(&self) {
        let claimant = Origin { store: StoreId(IDENTITY.member_id), incarnation: 1, sequence: 1 };
        let mut state = self.shared.lock();
        let applied = self.shared.apply(&mut state, &Command::LessorEpoch { claimant });
        let Ok(Applied { result: Ok(Reply::LessorEpoch { epoch }), .. }) = applied else {
            unreachable!("a new key space takes its first lessor")
        };
        state.lessor.become_lessor(self.shared.now(), epoch, 0, &[]);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has failed already; the others may go on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        Instant::default().after(self.started.elapsed())
    }

    fn apply(&self, state: &mut State, command: &Command) -> Result<Applied, Fatal> {
        let entry = Entry {
            index: state.key_space.applied().next(),
            ballot: Ballot::new(TERM, StoreId(IDENTITY.member_id)),
            origin: Origin::default(),
            kind: EntryKind::Command,
            payload: command.encode(),
        };
        let applied = state.key_space.apply(&entry)?.expect("a command has an answer");
        state.lessor.observe(self.now(), &applied);
        if matches!(command, Command::Compact { .. }) {
            while state.key_space.scrub(SCRUB_EVENTS)? == synod_mvcc::Scrubbed::More {}
        }
        self.changed.send_replace(applied.revision.0.unsigned_abs());
        Ok(applied)
    }

    fn propose(&self, command: &Command) -> Result<Applied, Failure> {
        let mut state = self.lock();
        state.check()?;
        self.apply(&mut state, command).map_err(fatal)
    }
}

impl State {
    fn check(&self) -> Result<(), Failure> {
        self.failure.clone().map_or(Ok(()), Err)
    }
}

fn fatal(fatal: Fatal) -> Failure {
    Failure::Fatal(fatal.to_string())
}

/// Ends leases that ran out, as long as the key space is in use.
async fn expire(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(EXPIRY_INTERVAL).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut state = shared.lock();
        while let Some(command) = state.lessor.poll(shared.now()) {
            if let Err(fatal) = shared.apply(&mut state, &command) {
                tracing::error!(%fatal, "leases cannot be ended any more");
                return;
            }
            state.lessor.expiry_done(shared.now());
        }
    }
}

impl Backend for MemoryBackend {
    fn propose(
        &self,
        command: Command,
    ) -> impl Future<Output = Result<Applied, Failure>> + Send + 'static {
        std::future::ready(self.shared.propose(&command))
    }

    fn linearize(&self) -> impl Future<Output = Result<(), Failure>> + Send {
        std::future::ready(self.shared.lock().check())
    }

    fn reader(&self) -> Reader {
        self.shared.lock().key_space.reader()
    }

    fn revision_changed(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    fn renew(
        &self,
        lease: LeaseId,
    ) -> impl Future<Output = Result<Option<i64>, Failure>> + Send + 'static {
        let mut state = self.shared.lock();
        let renewed =
            state.check().and_then(|()| match state.lessor.renew(self.shared.now(), lease) {
                Renewal::Renewed { ttl_seconds } => Ok(Some(ttl_seconds)),
                Renewal::NotFound | Renewal::ExpiryProposed => Ok(None),
                Renewal::NotLessor => Err(Failure::Refused(Refused::LeaderChanged)),
            });
        std::future::ready(renewed)
    }

    fn time_to_live(
        &self,
        lease: LeaseId,
    ) -> impl Future<Output = Result<Option<Remaining>, Failure>> + Send {
        let state = self.shared.lock();
        let remaining = state.lessor.remaining(self.shared.now(), lease);
        let remaining = remaining.map(|remaining| Remaining {
            ttl_seconds: remaining.ttl_seconds,
            granted_seconds: remaining.granted_seconds,
        });
        std::future::ready(state.check().map(|()| remaining))
    }

    fn members(&self) -> Vec<Member> {
        vec![Member {
            id: IDENTITY.member_id,
            name: "memory".into(),
            peer_urls: vec!["http://127.0.0.1:2380".into()],
            client_urls: vec!["http://127.0.0.1:2379".into()],
            learner: false,
        }]
    }

    fn identity(&self) -> Identity {
        IDENTITY
    }

    fn leadership(&self) -> Leadership {
        let leaderless = self.shared.lock().failure == Some(Failure::Refused(Refused::NoLeader));
        Leadership { leader: (!leaderless).then_some(IDENTITY.member_id), term: TERM }
    }

    fn status(&self) -> Status {
        let applied = self.shared.lock().key_space.applied().0;
        Status {
            committed_index: applied,
            applied_index: applied,
            protocol: "memory",
            ..Status::default()
        }
    }
}
