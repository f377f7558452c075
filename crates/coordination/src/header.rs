//! The header that every answer begins with, and what a caller may demand in metadata.

use crate::backend::Backend;
use crate::errors::Error;
use crate::proto::etcdserverpb::ResponseHeader;
use synod_mvcc::Revision;
use tonic::Status;
use tonic::metadata::MetadataMap;

/// A full header: who answers, at which revision, in which term.
pub(crate) fn at(backend: &impl Backend, revision: Revision) -> ResponseHeader {
    let identity = backend.identity();
    ResponseHeader {
        cluster_id: identity.cluster_id,
        member_id: identity.member_id,
        revision: revision.0,
        raft_term: backend.leadership().term,
    }
}

/// A full header at the local state's revision.
pub(crate) fn now(backend: &impl Backend) -> ResponseHeader {
    at(backend, backend.reader().revision())
}

/// The header of an answer that is not about keys: its revision is 0.
pub(crate) fn without_revision(backend: &impl Backend) -> ResponseHeader {
    at(backend, Revision(0))
}

/// The header inside a transaction's answer: only the revision.
pub(crate) fn inner(revision: Revision) -> ResponseHeader {
    ResponseHeader { revision: revision.0, ..ResponseHeader::default() }
}

/// Whether the caller wants no service from a member that knows no leader (metadata `hasleader`).
pub(crate) fn demands_leader(metadata: &MetadataMap) -> bool {
    metadata.get("hasleader").is_some_and(|value| value == "true")
}

/// Refuses if the caller demands a leader and none is known.
pub(crate) fn check_leader(backend: &impl Backend, metadata: &MetadataMap) -> Result<(), Status> {
    let refused = demands_leader(metadata) && backend.leadership().leader.is_none();
    if refused { Err(Error::NoLeader.into()) } else { Ok(()) }
}
