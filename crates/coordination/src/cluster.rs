//! The Cluster service. Members can be listed; changing them is not offered here yet.

use crate::backend::{Backend, Member};
use crate::errors::unimplemented;
use crate::face::Face;
use crate::header;
use crate::proto::etcdserverpb as pb;
use tonic::{Request, Response, Status};

/// The service.
pub(crate) struct Cluster<B>(pub(crate) Face<B>);

/// The answer to every change.
const NO_CHANGES: &str = "synod: membership cannot be changed over the etcd protocol yet; \
    the cluster's members are those it was started with";

#[tonic::async_trait]
impl<B: Backend> pb::cluster_server::Cluster for Cluster<B> {
    async fn member_list(
        &self,
        request: Request<pb::MemberListRequest>,
    ) -> Result<Response<pb::MemberListResponse>, Status> {
        let request = self.0.admit(request)?;
        if request.linearizable {
            self.0.linearize().await?;
        }
        Ok(Response::new(pb::MemberListResponse {
            header: Some(header::without_revision(&self.0.backend)),
            members: self.0.backend.members().into_iter().map(member).collect(),
        }))
    }

    async fn member_add(
        &self,
        _: Request<pb::MemberAddRequest>,
    ) -> Result<Response<pb::MemberAddResponse>, Status> {
        Err(unimplemented(NO_CHANGES))
    }

    async fn member_remove(
        &self,
        _: Request<pb::MemberRemoveRequest>,
    ) -> Result<Response<pb::MemberRemoveResponse>, Status> {
        Err(unimplemented(NO_CHANGES))
    }

    async fn member_update(
        &self,
        _: Request<pb::MemberUpdateRequest>,
    ) -> Result<Response<pb::MemberUpdateResponse>, Status> {
        Err(unimplemented(NO_CHANGES))
    }

    async fn member_promote(
        &self,
        _: Request<pb::MemberPromoteRequest>,
    ) -> Result<Response<pb::MemberPromoteResponse>, Status> {
        Err(unimplemented(NO_CHANGES))
    }
}

fn member(member: Member) -> pb::Member {
    pb::Member {
        id: member.id,
        name: member.name,
        peer_ur_ls: member.peer_urls,
        client_ur_ls: member.client_urls,
        is_learner: member.learner,
    }
}
