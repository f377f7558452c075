//! Between the wire's messages and the key space's types. Total and pure: what may be refused was
//! checked by [`crate::validate`] before, except where a function says otherwise.

mod read;
mod txn;
mod watch;
mod write;

pub(crate) use read::{range, range_reply};
pub(crate) use txn::{is_serializable, txn, txn_reply};
pub(crate) use watch::{response, watch_request};
pub(crate) use write::{delete, delete_reply, put, put_reply};

use crate::proto::mvccpb;
use bytes::Bytes;
use synod_mvcc::{KeyRange, KeyValue, RangeEnd};

/// The wire's sign for "no end": one zero byte.
const NO_END: &[u8] = &[0];

/// The range that `key` and `range_end` stand for.
pub(crate) fn key_range(key: Bytes, range_end: Bytes) -> KeyRange {
    let end = match range_end.as_ref() {
        [] => RangeEnd::Single,
        NO_END => RangeEnd::Unbounded,
        _ => RangeEnd::Before(range_end),
    };
    KeyRange { start: key, end }
}

/// A stored key, for the wire.
pub(crate) fn key_value(kv: KeyValue) -> mvccpb::KeyValue {
    mvccpb::KeyValue {
        key: kv.key,
        create_revision: kv.create_revision.0,
        mod_revision: kv.mod_revision.0,
        version: kv.version,
        value: kv.value,
        lease: kv.lease.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_byte_as_end_means_no_end() {
        let bytes = Bytes::from_static;
        assert_eq!(key_range(bytes(b"a"), bytes(b"")).end, RangeEnd::Single);
        assert_eq!(key_range(bytes(b"a"), bytes(b"\0")).end, RangeEnd::Unbounded);
        assert_eq!(key_range(bytes(b"a"), bytes(b"b")).end, RangeEnd::Before(bytes(b"b")));
        assert_eq!(key_range(bytes(b"a"), bytes(b"\0\0")).end, RangeEnd::Before(bytes(b"\0\0")));
    }
}
