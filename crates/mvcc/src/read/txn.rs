//! Transactions that only read: answered from a state, without the log.

use super::{CompareSource, Path, ReadError, Reader, Selection, check_revision, decide, newest_at};
use crate::layout::State;
use crate::{Fatal, KeyRange, KeyValue, Refusal, Txn, TxnOperation, TxnOperationReply, TxnReply};
use bytes::Bytes;

impl Reader {
    /// Evaluates a transaction that cannot write.
    ///
    /// # Panics
    /// If it can: see [`Txn::is_read_only`].
    pub fn read_only_txn(&self, txn: &Txn) -> Result<TxnReply, ReadError> {
        assert!(txn.is_read_only(), "a reader cannot write; propose the transaction instead");
        let path = decide(txn, &mut ReaderSource(self))?;
        check_ranges(txn, &path, self.state())?;
        Ok(self.read_branch(txn, &path)?)
    }

    fn read_branch(&self, txn: &Txn, path: &Path) -> Result<TxnReply, Fatal> {
        let mut nested = path.nested.iter();
        let mut replies = Vec::new();
        for operation in path.branch(txn) {
            replies.push(match operation {
                TxnOperation::Range(range) => TxnOperationReply::Range(self.selection(range)?),
                TxnOperation::Txn(txn) => {
                    let path = nested.next().expect("the path has every nested transaction");
                    TxnOperationReply::Txn(self.read_branch(txn, path)?)
                }
                TxnOperation::Put(_) | TxnOperation::Delete(_) => {
                    unreachable!("a read-only transaction has no writes")
                }
            });
        }
        Ok(TxnReply { succeeded: path.succeeded, replies })
    }
}

/// Refuses a transaction that would read at a revision that the state before it cannot be read at.
pub(crate) fn check_ranges(txn: &Txn, path: &Path, state: &State) -> Result<(), Refusal> {
    let mut nested = path.nested.iter();
    for operation in path.branch(txn) {
        match operation {
            TxnOperation::Range(range) => check_revision(state, range.revision)?,
            TxnOperation::Txn(txn) => {
                let path = nested.next().expect("the path has every nested transaction");
                check_ranges(txn, path, state)?;
            }
            TxnOperation::Put(_) | TxnOperation::Delete(_) => {}
        }
    }
    Ok(())
}

struct ReaderSource<'a>(&'a Reader);

impl CompareSource for ReaderSource<'_> {
    fn one(&mut self, key: &Bytes) -> Result<Option<KeyValue>, Fatal> {
        newest_at(self.0.view(), self.0.layout(), key, self.0.revision())
    }

    fn all(&mut self, range: &KeyRange) -> Result<Vec<KeyValue>, Fatal> {
        let selection = Selection { view: self.0.view(), layout: self.0.layout() };
        selection.all(range, self.0.revision())
    }
}
