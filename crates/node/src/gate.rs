//! Where peers come in: the founding judges them, the inbox takes what they say.

use crate::core::{Inbox, PeerMessage};
use crate::founding::Founding;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use synod_consensus::{GroupId, StoreId};
use synod_group::decode_message;
use synod_transport::{Hello, Local, Refusal};
use tokio::sync::Notify;
use tracing::warn;

/// Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    founding: Mutex<Founding>,
    /// The founding moved on.
    moved: Notify,
    /// Set once the groups run; before, there is nothing that a message could be for.
    running: OnceLock<Running>,
    unreadable: AtomicU64,
}

#[derive(Debug)]
struct Running {
    inbox: Arc<Inbox>,
    members: BTreeSet<StoreId>,
}

impl Gate {
    pub(crate) fn new(founding: Founding) -> Self {
        let (founding, moved) = (Mutex::new(founding), Notify::new());
        let (running, unreadable) = (OnceLock::new(), AtomicU64::new(0));
        Self { shared: Arc::new(Shared { founding, moved, running, unreadable }) }
    }

    /// The founding's state, for as long as the guard lives: a moment.
    pub(crate) fn founding(&self) -> MutexGuard<'_, Founding> {
        self.shared.founding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the founding may have moved on.
    pub(crate) async fn moved(&self) {
        self.shared.moved.notified().await;
    }

    /// From now on messages of `members` go to `inbox`.
    pub(crate) fn run(&self, inbox: Arc<Inbox>, members: BTreeSet<StoreId>) {
        let set = self.shared.running.set(Running { inbox, members });
        assert!(set.is_ok(), "a node starts its groups once");
    }
}

impl Local for Gate {
    fn hello(&self) -> Hello {
        self.founding().hello()
    }

    fn meet(&self, _dialled: Option<&str>, peer: &Hello) -> Result<(), Refusal> {
        let met = self.founding().meet(peer);
        self.shared.moved.notify_one();
        met
    }

    fn refused_by(&self, name: &str, refusal: &Refusal) {
        self.founding().refused_by(name, refusal);
        self.shared.moved.notify_one();
    }

    fn deliver(&self, from: StoreId, group: GroupId, body: Bytes) {
        let Some(running) = self.shared.running.get() else { return };
        if !running.members.contains(&from) {
            return;
        }
        let bytes = body.len();
        match decode_message(body) {
            Ok(message) => {
                // A message that finds no room is dropped, as the network might have.
                let _ = running.inbox.message(PeerMessage { group, from, message, bytes });
            }
            Err(error) => {
                if self.shared.unreadable.fetch_add(1, Ordering::Relaxed) == 0 {
                    warn!(%from, %group, "dropped a peer's message that cannot be read: {error}");
                }
            }
        }
    }
}
