//! Reads.

use super::{key_range, key_value};
use crate::proto::etcdserverpb as pb;
use pb::range_request::{SortOrder, SortTarget};
use synod_mvcc::{Range, RangeReply, Revision, RevisionFilter, SortBy};

/// A read as the key space knows it. Whether it is serializable is the caller's matter.
pub(crate) fn range(request: pb::RangeRequest) -> Range {
    let descending = request.sort_order() == SortOrder::Descend;
    let sort_by = match request.sort_target() {
        SortTarget::Key => SortBy::Key,
        SortTarget::Version => SortBy::Version,
        SortTarget::Create => SortBy::Create,
        SortTarget::Mod => SortBy::Mod,
        SortTarget::Value => SortBy::Value,
    };
    Range {
        range: key_range(request.key, request.range_end),
        revision: (request.revision > 0).then_some(Revision(request.revision)),
        limit: u64::try_from(request.limit).unwrap_or(0),
        sort_by,
        descending,
        keys_only: request.keys_only,
        count_only: request.count_only,
        mod_revision: filter(request.min_mod_revision, request.max_mod_revision),
        create_revision: filter(request.min_create_revision, request.max_create_revision),
    }
}

/// Zero leaves an end open; a negative bound is a bound, as in etcd.
fn filter(min: i64, max: i64) -> RevisionFilter {
    let bound = |revision: i64| (revision != 0).then_some(Revision(revision));
    RevisionFilter { min: bound(min), max: bound(max) }
}

/// The answer to a read.
pub(crate) fn range_reply(reply: RangeReply, header: pb::ResponseHeader) -> pb::RangeResponse {
    pb::RangeResponse {
        header: Some(header),
        kvs: reply.keys.into_iter().map(key_value).collect(),
        more: reply.more,
        count: i64::try_from(reply.count).expect("there are fewer keys than bytes in the world"),
    }
}
