//! The KV service: reads, writes, transactions, compaction.
//!
//! Reads wait for a confirmation of leadership unless they are serializable. A transaction that only
//! reads is a read. Every write is one proposal.

use crate::backend::Backend;
use crate::convert;
use crate::errors::{read_error, refusal};
use crate::face::Face;
use crate::header;
use crate::proto::etcdserverpb as pb;
use crate::validate;
use synod_mvcc::{Command, RangeEnd, Reply, Revision, Txn};
use tonic::{Request, Response, Status};

/// The service.
pub(crate) struct Kv<B>(pub(crate) Face<B>);

#[tonic::async_trait]
impl<B: Backend> pb::kv_server::Kv for Kv<B> {
    async fn range(
        &self,
        request: Request<pb::RangeRequest>,
    ) -> Result<Response<pb::RangeResponse>, Status> {
        let request = self.0.admit(request)?;
        validate::range(&request)?;
        if !request.serializable {
            self.0.linearize().await?;
        }
        self.read_range(request).await.map(Response::new)
    }

    async fn put(
        &self,
        request: Request<pb::PutRequest>,
    ) -> Result<Response<pb::PutResponse>, Status> {
        let request = self.0.admit(request)?;
        validate::put(&request)?;
        validate::size(&request, &self.0.limits)?;
        let (reply, revision) = self.0.propose(Command::Put(convert::put(request))).await?;
        let Reply::Put(reply) = reply else { unreachable!("a put is answered as a put") };
        Ok(Response::new(convert::put_reply(reply, self.header(revision))))
    }

    async fn delete_range(
        &self,
        request: Request<pb::DeleteRangeRequest>,
    ) -> Result<Response<pb::DeleteRangeResponse>, Status> {
        let request = self.0.admit(request)?;
        validate::delete(&request)?;
        validate::size(&request, &self.0.limits)?;
        let (reply, revision) = self.0.propose(Command::Delete(convert::delete(request))).await?;
        let Reply::Delete(reply) = reply else { unreachable!("a delete is answered as a delete") };
        Ok(Response::new(convert::delete_reply(reply, self.header(revision))))
    }

    async fn txn(
        &self,
        request: Request<pb::TxnRequest>,
    ) -> Result<Response<pb::TxnResponse>, Status> {
        let request = self.0.admit(request)?;
        validate::txn(&request, &self.0.limits)?;
        validate::size(&request, &self.0.limits)?;
        let serializable = convert::is_serializable(&request);
        let txn = convert::txn(request);
        txn.check_duplicates().map_err(refusal)?;
        let response = if txn.is_read_only() {
            if !serializable {
                self.0.linearize().await?;
            }
            self.read_txn(txn).await
        } else {
            self.write_txn(txn).await
        };
        response.map(Response::new)
    }

    async fn compact(
        &self,
        request: Request<pb::CompactionRequest>,
    ) -> Result<Response<pb::CompactionResponse>, Status> {
        let request = self.0.admit(request)?;
        let command = Command::Compact { revision: Revision(request.revision) };
        let (_, revision) = self.0.propose(command).await?;
        Ok(Response::new(pb::CompactionResponse { header: Some(self.header(revision)) }))
    }
}

impl<B: Backend> Kv<B> {
    async fn read_range(&self, request: pb::RangeRequest) -> Result<pb::RangeResponse, Status> {
        let range = convert::range(request);
        let small = range.range.end == RangeEnd::Single;
        let read = move |reader: &synod_mvcc::Reader| (reader.range(&range), reader.revision());
        let (reply, revision) = self.0.read(small, read).await;
        Ok(convert::range_reply(reply.map_err(read_error)?, self.header(revision)))
    }

    async fn read_txn(&self, txn: Txn) -> Result<pb::TxnResponse, Status> {
        let read =
            move |reader: &synod_mvcc::Reader| (reader.read_only_txn(&txn), reader.revision());
        let (reply, revision) = self.0.read(false, read).await;
        Ok(convert::txn_reply(reply.map_err(read_error)?, revision, self.header(revision)))
    }

    async fn write_txn(&self, txn: Txn) -> Result<pb::TxnResponse, Status> {
        let (reply, revision) = self.0.propose(Command::Txn(txn)).await?;
        let Reply::Txn(reply) = reply else { unreachable!("a txn is answered as a txn") };
        Ok(convert::txn_reply(reply, revision, self.header(revision)))
    }

    fn header(&self, revision: Revision) -> pb::ResponseHeader {
        header::at(&self.0.backend, revision)
    }
}
