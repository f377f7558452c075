//! The Maintenance service: status, hashes, and answers for what Synod does not need.

use crate::ETCD_VERSION;
use crate::backend::{Backend, Leadership};
use crate::errors::{Error, read_error, unimplemented};
use crate::face::Face;
use crate::header;
use crate::proto::etcdserverpb as pb;
use pb::alarm_request::AlarmAction;
use std::pin::Pin;
use synod_mvcc::{Revision, StateHash};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

/// The service.
pub(crate) struct Maintenance<B>(pub(crate) Face<B>);

#[tonic::async_trait]
impl<B: Backend> pb::maintenance_server::Maintenance for Maintenance<B> {
    async fn status(
        &self,
        request: Request<pb::StatusRequest>,
    ) -> Result<Response<pb::StatusResponse>, Status> {
        self.0.admit(request)?;
        Ok(Response::new(self.describe()))
    }

    /// There are no alarms to show or to switch off; raising one by hand is not offered.
    async fn alarm(
        &self,
        request: Request<pb::AlarmRequest>,
    ) -> Result<Response<pb::AlarmResponse>, Status> {
        let request = self.0.admit(request)?;
        if request.action() == AlarmAction::Activate {
            return Err(unimplemented("synod: alarms are not raised by hand"));
        }
        let header = Some(header::now(&self.0.backend));
        Ok(Response::new(pb::AlarmResponse { header, alarms: Vec::new() }))
    }

    /// The engine reclaims space as it goes: there is nothing to do, and it is done at once.
    async fn defragment(
        &self,
        request: Request<pb::DefragmentRequest>,
    ) -> Result<Response<pb::DefragmentResponse>, Status> {
        self.0.admit(request)?;
        Ok(Response::new(pb::DefragmentResponse { header: None }))
    }

    async fn hash(
        &self,
        request: Request<pb::HashRequest>,
    ) -> Result<Response<pb::HashResponse>, Status> {
        self.0.admit(request)?;
        let state = self.hash_at(None).await?;
        let header = Some(header::at(&self.0.backend, state.revision));
        Ok(Response::new(pb::HashResponse { header, hash: state.hash }))
    }

    async fn hash_kv(
        &self,
        request: Request<pb::HashKvRequest>,
    ) -> Result<Response<pb::HashKvResponse>, Status> {
        let request = self.0.admit(request)?;
        let asked = (request.revision > 0).then_some(Revision(request.revision));
        let state = self.hash_at(asked).await?;
        Ok(Response::new(pb::HashKvResponse {
            header: Some(header::now(&self.0.backend)),
            hash: state.hash,
            compact_revision: state.compact_revision.0,
            hash_revision: state.revision.0,
        }))
    }

    type SnapshotStream = Pin<Box<dyn Stream<Item = Result<pb::SnapshotResponse, Status>> + Send>>;

    async fn snapshot(
        &self,
        _: Request<pb::SnapshotRequest>,
    ) -> Result<Response<Self::SnapshotStream>, Status> {
        Err(unimplemented(
            "synod: snapshots in etcd's file format are not offered; copy the keys with a range \
             read at one revision instead",
        ))
    }

    async fn move_leader(
        &self,
        _: Request<pb::MoveLeaderRequest>,
    ) -> Result<Response<pb::MoveLeaderResponse>, Status> {
        Err(unimplemented("synod: leadership is not moved over the etcd protocol yet"))
    }

    async fn downgrade(
        &self,
        _: Request<pb::DowngradeRequest>,
    ) -> Result<Response<pb::DowngradeResponse>, Status> {
        Err(unimplemented("synod: etcd's downgrades have no meaning here"))
    }
}

impl<B: Backend> Maintenance<B> {
    /// Comparable between members of one Synod cluster, not with an etcd's.
    async fn hash_at(&self, revision: Option<Revision>) -> Result<StateHash, Status> {
        let hash = self.0.read(false, move |reader| reader.hash(revision)).await;
        hash.map_err(read_error)
    }

    fn describe(&self) -> pb::StatusResponse {
        let status = self.0.backend.status();
        let Leadership { leader, term } = self.0.backend.leadership();
        let mut errors = status.errors;
        if leader.is_none() {
            errors.insert(0, Error::NoLeader.parts().1.to_owned());
        }
        pb::StatusResponse {
            header: Some(header::now(&self.0.backend)),
            version: ETCD_VERSION.to_owned(),
            // Clients divide by the size, and take 0 for "not an etcd".
            db_size: bytes(status.database_bytes).max(1),
            leader: leader.unwrap_or(0),
            raft_index: status.committed_index,
            raft_term: term,
            raft_applied_index: status.applied_index,
            errors,
            db_size_in_use: bytes(status.database_used_bytes),
            is_learner: status.learner,
            storage_version: String::new(),
            db_size_quota: bytes(self.0.limits.quota_bytes),
            downgrade_info: None,
        }
    }
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
