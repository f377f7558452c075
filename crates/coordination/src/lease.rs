//! The Lease service: grant, revoke, keep alive, time to live, list.
//!
//! Grants and revocations are commands. Renewals are not: the backend takes them to the lessor,
//! which acknowledges only what it may still promise.

use crate::backend::{Backend, Failure};
use crate::errors::{Error, failure, fatal};
use crate::face::Face;
use crate::header;
use crate::limits::{KEEP_ALIVES_AHEAD, MAX_LEASE_ID_DRAWS};
use crate::proto::etcdserverpb as pb;
use crate::validate;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use synod_mvcc::{Applied, Command, LeaseId, Refusal, Reply};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

/// The service.
pub(crate) struct Lease<B>(pub(crate) Face<B>);

/// One answer of a keep-alive stream, on its way.
type KeepAlive = JoinHandle<Result<pb::LeaseKeepAliveResponse, Status>>;

#[tonic::async_trait]
impl<B: Backend> pb::lease_server::Lease for Lease<B> {
    async fn lease_grant(
        &self,
        request: Request<pb::LeaseGrantRequest>,
    ) -> Result<Response<pb::LeaseGrantResponse>, Status> {
        let request = self.0.admit(request)?;
        validate::lease_grant(&request)?;
        let applied = self.grant(LeaseId(request.id), request.ttl).await.map_err(failure)?;
        let reply = applied.result.map_err(Error::from)?;
        let Reply::LeaseGrant { lease, ttl_seconds, .. } = reply else {
            unreachable!("a grant is answered as a grant")
        };
        Ok(Response::new(pb::LeaseGrantResponse {
            header: Some(header::at(&self.0.backend, applied.revision)),
            id: lease.0,
            ttl: ttl_seconds,
            error: String::new(),
        }))
    }

    async fn lease_revoke(
        &self,
        request: Request<pb::LeaseRevokeRequest>,
    ) -> Result<Response<pb::LeaseRevokeResponse>, Status> {
        let request = self.0.admit(request)?;
        let command = Command::LeaseRevoke { lease: LeaseId(request.id) };
        let (_, revision) = self.0.propose(command).await?;
        let header = Some(header::at(&self.0.backend, revision));
        Ok(Response::new(pb::LeaseRevokeResponse { header }))
    }

    type LeaseKeepAliveStream =
        Pin<Box<dyn Stream<Item = Result<pb::LeaseKeepAliveResponse, Status>> + Send>>;

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<pb::LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        let requests = self.0.admit(request)?;
        let (sender, receiver) = mpsc::channel(KEEP_ALIVES_AHEAD);
        tokio::spawn(keep_alive(self.0.clone(), requests, sender));
        let answers = ReceiverStream::new(receiver).then(answer);
        Ok(Response::new(Box::pin(answers)))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<pb::LeaseTimeToLiveRequest>,
    ) -> Result<Response<pb::LeaseTimeToLiveResponse>, Status> {
        let request = self.0.admit(request)?;
        let lease = LeaseId(request.id);
        self.0.linearize().await?;
        let remaining = self.0.backend.time_to_live(lease).await.map_err(failure)?;
        let mut response = pb::LeaseTimeToLiveResponse {
            header: Some(header::now(&self.0.backend)),
            id: lease.0,
            ttl: -1,
            ..Default::default()
        };
        if let Some(remaining) = remaining {
            response.ttl = remaining.ttl_seconds;
            response.granted_ttl = remaining.granted_seconds;
            if request.keys {
                let keys = self.0.read(false, move |reader| reader.lease_keys(lease)).await;
                response.keys = keys.map_err(|reason| fatal(&reason))?;
            }
        }
        Ok(Response::new(response))
    }

    async fn lease_leases(
        &self,
        request: Request<pb::LeaseLeasesRequest>,
    ) -> Result<Response<pb::LeaseLeasesResponse>, Status> {
        self.0.admit(request)?;
        self.0.linearize().await?;
        let leases = self.0.read(false, |reader| reader.leases()).await;
        let leases = leases.map_err(|reason| fatal(&reason))?;
        let leases = leases.into_iter().map(|info| pb::LeaseStatus { id: info.lease.0 }).collect();
        let header = Some(header::now(&self.0.backend));
        Ok(Response::new(pb::LeaseLeasesResponse { header, leases }))
    }
}

impl<B: Backend> Lease<B> {
    /// Grants the asked lease, or one with a fresh id. A taken id is a certain refusal, so that
    /// drawing again repeats nothing.
    async fn grant(&self, asked: LeaseId, ttl_seconds: i64) -> Result<Applied, Failure> {
        let mut draws = 0;
        loop {
            draws += 1;
            let lease = if asked == LeaseId::NONE { draw_id() } else { asked };
            let applied =
                self.0.backend.propose(Command::LeaseGrant { lease, ttl_seconds }).await?;
            let taken = applied.result == Err(Refusal::LeaseExists);
            if !taken || asked != LeaseId::NONE || draws == MAX_LEASE_ID_DRAWS {
                return Ok(applied);
            }
        }
    }
}

/// A random lease id: positive, never 0. The standard library's hasher has 128 random bits of the
/// operating system in every instance, which is what is wanted here.
fn draw_id() -> LeaseId {
    let random = RandomState::new().hash_one(std::thread::current().id());
    LeaseId(i64::try_from(random >> 1).expect("63 bits fit").max(1))
}

/// Starts a renewal for each request; at most [`KEEP_ALIVES_AHEAD`] at a time, answered in order.
async fn keep_alive<B: Backend>(
    face: Face<B>,
    mut requests: Streaming<pb::LeaseKeepAliveRequest>,
    answers: mpsc::Sender<KeepAlive>,
) {
    let mut closing = face.closing.clone();
    loop {
        let request = tokio::select! {
            request = requests.message() => request,
            () = closing.wait() => Err(Error::Stopped.into()),
            () = answers.closed() => return,
        };
        let answer = match request {
            Ok(Some(request)) => tokio::spawn(renew(face.backend.clone(), LeaseId(request.id))),
            Ok(None) => return,
            Err(status) => {
                let last = tokio::spawn(std::future::ready(Err(status)));
                // The client may be gone; then nobody is left to be told.
                let _ = answers.send(last).await;
                return;
            }
        };
        if answers.send(answer).await.is_err() {
            return;
        }
    }
}

/// One renewal. The header is taken before it, so that it never claims a revision that the
/// renewal did not see; a lease that is gone has a time to live of 0.
async fn renew<B: Backend>(
    backend: B,
    lease: LeaseId,
) -> Result<pb::LeaseKeepAliveResponse, Status> {
    let header = Some(header::now(&backend));
    let ttl = backend.renew(lease).await.map_err(failure)?.unwrap_or(0);
    Ok(pb::LeaseKeepAliveResponse { header, id: lease.0, ttl })
}

async fn answer(keep_alive: KeepAlive) -> Result<pb::LeaseKeepAliveResponse, Status> {
    keep_alive.await.unwrap_or_else(|_| Err(Error::Stopped.into()))
}
