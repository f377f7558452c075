//! The checks that need no state: etcd's, in etcd's order, so that a request with two faults is
//! refused for the same one.

use crate::errors::Error;
use crate::limits::Limits;
use crate::proto::etcdserverpb as pb;
use pb::range_request::{SortOrder, SortTarget};
use pb::request_op::Request;
use prost::Message;
use synod_mvcc::{LEASE_TTL_SECONDS_MAX, TXN_DEPTH_MAX};

/// A read.
pub(crate) fn range(request: &pb::RangeRequest) -> Result<(), Error> {
    key(&request.key)?;
    let known = SortOrder::try_from(request.sort_order).is_ok()
        && SortTarget::try_from(request.sort_target).is_ok();
    require(known, Error::InvalidSortOption)
}

/// A write.
pub(crate) fn put(request: &pb::PutRequest) -> Result<(), Error> {
    key(&request.key)?;
    require(!request.ignore_value || request.value.is_empty(), Error::ValueProvided)?;
    require(!request.ignore_lease || request.lease == 0, Error::LeaseProvided)
}

/// A deletion.
pub(crate) fn delete(request: &pb::DeleteRangeRequest) -> Result<(), Error> {
    key(&request.key)
}

/// A transaction, without the rule on duplicate keys, which is the key space's.
pub(crate) fn txn(request: &pb::TxnRequest, limits: &Limits) -> Result<(), Error> {
    txn_within(request, limits.max_txn_operations, TXN_DEPTH_MAX)
}

fn txn_within(request: &pb::TxnRequest, budget: usize, depth: usize) -> Result<(), Error> {
    let longest = request.compare.len().max(request.success.len()).max(request.failure.len());
    require(longest <= budget && depth > 0, Error::TooManyOperations)?;
    request.compare.iter().try_for_each(|compare| key(&compare.key))?;
    let operations = request.success.iter().chain(&request.failure);
    for operation in operations {
        match operation.request.as_ref().ok_or(Error::KeyNotFound)? {
            Request::RequestRange(request) => range(request)?,
            Request::RequestPut(request) => put(request)?,
            Request::RequestDeleteRange(request) => delete(request)?,
            // What the outer transaction used is not there for the inner one.
            Request::RequestTxn(request) => txn_within(request, budget - longest, depth - 1)?,
        }
    }
    Ok(())
}

/// A grant of a lease.
pub(crate) fn lease_grant(request: &pb::LeaseGrantRequest) -> Result<(), Error> {
    require(request.ttl <= LEASE_TTL_SECONDS_MAX, Error::LeaseTtlTooLarge)
}

/// The size of what would go into the log.
pub(crate) fn size(request: &impl Message, limits: &Limits) -> Result<(), Error> {
    require(request.encoded_len() <= limits.max_request_bytes, Error::TooLarge)
}

fn key(key: &[u8]) -> Result<(), Error> {
    require(!key.is_empty(), Error::EmptyKey)
}

fn require(holds: bool, otherwise: Error) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(otherwise) }
}
