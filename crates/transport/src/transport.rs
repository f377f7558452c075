//! The transport's handle: which peers there are, and the way to each.

use crate::accept::accept_all;
use crate::dial::keep_connected;
use crate::limits::FRAME_BODY_BYTES_MAX;
use crate::outbox::{Outbox, Pushed};
use crate::report::Reports;
use crate::{Frame, FrameKind, Local};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use synod_consensus::{GroupId, StoreId};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tracing::error;

/// A peer's configured name, and where it listens: `host:port`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerAddress {
    /// The name it must present.
    pub name: String,
    /// Resolved at every dialling, so that a name may move.
    pub address: String,
}

/// What a transport has lost or turned away since its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TransportCounters {
    /// Frames dropped because their peer's queue was full.
    pub dropped_full: u64,
    /// Frames dropped because there was no connection to their peer.
    pub dropped_unconnected: u64,
    /// Connections closed because of bytes that no node sends.
    pub malformed: u64,
}

/// One peer, as this side dials it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: String,
    address: Mutex<String>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) dial_now: Notify,
}

impl Peer {
    pub(crate) fn address(&self) -> String {
        self.address.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the transport's tasks share.
pub(crate) struct Shared<L> {
    pub(crate) local: L,
    pub(crate) reports: Reports,
    pub(crate) greeting: watch::Sender<u64>,
    routes: RwLock<BTreeMap<StoreId, Arc<Outbox>>>,
    peers: Mutex<BTreeMap<String, (Arc<Peer>, AbortHandle)>>,
    dropped_full: AtomicU64,
    dropped_unconnected: AtomicU64,
    malformed: AtomicU64,
}

impl<L> Shared<L> {
    pub(crate) fn add_route(&self, store: StoreId, outbox: &Arc<Outbox>) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.insert(store, Arc::clone(outbox));
    }

    pub(crate) fn remove_route(&self, store: StoreId, outbox: &Arc<Outbox>) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        if routes.get(&store).is_some_and(|current| Arc::ptr_eq(current, outbox)) {
            routes.remove(&store);
        }
    }

    fn remove_routes_to(&self, outbox: &Arc<Outbox>) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.retain(|_, current| !Arc::ptr_eq(current, outbox));
        outbox.close();
    }

    /// The peer called `name` is there: no need to wait any longer before dialling it.
    pub(crate) fn dial_now(&self, name: &str) {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((peer, _)) = peers.get(name) {
            peer.dial_now.notify_waiters();
        }
    }

    pub(crate) fn count_malformed(&self) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }
}

/// The connections of one node. Clones share them; [`Transport::close`] ends them.
pub struct Transport<L> {
    shared: Arc<Shared<L>>,
    acceptors: Arc<Mutex<Vec<AbortHandle>>>,
    seed: u64,
}

impl<L> Clone for Transport<L> {
    fn clone(&self) -> Self {
        let (shared, acceptors) = (Arc::clone(&self.shared), Arc::clone(&self.acceptors));
        Self { shared, acceptors, seed: self.seed }
    }
}

impl<L> std::fmt::Debug for Transport<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl<L: Local> Transport<L> {
    /// Starts to accept on `listeners`, on the current tokio runtime. `seed` jitters the waits
    /// before dialling again.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(local: L, listeners: Vec<TcpListener>, seed: u64) -> Self {
        let shared = Arc::new(Shared {
            local,
            reports: Reports::default(),
            greeting: watch::Sender::new(0),
            routes: RwLock::default(),
            peers: Mutex::default(),
            dropped_full: AtomicU64::new(0),
            dropped_unconnected: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
        });
        let accept = |listener| tokio::spawn(accept_all(Arc::clone(&shared), listener));
        let acceptors = listeners.into_iter().map(|one| accept(one).abort_handle()).collect();
        Self { shared, acceptors: Arc::new(Mutex::new(acceptors)), seed }
    }

    /// The node that this transport serves.
    #[must_use]
    pub fn local(&self) -> &L {
        &self.shared.local
    }

    /// Dials these peers and no others. A peer that stays keeps its connection; a new address is
    /// used from its next dialling on.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn set_peers(&self, wanted: &[PeerAddress]) {
        let mut peers = self.shared.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.retain(|name, (peer, task)| {
            let stays = wanted.iter().any(|one| one.name == *name);
            if !stays {
                task.abort();
                self.shared.remove_routes_to(&peer.outbox);
            }
            stays
        });
        for one in wanted {
            if let Some((peer, _)) = peers.get(&one.name) {
                *peer.address.lock().unwrap_or_else(PoisonError::into_inner) = one.address.clone();
            } else {
                peers.insert(one.name.clone(), self.spawn_peer(one));
            }
        }
    }

    fn spawn_peer(&self, wanted: &PeerAddress) -> (Arc<Peer>, AbortHandle) {
        let peer = Arc::new(Peer {
            name: wanted.name.clone(),
            address: Mutex::new(wanted.address.clone()),
            outbox: Arc::default(),
            dial_now: Notify::new(),
        });
        let seed = self.seed ^ crate::token_hash(&wanted.name);
        let keeping = keep_connected(Arc::clone(&self.shared), Arc::clone(&peer), seed);
        (peer, Handle::current().spawn(keeping).abort_handle())
    }

    /// Sends a message to `store`'s member of `group`, or drops it: see the crate's text. Never
    /// blocks; callable from any thread.
    pub fn send(&self, store: StoreId, group: GroupId, body: Bytes) {
        if body.len() > FRAME_BODY_BYTES_MAX {
            let bytes = body.len();
            error!(%store, %group, bytes, "dropped a message over the frame's limit");
            return;
        }
        let outbox = {
            let routes = self.shared.routes.read().unwrap_or_else(PoisonError::into_inner);
            routes.get(&store).cloned()
        };
        let pushed = match outbox {
            Some(outbox) => outbox.push(Frame { kind: FrameKind::Group, group, body }),
            None => Pushed::Closed,
        };
        let counter = match pushed {
            Pushed::Queued => return,
            Pushed::Full => &self.shared.dropped_full,
            Pushed::Closed => &self.shared.dropped_unconnected,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// [`Local::hello`] says something new: every connection that this side dialled is made anew.
    pub fn greet_again(&self) {
        self.shared.greeting.send_modify(|count| *count += 1);
        let peers = self.shared.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.values().for_each(|(peer, _)| peer.dial_now.notify_waiters());
    }

    /// Whether there is a connection to `store` now.
    #[must_use]
    pub fn is_connected(&self, store: StoreId) -> bool {
        let routes = self.shared.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.contains_key(&store)
    }

    /// What was lost or turned away so far.
    #[must_use]
    pub fn counters(&self) -> TransportCounters {
        TransportCounters {
            dropped_full: self.shared.dropped_full.load(Ordering::Relaxed),
            dropped_unconnected: self.shared.dropped_unconnected.load(Ordering::Relaxed),
            malformed: self.shared.malformed.load(Ordering::Relaxed),
        }
    }

    /// Ends every connection and stops to accept. What waits to be written is dropped.
    pub fn close(&self) {
        let mut acceptors = self.acceptors.lock().unwrap_or_else(PoisonError::into_inner);
        acceptors.drain(..).for_each(|task| task.abort());
        self.set_peers(&[]);
    }
}
