//! What clients' faces ask of a node.
//!
//! Always holds: a command is proposed once, and its future has exactly one outcome; dropping the
//! future abandons the answer, never the command.

use crate::board::Board;
use crate::clock::Clock;
use crate::core::Inbox;
use crate::failure::{Failure, StopReason};
use crate::founding::FoundingRecord;
use crate::limits::LOG_QUEUE_BYTES_MAX;
use crate::log_thread::LogTask;
use crate::members::{Member, members};
use crate::queue::Queue;
use crate::requests::{Requests, Waiter, proposal_result, read_only_result};
use crate::stopping::Stopping;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;
use synod_consensus::{GroupId, Instant, LogIndex, SoftState, StoreId};
use synod_group::{GroupStatus, Proposal, RefusedReason, UnknownReason};
use synod_mvcc::{Applied, Command, LeaseId, LeaseQuestion, LeaseTime, Reader, TxnOperation};
use synod_storage::Engine;
use synod_transport::ClusterId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

/// A running node, as its faces see it. Clones ask the same node.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    pub(crate) shared: Arc<HandleShared>,
}

#[derive(Debug)]
pub(crate) struct HandleShared {
    pub(crate) clock: Clock,
    pub(crate) store: StoreId,
    pub(crate) founding: FoundingRecord,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) board: Arc<Board>,
    pub(crate) log: Arc<Queue<LogTask>>,
    /// Weak, so that a handle that outlives its node keeps no files open.
    pub(crate) engine: Weak<dyn Engine>,
    pub(crate) stopping: Stopping,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) request_timeout: Duration,
    pub(crate) quota_bytes: Option<u64>,
}

/// How much the node holds, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NodeSize {
    /// What the engine takes on disk and in memory.
    pub engine_bytes: u64,
}

