//! The twin's transactions: every compare looks at a copy of the state before the first write.

use super::{Twin, check_length};
use crate::{
    Compare, CompareOperator, CompareTarget, Put, Range, Refusal, Txn, TxnOperation,
    TxnOperationReply, TxnReply,
};
use std::cmp::Ordering;

impl Twin {
    /// Evaluates a transaction that only reads.
    pub fn read_only_txn(&self, txn: &Txn) -> Result<TxnReply, Refusal> {
        assert!(txn.is_read_only(), "only reads are evaluated without a command");
        self.check_txn(txn)?;
        Ok(self.clone().run(txn, self))
    }

    /// Refuses what may not be carried out: first for all puts, then for all ranges.
    pub(super) fn check_txn(&self, txn: &Txn) -> Result<(), Refusal> {
        let (mut puts, mut ranges) = (Vec::new(), Vec::new());
        self.gather(txn, &mut puts, &mut ranges);
        for put in puts {
            check_length(put)?;
            self.check_kept(put)?;
            self.check_lease(put)?;
        }
        for range in ranges {
            self.check_revision(range.revision)?;
        }
        Ok(())
    }

    fn gather<'a>(&self, txn: &'a Txn, puts: &mut Vec<&'a Put>, ranges: &mut Vec<&'a Range>) {
        for operation in self.branch(txn) {
            match operation {
                TxnOperation::Put(put) => puts.push(put),
                TxnOperation::Range(range) => ranges.push(range),
                TxnOperation::Delete(_) => {}
                TxnOperation::Txn(txn) => self.gather(txn, puts, ranges),
            }
        }
    }

    pub(super) fn run(&mut self, txn: &Txn, before: &Self) -> TxnReply {
        let mut replies = Vec::new();
        for operation in before.branch(txn) {
            replies.push(match operation {
                TxnOperation::Range(range) => TxnOperationReply::Range(self.read(range)),
                TxnOperation::Put(put) => TxnOperationReply::Put(self.put(put)),
                TxnOperation::Delete(delete) => TxnOperationReply::Delete(self.delete(delete)),
                TxnOperation::Txn(txn) => TxnOperationReply::Txn(self.run(txn, before)),
            });
        }
        TxnReply { succeeded: before.succeeds(txn), replies }
    }

    fn branch<'a>(&self, txn: &'a Txn) -> &'a [TxnOperation] {
        if self.succeeds(txn) { &txn.success } else { &txn.failure }
    }

    fn succeeds(&self, txn: &Txn) -> bool {
        txn.compares.iter().all(|compare| self.holds(compare))
    }

    fn holds(&self, compare: &Compare) -> bool {
        let keys = self.keys_within(&compare.range);
        let orders: Vec<Ordering> = if keys.is_empty() {
            match &compare.target {
                CompareTarget::Version(given) => vec![0.cmp(given)],
                CompareTarget::Create(given) | CompareTarget::Mod(given) => vec![0.cmp(&given.0)],
                CompareTarget::Lease(given) => vec![0.cmp(&given.0)],
                CompareTarget::Value(_) => return false,
            }
        } else {
            let order = |kv: &crate::KeyValue| match &compare.target {
                CompareTarget::Version(given) => kv.version.cmp(given),
                CompareTarget::Create(given) => kv.create_revision.cmp(given),
                CompareTarget::Mod(given) => kv.mod_revision.cmp(given),
                CompareTarget::Lease(given) => kv.lease.0.cmp(&given.0),
                CompareTarget::Value(given) => kv.value.cmp(given),
            };
            keys.iter().map(order).collect()
        };
        orders.into_iter().all(|order| match compare.operator {
            CompareOperator::Equal => order.is_eq(),
            CompareOperator::NotEqual => order.is_ne(),
            CompareOperator::Greater => order.is_gt(),
            CompareOperator::Less => order.is_lt(),
        })
    }
}
