//! Random commands over few keys, so that they meet.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use synod_consensus::{Origin, StoreId};
use synod_mvcc::{
    Command, Compare, CompareOperator, CompareTarget, Delete, KeyRange, LeaseId, Put, Range,
    RangeEnd, Revision, RevisionFilter, SortBy, Txn, TxnOperation,
};

/// Keys that are neighbours, prefixes of each other, and full of zero bytes.
pub fn key() -> impl Strategy<Value = Bytes> {
    const KEYS: [&[u8]; 10] =
        [b"a", b"a\0", b"a\0\0", b"a\0\xff", b"a\x01", b"b", b"b/1", b"b/2", b"c", b"\xff\xff"];
    prop::sample::select(&KEYS[..]).prop_map(Bytes::from_static)
}

fn value() -> impl Strategy<Value = Bytes> {
    prop_oneof![Just(Bytes::new()), "[a-c]{1,3}".prop_map(Bytes::from)]
}

/// Few ids, so that they are granted, used, ended and granted again.
pub fn lease() -> impl Strategy<Value = LeaseId> {
    prop::sample::select(&[-1i64, 1, 2][..]).prop_map(LeaseId)
}

/// Around what a short run reaches, and a little outside.
pub fn revision() -> impl Strategy<Value = Revision> {
    (-1i64..40).prop_map(Revision)
}

pub fn key_range() -> impl Strategy<Value = KeyRange> {
    prop_oneof![
        4 => key().prop_map(KeyRange::single),
        3 => (key(), key()).prop_map(|(start, end)| KeyRange { start, end: RangeEnd::Before(end) }),
        1 => key().prop_map(|start| KeyRange { start, end: RangeEnd::Unbounded }),
        1 => Just(KeyRange::all()),
    ]
}

pub fn put() -> impl Strategy<Value = Put> {
    let lease = prop_oneof![2 => Just(LeaseId::NONE), 1 => lease()];
    let keep = prop::bool::weighted(0.15);
    (key(), value(), lease, any::<bool>(), keep, prop::bool::weighted(0.15)).prop_map(
        |(key, value, lease, want_previous, keep_value, keep_lease)| Put {
            key,
            value,
            lease: if keep_lease { LeaseId::NONE } else { lease },
            want_previous,
            keep_value,
            keep_lease,
        },
    )
}

fn delete() -> impl Strategy<Value = Delete> {
    (key_range(), any::<bool>()).prop_map(|(range, want_previous)| Delete { range, want_previous })
}

fn filter() -> impl Strategy<Value = RevisionFilter> {
    prop_oneof![
        3 => Just(RevisionFilter::default()),
        1 => (option::of(revision()), option::of(revision()))
            .prop_map(|(min, max)| RevisionFilter { min, max }),
    ]
}

pub fn range() -> impl Strategy<Value = Range> {
    let sorts = [SortBy::Key, SortBy::Version, SortBy::Create, SortBy::Mod, SortBy::Value];
    let sort_by = prop_oneof![Just(SortBy::Key), prop::sample::select(sorts.to_vec())];
    let flags = (prop::bool::weighted(0.3), prop::bool::weighted(0.2), prop::bool::weighted(0.1));
    (key_range(), option::of(revision()), 0u64..4, sort_by, flags, filter(), filter()).prop_map(
        |(range, revision, limit, sort_by, flags, mod_revision, create_revision)| Range {
            range,
            revision,
            limit,
            sort_by,
            descending: flags.0,
            keys_only: flags.1,
            count_only: flags.2,
            mod_revision,
            create_revision,
        },
    )
}

fn compare() -> impl Strategy<Value = Compare> {
    let operators = vec![
        CompareOperator::Equal,
        CompareOperator::Greater,
        CompareOperator::Less,
        CompareOperator::NotEqual,
    ];
    let target = prop_oneof![
        (0i64..3).prop_map(CompareTarget::Version),
        revision().prop_map(CompareTarget::Create),
        revision().prop_map(CompareTarget::Mod),
        value().prop_map(CompareTarget::Value),
        lease().prop_map(CompareTarget::Lease),
    ];
    (key_range(), prop::sample::select(operators), target)
        .prop_map(|(range, operator, target)| Compare { range, operator, target })
}

/// Every other range reads at the newest revision, so that transactions are not all refused.
fn range_in_txn() -> impl Strategy<Value = Range> {
    (range(), prop::bool::weighted(0.8)).prop_map(|(mut range, newest)| {
        if newest {
            range.revision = None;
        }
        range
    })
}

fn operations() -> impl Strategy<Value = Vec<TxnOperation>> {
    let leaf = prop_oneof![
        2 => range_in_txn().prop_map(TxnOperation::Range),
        3 => put().prop_map(TxnOperation::Put),
        1 => delete().prop_map(TxnOperation::Delete),
    ];
    let operation = leaf.prop_recursive(2, 8, 3, |inner| {
        let branch = || vec(inner.clone(), 0..3);
        (vec(compare(), 0..2), branch(), branch()).prop_map(|(compares, success, failure)| {
            TxnOperation::Txn(Txn { compares, success, failure })
        })
    });
    vec(operation, 0..4)
}

pub fn txn() -> impl Strategy<Value = Txn> {
    (vec(compare(), 0..3), operations(), operations())
        .prop_map(|(compares, success, failure)| Txn { compares, success, failure })
}

pub fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        8 => put().prop_map(Command::Put),
        3 => delete().prop_map(Command::Delete),
        6 => txn().prop_map(Command::Txn),
        2 => revision().prop_map(|revision| Command::Compact { revision }),
        3 => (lease(), -1i64..5)
            .prop_map(|(lease, ttl_seconds)| Command::LeaseGrant { lease, ttl_seconds }),
        1 => lease().prop_map(|lease| Command::LeaseRevoke { lease }),
        2 => (0u64..3, 0u64..6, vec(lease(), 0..4)).prop_map(|(epoch, granted_through, leases)| {
            Command::LeaseExpire { epoch, granted_through, leases }
        }),
        1 => (1u64..3).prop_map(|store| Command::LessorEpoch {
            claimant: Origin { store: StoreId(store), incarnation: 1, sequence: 1 },
        }),
    ]
}
