//! What clients ask: a few keys, so that they meet, and every kind of command.

use crate::history::Asked;
use crate::random::Random;
use bytes::Bytes;
use synod_mvcc::{
    Command, Compare, CompareOperator, CompareTarget, Delete, KeyRange, LeaseId, Put, Range,
    RangeEnd, Revision, RevisionFilter, SortBy, Txn, TxnOperation,
};

/// How many keys the clients share.
const KEYS: u64 = 6;
/// How many leases the clients share.
const LEASES: u64 = 4;

/// Draws requests.
#[derive(Debug)]
pub(crate) struct Workload {
    random: Random,
    /// Numbers values, so that every value is written once.
    values: u64,
    /// The newest revision any client has seen: what it takes to ask for old ones.
    pub seen: Revision,
}

impl Workload {
    /// Draws from `random`.
    #[must_use]
    pub(crate) fn new(random: Random) -> Self {
        Self { random, values: 0, seen: Revision::FIRST }
    }

    /// The next request.
    pub(crate) fn draw(&mut self) -> Asked {
        let command = match self.random.below(100) {
            0..30 => Command::Put(self.put()),
            30..38 => Command::Delete(self.delete()),
            38..55 => Command::Txn(self.txn(0)),
            55..58 => Command::Compact { revision: self.compact_revision() },
            58..63 => Command::LeaseGrant {
                lease: self.lease(),
                ttl_seconds: self.random.between(2, 3) as i64,
            },
            63..65 => Command::LeaseRevoke { lease: self.lease() },
            65..72 => return Asked::Renew(self.lease()),
            _ => return Asked::Read(self.range()),
        };
        Asked::Command { command, origin: None }
    }

    fn key(&mut self) -> Bytes {
        Bytes::from(format!("k{}", self.random.below(KEYS)))
    }

    fn lease(&mut self) -> LeaseId {
        LeaseId(self.random.between(1, LEASES) as i64)
    }

    fn value(&mut self) -> Bytes {
        self.values += 1;
        Bytes::from(format!("v{}", self.values))
    }

    /// A put, on a lease or not.
    pub(crate) fn put(&mut self) -> Put {
        let lease = if self.random.one_in(4) { self.lease() } else { LeaseId::NONE };
        let keep_lease = self.random.one_in(12);
        Put {
            key: self.key(),
            value: self.value(),
            lease: if keep_lease { LeaseId::NONE } else { lease },
            want_previous: self.random.one_in(2),
            keep_value: false,
            keep_lease,
        }
    }

    fn delete(&mut self) -> Delete {
        Delete { range: self.key_range(), want_previous: self.random.one_in(2) }
    }

    fn key_range(&mut self) -> KeyRange {
        let start = self.key();
        let end = match self.random.below(6) {
            0..4 => RangeEnd::Single,
            4 => RangeEnd::Before(self.key()),
            _ => RangeEnd::Unbounded,
        };
        KeyRange { start, end }
    }

    fn compact_revision(&mut self) -> Revision {
        Revision((self.seen.0 - self.random.below(20) as i64).max(1))
    }

    fn range(&mut self) -> Range {
        let old = self.random.one_in(4);
        let back = self.random.below(10) as i64;
        let sort_by = [SortBy::Key, SortBy::Mod, SortBy::Version, SortBy::Value, SortBy::Create];
        let filtered = self.random.one_in(6);
        Range {
            range: self.key_range(),
            revision: old.then(|| Revision((self.seen.0 - back).max(1))),
            limit: if self.random.one_in(4) { self.random.between(1, 3) } else { 0 },
            sort_by: *self.random.pick(&sort_by),
            descending: self.random.one_in(3),
            keys_only: self.random.one_in(6),
            count_only: self.random.one_in(10),
            mod_revision: RevisionFilter {
                min: filtered.then(|| Revision((self.seen.0 - 5).max(1))),
                max: None,
            },
            create_revision: RevisionFilter::default(),
        }
    }

    fn txn(&mut self, depth: u64) -> Txn {
        let compares = (0..self.random.below(3)).map(|_| self.compare()).collect();
        let mut written = Vec::new();
        Txn {
            compares,
            success: self.operations(depth, &mut written),
            failure: self.operations(depth, &mut Vec::new()),
        }
    }

    /// Operations that write no key twice: the face refuses those before they get here.
    fn operations(&mut self, depth: u64, written: &mut Vec<Bytes>) -> Vec<TxnOperation> {
        let mut operations = Vec::new();
        for _ in 0..self.random.below(4) {
            match self.random.below(10) {
                0..5 => {
                    let put = self.put();
                    if !written.contains(&put.key) {
                        written.push(put.key.clone());
                        operations.push(TxnOperation::Put(put));
                    }
                }
                5..9 => {
                    let range = Range { revision: None, ..self.range() };
                    operations.push(TxnOperation::Range(range));
                }
                _ if depth == 0 && written.is_empty() => {
                    operations.push(TxnOperation::Txn(Txn { success: Vec::new(), ..self.txn(1) }));
                    // What it writes is not known here, so nothing is written behind it.
                    break;
                }
                _ => {}
            }
        }
        operations
    }

    fn compare(&mut self) -> Compare {
        let operators = [
            CompareOperator::Equal,
            CompareOperator::Greater,
            CompareOperator::Less,
            CompareOperator::NotEqual,
        ];
        let target = match self.random.below(5) {
            0 => CompareTarget::Version(self.random.below(4) as i64),
            1 => CompareTarget::Create(Revision(self.random.below(20) as i64)),
            2 => CompareTarget::Mod(Revision((self.seen.0 - self.random.below(4) as i64).max(0))),
            3 => CompareTarget::Lease(self.lease()),
            _ => CompareTarget::Value(Bytes::from(format!(
                "v{}",
                self.random.below(self.values + 1)
            ))),
        };
        Compare {
            range: KeyRange::single(self.key()),
            operator: *self.random.pick(&operators),
            target,
        }
    }
}

/// What the watcher with a number watches: the first one everything.
pub(crate) fn watched_range(random: &mut Random, watcher: usize) -> KeyRange {
    if watcher == 0 {
        return KeyRange::all();
    }
    let start = Bytes::from(format!("k{}", random.below(KEYS)));
    let end = if random.one_in(2) { RangeEnd::Single } else { RangeEnd::Unbounded };
    KeyRange { start, end }
}
