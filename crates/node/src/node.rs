//! A running node: its threads, and its orderly end.

use crate::config::NodeConfig;
use crate::core::Inbox;
use crate::error::{StartError, StartErrorCause};
use crate::failure::StopReason;
use crate::flush_thread::FlushSignal;
use crate::gate::Gate;
use crate::handle::NodeHandle;
use crate::log_thread::LogTask;
use crate::members::NodeRecord;
use crate::publish::publish_own_record;
use crate::queue::Queue;
use crate::requests::Requests;
use crate::snapshot_thread::SnapshotTask;
use crate::stopping::Stopping;
use crate::{apply::ApplyTask, start};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use synod_consensus::StoreId;
use synod_storage::DirectoryLock;
use synod_transport::Transport;
use tokio::task::AbortHandle;

/// A running node. [`Node::stop`] ends it in order; dropping it ends it too, without waiting.
#[derive(Debug)]
pub struct Node {
    handle: NodeHandle,
    transport: Transport<Gate>,
    threads: Threads,
    background: Vec<AbortHandle>,
    /// Given back last.
    lock: Option<DirectoryLock>,
}

impl Node {
    /// Brings a node up, on the current tokio runtime. Returns once it belongs to a founded
    /// cluster and its groups run, which may be before they have a leader. Peers are accepted on
    /// `peer_listeners` from the start.
    ///
    /// # Errors
    /// See [`StartError`]. The data directory is as it was, or a step further on its way.
    pub async fn start(
        config: NodeConfig,
        peer_listeners: Vec<TcpListener>,
    ) -> Result<Self, StartError> {
        start::start(config, peer_listeners).await
    }

    pub(crate) fn new(
        handle: NodeHandle,
        transport: Transport<Gate>,
        threads: Threads,
        lock: DirectoryLock,
        config: &NodeConfig,
    ) -> Self {
        let own = NodeRecord {
            name: config.name.clone(),
            peer_urls: config.peer_urls.clone(),
            client_urls: config.client_urls.clone(),
            release: config.release.clone(),
        };
        let publishing = tokio::spawn(publish_own_record(handle.clone(), own));
        let watching = tokio::spawn(watch_membership(transport.clone(), handle.clone()));
        let background = vec![publishing.abort_handle(), watching.abort_handle()];
        Self { handle, transport, threads, background, lock: Some(lock) }
    }

    /// For the faces.
    #[must_use]
    pub fn handle(&self) -> NodeHandle {
        self.handle.clone()
    }

    /// Ends the node and waits for its threads. What was not acknowledged may be lost, as in a
    /// crash; nothing else is.
    pub async fn stop(mut self) {
        self.end();
        let threads = std::mem::take(&mut self.threads.running);
        let lock = self.lock.take();
        let joining = tokio::task::spawn_blocking(move || {
            threads.into_iter().for_each(|thread| {
                // A panic was reported by the thread's guard.
                let _ = thread.join();
            });
            drop(lock);
        });
        // Only a panic in the closure could fail it, and it has none.
        let _ = joining.await;
    }

    fn end(&self) {
        self.threads.stopping.stop(StopReason::Requested);
        self.background.iter().for_each(AbortHandle::abort);
        self.transport.close();
        self.threads.ends.close();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}

/// A member that hears that it no longer belongs stops: its disk has forgotten what it promised.
async fn watch_membership(transport: Transport<Gate>, handle: NodeHandle) {
    let gate = transport.local().clone();
    loop {
        let failure = gate.founding().failure().cloned();
        if let Some(failure) = failure {
            handle.shared.stopping.stop(StopReason::Founding(failure));
            return;
        }
        gate.moved().await;
    }
}

/// The node's threads, and what ends them.
#[derive(Debug)]
pub(crate) struct Threads {
    store: StoreId,
    running: Vec<JoinHandle<()>>,
    stopping: Stopping,
    ends: Ends,
}

/// What the threads wait at: closing it ends them.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) log: Arc<Queue<LogTask>>,
    pub(crate) apply: Arc<Queue<ApplyTask>>,
    pub(crate) snapshots: Arc<Queue<SnapshotTask>>,
    pub(crate) flush: Arc<FlushSignal>,
    pub(crate) requests: Arc<Requests>,
}

impl Threads {
    pub(crate) fn new(store: StoreId, stopping: Stopping, ends: Ends) -> Self {
        Self { store, running: Vec::new(), stopping, ends }
    }

    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), StartErrorCause> {
        let stopping = self.stopping.clone();
        let store = self.store;
        let guarded = move || {
            crate::hop::works_for(store);
            let _guard = stopping.watch_thread(name);
            work();
        };
        let builder = std::thread::Builder::new().name(format!("synod-{name}"));
        match builder.spawn(guarded) {
            Ok(thread) => {
                self.running.push(thread);
                Ok(())
            }
            Err(error) => {
                self.ends.close();
                Err(StartErrorCause::System(error))
            }
        }
    }
}

impl Ends {
    /// Tells every thread to end, and every waiting client that nobody will answer.
    fn close(&self) {
        self.inbox.stop();
        self.log.close();
        self.apply.close();
        self.snapshots.close();
        self.flush.end();
        self.requests.close();
    }
}
