//! What can be said of a transaction without a state: pure functions for faces and for apply.

use crate::{Delete, Refusal, Txn, TxnOperation};
use bytes::Bytes;
use std::collections::BTreeSet;

impl Txn {
    /// How deep it nests; 1 without nested transactions.
    #[must_use]
    pub fn depth(&self) -> usize {
        1 + self.operations().map(TxnOperation::depth).max().unwrap_or(0)
    }

    /// The largest number of compares, or of operations in one branch, as etcd counts it against
    /// its limit: what a nested transaction has counts together with what its parents have.
    #[must_use]
    pub fn widest_count(&self) -> usize {
        let own = self.compares.len().max(self.success.len()).max(self.failure.len());
        let nested = self.nested().map(Self::widest_count).max().unwrap_or(0);
        own + nested
    }

    /// Whether no branch, nested ones included, can write.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.operations().all(TxnOperation::is_read_only)
    }

    /// Refuses a transaction that may change one key twice: put twice, or put and within a deleted
    /// range, in any order, in operations that can happen together. The two branches of one
    /// transaction cannot; deletions may overlap. This is etcd's rule, judged without a state.
    pub fn check_duplicates(&self) -> Result<(), Refusal> {
        Writes::of_branch(&self.success)?;
        Writes::of_branch(&self.failure)?;
        Ok(())
    }

    fn operations(&self) -> impl Iterator<Item = &TxnOperation> {
        self.success.iter().chain(&self.failure)
    }

    fn nested(&self) -> impl Iterator<Item = &Self> {
        self.operations().filter_map(|operation| match operation {
            TxnOperation::Txn(txn) => Some(txn),
            _ => None,
        })
    }
}

impl TxnOperation {
    fn depth(&self) -> usize {
        match self {
            Self::Txn(txn) => txn.depth(),
            _ => 0,
        }
    }

    fn is_read_only(&self) -> bool {
        match self {
            Self::Range(_) => true,
            Self::Put(_) | Self::Delete(_) => false,
            Self::Txn(txn) => txn.is_read_only(),
        }
    }
}

/// What operations that can happen together may write.
#[derive(Default)]
struct Writes<'a> {
    puts: BTreeSet<&'a Bytes>,
    deletes: Vec<&'a Delete>,
}

impl<'a> Writes<'a> {
    fn of_branch(branch: &'a [TxnOperation]) -> Result<Self, Refusal> {
        let mut writes = Self::default();
        for operation in branch {
            match operation {
                TxnOperation::Range(_) => {}
                TxnOperation::Put(put) => writes.add_put(&put.key)?,
                TxnOperation::Delete(delete) => writes.add_delete(delete)?,
                TxnOperation::Txn(txn) => writes.add(Self::of_either_branch(txn)?)?,
            }
        }
        Ok(writes)
    }

    /// The writes of both branches of a nested transaction: each must go with what is around it,
    /// but not with the other.
    fn of_either_branch(txn: &'a Txn) -> Result<Self, Refusal> {
        let mut writes = Self::of_branch(&txn.success)?;
        let other = Self::of_branch(&txn.failure)?;
        writes.puts.extend(other.puts);
        writes.deletes.extend(other.deletes);
        Ok(writes)
    }

    fn add(&mut self, other: Self) -> Result<(), Refusal> {
        // All deletions are checked against the puts before, then all puts against the deletions
        // before: what lies within `other` was judged already.
        for delete in &other.deletes {
            self.check_delete(delete)?;
        }
        for key in &other.puts {
            self.check_put(key)?;
        }
        self.puts.extend(other.puts);
        self.deletes.extend(other.deletes);
        Ok(())
    }

    fn add_put(&mut self, key: &'a Bytes) -> Result<(), Refusal> {
        self.check_put(key)?;
        self.puts.insert(key);
        Ok(())
    }

    fn add_delete(&mut self, delete: &'a Delete) -> Result<(), Refusal> {
        self.check_delete(delete)?;
        self.deletes.push(delete);
        Ok(())
    }

    fn check_put(&self, key: &Bytes) -> Result<(), Refusal> {
        let deleted = self.deletes.iter().any(|delete| delete.range.contains(key));
        if deleted || self.puts.contains(key) { Err(Refusal::DuplicateKey) } else { Ok(()) }
    }

    fn check_delete(&self, delete: &Delete) -> Result<(), Refusal> {
        let put = self.puts.range::<&Bytes, _>(&delete.range.start..).next();
        match put {
            Some(key) if delete.range.contains(key) => Err(Refusal::DuplicateKey),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyRange, Put, RangeEnd};

    fn put(key: &'static str) -> TxnOperation {
        TxnOperation::Put(Put { key: Bytes::from_static(key.as_bytes()), ..Put::default() })
    }

    fn delete(start: &'static str, end: &'static str) -> TxnOperation {
        let end = RangeEnd::Before(Bytes::from_static(end.as_bytes()));
        let range = KeyRange { start: Bytes::from_static(start.as_bytes()), end };
        TxnOperation::Delete(Delete { range, want_previous: false })
    }

    fn nested(success: Vec<TxnOperation>, failure: Vec<TxnOperation>) -> TxnOperation {
        TxnOperation::Txn(Txn { success, failure, ..Txn::default() })
    }

    fn check(success: Vec<TxnOperation>) -> Result<(), Refusal> {
        let success_first = Txn { success: success.clone(), ..Txn::default() };
        let failure_first = Txn { failure: success, ..Txn::default() };
        assert_eq!(success_first.check_duplicates(), failure_first.check_duplicates());
        success_first.check_duplicates()
    }

    #[test]
    fn a_key_may_be_put_once() {
        assert_eq!(check(vec![put("a"), put("b")]), Ok(()));
        assert_eq!(check(vec![put("a"), put("a")]), Err(Refusal::DuplicateKey));
        assert_eq!(
            check(vec![put("a"), nested(vec![put("a")], vec![])]),
            Err(Refusal::DuplicateKey)
        );
        assert_eq!(
            check(vec![nested(vec![], vec![put("a")]), put("a")]),
            Err(Refusal::DuplicateKey)
        );
    }

    #[test]
    fn a_key_may_not_be_put_and_deleted_in_any_order() {
        assert_eq!(check(vec![put("b"), delete("a", "c")]), Err(Refusal::DuplicateKey));
        assert_eq!(check(vec![delete("a", "c"), put("b")]), Err(Refusal::DuplicateKey));
        assert_eq!(check(vec![delete("a", "c"), put("c")]), Ok(()));
        let inside = nested(vec![delete("a", "c")], vec![]);
        assert_eq!(check(vec![put("b"), inside]), Err(Refusal::DuplicateKey));
    }

    #[test]
    fn deletions_may_overlap_and_branches_exclude_each_other() {
        assert_eq!(check(vec![delete("a", "c"), delete("b", "d")]), Ok(()));
        assert_eq!(check(vec![nested(vec![put("a")], vec![put("a")])]), Ok(()));
        assert_eq!(check(vec![nested(vec![put("b")], vec![delete("a", "c")])]), Ok(()));
        let both = Txn { success: vec![put("a")], failure: vec![put("a")], ..Txn::default() };
        assert_eq!(both.check_duplicates(), Ok(()));
    }

    #[test]
    fn nesting_adds_to_depth_and_width() {
        let TxnOperation::Txn(txn) =
            nested(vec![put("a"), nested(vec![put("b"), put("c"), put("d")], vec![])], vec![])
        else {
            unreachable!("built as a transaction just above")
        };
        assert_eq!((txn.depth(), txn.widest_count()), (2, 5));
        assert!(!txn.is_read_only());
    }
}
