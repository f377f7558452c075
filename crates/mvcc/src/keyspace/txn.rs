//! Transactions: decide every branch, refuse what must be refused, then carry out.

use super::KeySpace;
use super::apply::Outcome;
use super::draft::Draft;
use super::put::write_checked;
use crate::read::{Path, check_ranges, decide};
use crate::{Fatal, Txn, TxnOperation, TxnOperationReply, TxnReply};

impl KeySpace {
    /// As in etcd: compares first, then the conditions of all puts, then the revisions of all
    /// ranges, each judged by the state before the transaction; only then the first write.
    pub(super) fn txn(&self, draft: &mut Draft<'_>, txn: &Txn) -> Outcome<TxnReply> {
        txn.check_duplicates()?;
        let path = decide(txn, draft)?;
        self.check_puts(draft, txn, &path)?;
        check_ranges(txn, &path, draft.before())?;
        Ok(Self::run_branch(draft, txn, &path)?)
    }

    fn check_puts(&self, draft: &mut Draft<'_>, txn: &Txn, path: &Path) -> Outcome<()> {
        let mut nested = path.nested.iter();
        for operation in path.branch(txn) {
            match operation {
                TxnOperation::Put(put) => self.check_put(draft, put)?,
                TxnOperation::Txn(txn) => {
                    let path = nested.next().expect("the path has every nested transaction");
                    self.check_puts(draft, txn, path)?;
                }
                TxnOperation::Range(_) | TxnOperation::Delete(_) => {}
            }
        }
        Ok(())
    }

    fn run_branch(draft: &mut Draft<'_>, txn: &Txn, path: &Path) -> Result<TxnReply, Fatal> {
        let mut nested = path.nested.iter();
        let mut replies = Vec::new();
        for operation in path.branch(txn) {
            replies.push(match operation {
                TxnOperation::Range(range) => TxnOperationReply::Range(draft.read(range)?),
                TxnOperation::Put(put) => TxnOperationReply::Put(write_checked(draft, put)?),
                TxnOperation::Delete(delete) => {
                    TxnOperationReply::Delete(Self::delete(draft, delete)?)
                }
                TxnOperation::Txn(txn) => {
                    let path = nested.next().expect("the path has every nested transaction");
                    TxnOperationReply::Txn(Self::run_branch(draft, txn, path)?)
                }
            });
        }
        Ok(TxnReply { succeeded: path.succeeded, replies })
    }
}