impl NodeHandle {
    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.shared.founding.cluster
    }

    /// This node's disk.
    #[must_use]
    pub fn store(&self) -> StoreId {
        self.shared.store
    }

    /// What the cluster was founded as.
    #[must_use]
    pub fn founding(&self) -> &FoundingRecord {
        &self.shared.founding
    }

    /// Replicates and applies a command of `group`.
    ///
    /// # Errors
    /// See [`Failure`] for what is known of the command then.
    pub fn propose(
        &self,
        group: GroupId,
        command: &Command,
    ) -> impl Future<Output = Result<Applied, Failure>> + Send + 'static + use<> {
        let begun = self.begin_propose(group, command);
        async move {
            match begun {
                Ok(receiver) => proposal_result(receiver).await,
                Err(failure) => Err(failure),
            }
        }
    }

    fn begin_propose(
        &self,
        group: GroupId,
        command: &Command,
    ) -> Result<oneshot::Receiver<Result<Applied, Failure>>, Failure> {
        let shared = &self.shared;
        let permit = self.admit(group)?;
        if shared.log.bytes() > LOG_QUEUE_BYTES_MAX {
            return Err(Failure::Refused(RefusedReason::Overloaded));
        }
        if adds_data(command) && self.is_over_quota() {
            return Err(Failure::QuotaExceeded);
        }
        let (sender, receiver) = oneshot::channel();
        let waiter = Waiter::Propose(sender, permit);
        let stopped = Failure::Refused(RefusedReason::Stopped);
        let request = shared.requests.add(waiter).ok_or(stopped)?;
        let (payload, deadline) = (command.encode(), self.deadline());
        shared.inbox.propose(group, Proposal { request, payload, deadline });
        Ok(receiver)
    }

    /// Waits until [`NodeHandle::reader`] reflects everything that was acknowledged, by any node,
    /// before this call.
    ///
    /// # Errors
    /// Nothing was confirmed in time.
    pub async fn linearize(&self, group: GroupId) -> Result<(), Failure> {
        let permit = self.admit(group)?;
        let (sender, receiver) = oneshot::channel();
        let stopped = Failure::Refused(RefusedReason::Stopped);
        let waiter = Waiter::Read(sender, permit);
        let request = self.shared.requests.add(waiter).ok_or(stopped)?;
        self.shared.inbox.read(group, request, self.deadline());
        read_only_result(receiver).await
    }

    /// Renews a lease: what is left of it then; `None` if it does not exist any more.
    ///
    /// # Errors
    /// The lessor did not answer; the lease may have been renewed or not.
    pub fn renew(
        &self,
        group: GroupId,
        lease: LeaseId,
    ) -> impl Future<Output = Result<Option<LeaseTime>, Failure>> + Send + 'static + use<> {
        self.ask(group, LeaseQuestion::Renew(lease))
    }

    /// How long a lease has left; `None` if it does not exist.
    ///
    /// # Errors
    /// The lessor did not answer.
    pub fn time_to_live(
        &self,
        group: GroupId,
        lease: LeaseId,
    ) -> impl Future<Output = Result<Option<LeaseTime>, Failure>> + Send + 'static + use<> {
        self.ask(group, LeaseQuestion::TimeToLive(lease))
    }

    fn ask(
        &self,
        group: GroupId,
        question: LeaseQuestion,
    ) -> impl Future<Output = Result<Option<LeaseTime>, Failure>> + Send + 'static + use<> {
        let begun = self.begin_ask(group, question);
        async move {
            let answer = read_only_result(begun?).await?;
            // An answer that cannot be read comes from a node that this one cannot understand.
            LeaseTime::decode(answer).map_err(|_| Failure::Unknown(UnknownReason::LeaderChanged))
        }
    }

    fn begin_ask(
        &self,
        group: GroupId,
        question: LeaseQuestion,
    ) -> Result<oneshot::Receiver<Result<bytes::Bytes, Failure>>, Failure> {
        let permit = self.admit(group)?;
        let (sender, receiver) = oneshot::channel();
        let stopped = Failure::Refused(RefusedReason::Stopped);
        let waiter = Waiter::Ask(sender, permit);
        let request = self.shared.requests.add(waiter).ok_or(stopped)?;
        self.shared.inbox.ask(group, request, question.encode(), self.deadline());
        Ok(receiver)
    }

    /// Room for one more request, to a group that is hosted here.
    fn admit(&self, group: GroupId) -> Result<OwnedSemaphorePermit, Failure> {
        assert!(self.shared.board.hosts(group), "faces ask for hosted groups");
        let in_flight = Arc::clone(&self.shared.in_flight);
        in_flight.try_acquire_owned().map_err(|_| Failure::Refused(RefusedReason::Overloaded))
    }

    fn deadline(&self) -> Instant {
        self.shared.clock.now().after(self.shared.request_timeout)
    }

    /// The local state of `group` as of now.
    #[must_use]
    pub fn reader(&self, group: GroupId) -> Reader {
        self.shared.board.reader(group)
    }

    /// Changes whenever [`NodeHandle::reader`] moved; holds the revision.
    #[must_use]
    pub fn revision_changed(&self, group: GroupId) -> watch::Receiver<u64> {
        self.shared.board.revision_changed(group)
    }

    /// Who leads `group`, as this node believes.
    #[must_use]
    pub fn leadership(&self, group: GroupId) -> SoftState {
        self.shared.board.with_status(group, |status| status.group.soft_state)
    }

    /// How this node's member of `group` is.
    #[must_use]
    pub fn status(&self, group: GroupId) -> GroupStatus {
        self.shared.board.with_status(group, |status| status.group.clone())
    }

    /// The log of this node's member of `group` begins behind this entry.
    #[must_use]
    pub fn log_start(&self, group: GroupId) -> LogIndex {
        self.shared.board.with_status(group, |status| status.first_index.previous())
    }

    /// The cluster's members, as this node knows them.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        members(&self.shared.founding, &self.shared.board.reader(GroupId::META))
    }

    /// How much the node holds; nothing once it has stopped.
    #[must_use]
    pub fn size(&self) -> NodeSize {
        let engine = self.shared.engine.upgrade();
        let bytes = |engine: Arc<dyn Engine>| engine.disk_bytes() + engine.unflushed_bytes();
        NodeSize { engine_bytes: engine.map_or(0, bytes) }
    }

    fn is_over_quota(&self) -> bool {
        self.shared.quota_bytes.is_some_and(|quota| self.size().engine_bytes > quota)
    }

    /// Why the node stops, once it does.
    #[must_use]
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.shared.stopping.reason()
    }

    /// Waits until the node stops.
    pub async fn stopped(&self) -> StopReason {
        self.shared.stopping.stopped().await
    }
}

/// Whether a command may make the data grow. What frees room is let through over the quota.
fn adds_data(command: &Command) -> bool {
    match command {
        Command::Put(_) | Command::LeaseGrant { .. } => true,
        Command::Txn(txn) => {
            let puts = |operation: &TxnOperation| {
                !matches!(operation, TxnOperation::Range(_) | TxnOperation::Delete(_))
            };
            txn.success.iter().chain(&txn.failure).any(puts)
        }
        Command::Delete(_)
        | Command::Compact { .. }
        | Command::LeaseRevoke { .. }
        | Command::LeaseExpire { .. }
        | Command::LessorEpoch { .. } => false,
    }
}
