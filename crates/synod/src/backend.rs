//! The etcd face's key space is the node's default group.

use std::future::Future;
use synod_consensus::{GroupId, Protocol};
use synod_coordination::backend::{
    Backend, Failure, Identity, Leadership, Member, Refused, Remaining, Status, Unknown,
};
use synod_group::{RefusedReason, UnknownReason};
use synod_mvcc::{Applied, Command, LeaseId, Reader};
use synod_node::{Failure as NodeFailure, NodeHandle, StopReason};
use tokio::sync::watch;

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct NodeBackend {
    node: NodeHandle,
}

const GROUP: GroupId = GroupId::DEFAULT;

impl NodeBackend {
    pub(crate) fn new(node: NodeHandle) -> Self {
        Self { node }
    }
}

/// What a failed request is to the face. A node that stopped by itself says why.
fn translate(node: &NodeHandle, failure: &NodeFailure) -> Failure {
    let stopped = matches!(
        failure,
        NodeFailure::Refused(RefusedReason::Stopped) | NodeFailure::Unknown(UnknownReason::Stopped)
    );
    match node.stop_reason() {
        Some(reason) if stopped && reason != StopReason::Requested => {
            Failure::Fatal(reason.to_string())
        }
        _ => translate_running(failure),
    }
}

fn translate_running(failure: &NodeFailure) -> Failure {
    match failure {
        NodeFailure::QuotaExceeded => Failure::Refused(Refused::DiskFull),
        NodeFailure::Refused(reason) => match reason {
            RefusedReason::NoLeader => Failure::Refused(Refused::NoLeader),
            // Another entry stands where the command would have: it certainly was not done.
            RefusedReason::LeaderChanged | RefusedReason::Superseded => {
                Failure::Refused(Refused::LeaderChanged)
            }
            RefusedReason::Overloaded => Failure::Refused(Refused::TooManyRequests),
            RefusedReason::TooLarge => Failure::Refused(Refused::TooLarge),
            RefusedReason::Stopped => Failure::Refused(Refused::Stopped),
            // Reads and questions only: nothing was changed, but the client waited in vain.
            RefusedReason::TimedOut => Failure::Unknown(Unknown::Timeout),
        },
        NodeFailure::Unknown(reason) => match reason {
            UnknownReason::TimedOut => Failure::Unknown(Unknown::Timeout),
            UnknownReason::LeaderChanged | UnknownReason::BehindSnapshot => {
                Failure::Unknown(Unknown::LeaderLost)
            }
            UnknownReason::Stopped => Failure::Unknown(Unknown::ConnectionLost),
        },
    }
}

impl Backend for NodeBackend {
    fn propose(
        &self,
        command: Command,
    ) -> impl Future<Output = Result<Applied, Failure>> + Send + 'static {
        let proposed = self.node.propose(GROUP, &command);
        let node = self.node.clone();
        async move { proposed.await.map_err(|failure| translate(&node, &failure)) }
    }

    async fn linearize(&self) -> Result<(), Failure> {
        self.node.linearize(GROUP).await.map_err(|failure| translate(&self.node, &failure))
    }

    fn reader(&self) -> Reader {
        self.node.reader(GROUP)
    }

    fn revision_changed(&self) -> watch::Receiver<u64> {
        self.node.revision_changed(GROUP)
    }

    fn renew(
        &self,
        lease: LeaseId,
    ) -> impl Future<Output = Result<Option<i64>, Failure>> + Send + 'static {
        let asked = self.node.renew(GROUP, lease);
        let node = self.node.clone();
        async move {
            let time = asked.await.map_err(|failure| translate(&node, &failure))?;
            Ok(time.map(|time| time.granted_seconds))
        }
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Option<Remaining>, Failure> {
        let asked = self.node.time_to_live(GROUP, lease).await;
        let time = asked.map_err(|failure| translate(&self.node, &failure))?;
        Ok(time.map(|time| Remaining {
            ttl_seconds: time.left_seconds,
            granted_seconds: time.granted_seconds,
        }))
    }

    fn members(&self) -> Vec<Member> {
        let member = |member: synod_node::Member| Member {
            id: member.store.0,
            name: member.record.name,
            peer_urls: member.record.peer_urls,
            client_urls: member.record.client_urls,
            learner: false,
        };
        self.node.members().into_iter().map(member).collect()
    }

    fn identity(&self) -> Identity {
        Identity { cluster_id: self.node.cluster().0, member_id: self.node.store().0 }
    }

    fn leadership(&self) -> Leadership {
        let soft_state = self.node.leadership(GROUP);
        let leader = soft_state.leader.map(|leader| leader.0);
        Leadership { leader, term: soft_state.ballot.round }
    }

    fn status(&self) -> Status {
        let status = self.node.status(GROUP);
        let bytes = self.node.size().engine_bytes;
        let stopped = self.node.stop_reason().map(|reason| reason.to_string());
        Status {
            committed_index: status.committed.0,
            applied_index: status.applied.0,
            database_bytes: bytes,
            database_used_bytes: bytes,
            learner: !status.membership.is_voter(self.node.store()),
            protocol: match self.node.founding().consensus {
                Protocol::Raft => "raft",
                Protocol::Paxos => "multi-paxos",
            },
            errors: stopped.or(status.stopped.map(str::to_owned)).into_iter().collect(),
        }
    }
}
