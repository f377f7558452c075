//! Writes of one kind.

use super::{key_range, key_value};
use crate::proto::etcdserverpb as pb;
use synod_mvcc::{Delete, DeleteReply, LeaseId, Put, PutReply};

/// A put as the key space knows it.
pub(crate) fn put(request: pb::PutRequest) -> Put {
    Put {
        key: request.key,
        value: request.value,
        lease: LeaseId(request.lease),
        want_previous: request.prev_kv,
        keep_value: request.ignore_value,
        keep_lease: request.ignore_lease,
    }
}

/// The answer to a put.
pub(crate) fn put_reply(reply: PutReply, header: pb::ResponseHeader) -> pb::PutResponse {
    pb::PutResponse { header: Some(header), prev_kv: reply.previous.map(key_value) }
}

/// A deletion as the key space knows it.
pub(crate) fn delete(request: pb::DeleteRangeRequest) -> Delete {
    Delete { range: key_range(request.key, request.range_end), want_previous: request.prev_kv }
}

/// The answer to a deletion.
pub(crate) fn delete_reply(
    reply: DeleteReply,
    header: pb::ResponseHeader,
) -> pb::DeleteRangeResponse {
    pb::DeleteRangeResponse {
        header: Some(header),
        deleted: i64::try_from(reply.deleted)
            .expect("there are fewer keys than bytes in the world"),
        prev_kvs: reply.previous.into_iter().map(key_value).collect(),
    }
}
