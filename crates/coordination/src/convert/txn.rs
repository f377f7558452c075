//! Transactions.

use super::{delete, delete_reply, key_range, put, put_reply, range, range_reply};
use crate::header::inner;
use crate::proto::etcdserverpb as pb;
use pb::compare::{CompareResult, CompareTarget as Target, TargetUnion};
use pb::request_op::Request;
use pb::response_op::Response;
use synod_mvcc::{
    Compare, CompareOperator, CompareTarget, LeaseId, Revision, Txn, TxnOperation,
    TxnOperationReply, TxnReply,
};

/// Whether a transaction may be answered from the local state: it reads something, every read allows
/// it, and there is nothing else in it.
pub(crate) fn is_serializable(request: &pb::TxnRequest) -> bool {
    let allows = |operation: Option<&Request>| matches!(operation, Some(Request::RequestRange(range)) if range.serializable);
    operations(request).next().is_some() && operations(request).all(allows)
}

fn operations(request: &pb::TxnRequest) -> impl Iterator<Item = Option<&Request>> {
    let both = request.success.iter().chain(&request.failure);
    both.map(|operation| operation.request.as_ref())
}

/// A transaction as the key space knows it. Operations without content are dropped: validation
/// refuses them.
pub(crate) fn txn(request: pb::TxnRequest) -> Txn {
    Txn {
        compares: request.compare.into_iter().map(compare).collect(),
        success: request.success.into_iter().filter_map(operation).collect(),
        failure: request.failure.into_iter().filter_map(operation).collect(),
    }
}

fn operation(operation: pb::RequestOp) -> Option<TxnOperation> {
    Some(match operation.request? {
        Request::RequestRange(request) => TxnOperation::Range(range(request)),
        Request::RequestPut(request) => TxnOperation::Put(put(request)),
        Request::RequestDeleteRange(request) => TxnOperation::Delete(delete(request)),
        Request::RequestTxn(request) => TxnOperation::Txn(txn(request)),
    })
}

fn compare(compare: pb::Compare) -> Compare {
    let operator = match compare.result() {
        CompareResult::Equal => CompareOperator::Equal,
        CompareResult::Greater => CompareOperator::Greater,
        CompareResult::Less => CompareOperator::Less,
        CompareResult::NotEqual => CompareOperator::NotEqual,
    };
    let target = target(compare.target(), compare.target_union);
    Compare { range: key_range(compare.key, compare.range_end), operator, target }
}

/// The given side of a compare: zero or empty when it is absent or of another kind than the target.
fn target(target: Target, given: Option<TargetUnion>) -> CompareTarget {
    match (target, given) {
        (Target::Version, Some(TargetUnion::Version(version))) => CompareTarget::Version(version),
        (Target::Version, _) => CompareTarget::Version(0),
        (Target::Create, Some(TargetUnion::CreateRevision(revision))) => {
            CompareTarget::Create(Revision(revision))
        }
        (Target::Create, _) => CompareTarget::Create(Revision(0)),
        (Target::Mod, Some(TargetUnion::ModRevision(revision))) => {
            CompareTarget::Mod(Revision(revision))
        }
        (Target::Mod, _) => CompareTarget::Mod(Revision(0)),
        (Target::Value, Some(TargetUnion::Value(value))) => CompareTarget::Value(value),
        (Target::Value, _) => CompareTarget::Value(bytes::Bytes::new()),
        (Target::Lease, Some(TargetUnion::Lease(lease))) => CompareTarget::Lease(LeaseId(lease)),
        (Target::Lease, _) => CompareTarget::Lease(LeaseId::NONE),
    }
}

/// The answer to a transaction that left the key space at `revision`.
pub(crate) fn txn_reply(
    reply: TxnReply,
    revision: Revision,
    header: pb::ResponseHeader,
) -> pb::TxnResponse {
    let mut progress = Progress::of(&reply, revision);
    let mut response = nested(reply, &mut progress);
    response.header = Some(header);
    response
}

/// Which revision the operations inside a transaction report: the one before it until something
/// changed, then its own.
struct Progress {
    revision: Revision,
    after: Revision,
}

impl Progress {
    fn of(reply: &TxnReply, after: Revision) -> Self {
        let before = Revision(if changes(reply) { after.0 - 1 } else { after.0 });
        Self { revision: before, after }
    }

    fn changed(&mut self) {
        self.revision = self.after;
    }
}

fn changes(reply: &TxnReply) -> bool {
    reply.replies.iter().any(|reply| match reply {
        TxnOperationReply::Range(_) => false,
        TxnOperationReply::Put(_) => true,
        TxnOperationReply::Delete(reply) => reply.deleted > 0,
        TxnOperationReply::Txn(reply) => changes(reply),
    })
}

fn nested(reply: TxnReply, progress: &mut Progress) -> pb::TxnResponse {
    let responses = reply.replies.into_iter().map(|reply| one(reply, progress)).collect();
    // An inner transaction's own header is there but empty, as in etcd.
    pb::TxnResponse {
        header: Some(pb::ResponseHeader::default()),
        succeeded: reply.succeeded,
        responses,
    }
}

fn one(reply: TxnOperationReply, progress: &mut Progress) -> pb::ResponseOp {
    let response = match reply {
        TxnOperationReply::Range(reply) => {
            Response::ResponseRange(range_reply(reply, inner(progress.revision)))
        }
        TxnOperationReply::Put(reply) => {
            progress.changed();
            Response::ResponsePut(put_reply(reply, inner(progress.revision)))
        }
        TxnOperationReply::Delete(reply) => {
            if reply.deleted > 0 {
                progress.changed();
            }
            Response::ResponseDeleteRange(delete_reply(reply, inner(progress.revision)))
        }
        TxnOperationReply::Txn(reply) => Response::ResponseTxn(nested(reply, progress)),
    };
    pb::ResponseOp { response: Some(response) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synod_mvcc::{DeleteReply, PutReply, RangeReply};

    fn revisions(reply: TxnReply, revision: i64) -> Vec<i64> {
        let response = txn_reply(reply, Revision(revision), pb::ResponseHeader::default());
        let of = |response: pb::ResponseOp| match response.response.unwrap() {
            Response::ResponseRange(response) => response.header,
            Response::ResponsePut(response) => response.header,
            Response::ResponseDeleteRange(response) => response.header,
            Response::ResponseTxn(response) => response.header,
        };
        response.responses.into_iter().map(|op| of(op).unwrap().revision).collect()
    }

    #[test]
    fn inner_headers_move_to_the_new_revision_with_the_first_change() {
        let range = || TxnOperationReply::Range(RangeReply::default());
        let nothing = TxnOperationReply::Delete(DeleteReply::default());
        let put = TxnOperationReply::Put(PutReply::default());
        let replies = vec![range(), nothing, put, range()];
        assert_eq!(revisions(TxnReply { succeeded: true, replies }, 7), [6, 6, 7, 7]);
        let replies = vec![range(), range()];
        assert_eq!(revisions(TxnReply { succeeded: true, replies }, 7), [7, 7]);
    }

    #[test]
    fn a_transaction_of_compares_alone_is_not_answered_from_stale_state() {
        let request = pb::TxnRequest::default();
        assert!(!is_serializable(&request));
    }
}
