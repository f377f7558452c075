//! Judging a transaction's compares, all of them before anything is written.

use crate::{
    Compare, CompareOperator, CompareTarget, Fatal, KeyRange, KeyValue, RangeEnd, Txn, TxnOperation,
};
use bytes::Bytes;
use std::cmp::Ordering;

/// Where compares find the state before the transaction.
pub(crate) trait CompareSource {
    /// One key, if it is there.
    fn one(&mut self, key: &Bytes) -> Result<Option<KeyValue>, Fatal>;
    /// All keys of a range that are there.
    fn all(&mut self, range: &KeyRange) -> Result<Vec<KeyValue>, Fatal>;
}

/// Which branches a transaction takes: decided once, before its first operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Path {
    pub(crate) succeeded: bool,
    /// Of the nested transactions in the branch that is taken, in order.
    pub(crate) nested: Vec<Path>,
}

impl Path {
    /// The branch of `txn` that is taken.
    pub(crate) fn branch<'a>(&self, txn: &'a Txn) -> &'a [TxnOperation] {
        if self.succeeded { &txn.success } else { &txn.failure }
    }
}

/// Judges `txn` and every transaction in the branches that are taken.
pub(crate) fn decide(txn: &Txn, source: &mut dyn CompareSource) -> Result<Path, Fatal> {
    let mut path = Path { succeeded: all_hold(&txn.compares, source)?, nested: Vec::new() };
    for operation in path.branch(txn) {
        if let TxnOperation::Txn(txn) = operation {
            path.nested.push(decide(txn, source)?);
        }
    }
    Ok(path)
}

fn all_hold(compares: &[Compare], source: &mut dyn CompareSource) -> Result<bool, Fatal> {
    for compare in compares {
        if !holds(compare, source)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn holds(compare: &Compare, source: &mut dyn CompareSource) -> Result<bool, Fatal> {
    let keys = match compare.range.end {
        RangeEnd::Single => source.one(&compare.range.start)?.into_iter().collect(),
        _ => source.all(&compare.range)?,
    };
    if keys.is_empty() {
        // There is no value to compare with; everything else is zero.
        let on_value = matches!(compare.target, CompareTarget::Value(_));
        return Ok(!on_value && holds_for(compare, &KeyValue::default()));
    }
    Ok(keys.iter().all(|kv| holds_for(compare, kv)))
}

fn holds_for(compare: &Compare, kv: &KeyValue) -> bool {
    let order = match &compare.target {
        CompareTarget::Version(version) => kv.version.cmp(version),
        CompareTarget::Create(revision) => kv.create_revision.cmp(revision),
        CompareTarget::Mod(revision) => kv.mod_revision.cmp(revision),
        CompareTarget::Value(value) => kv.value.cmp(value),
        CompareTarget::Lease(lease) => kv.lease.cmp(lease),
    };
    match compare.operator {
        CompareOperator::Equal => order == Ordering::Equal,
        CompareOperator::NotEqual => order != Ordering::Equal,
        CompareOperator::Greater => order == Ordering::Greater,
        CompareOperator::Less => order == Ordering::Less,
    }
}
