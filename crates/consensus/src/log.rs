//! A replica's log in memory: everything behind the last compaction.
//!
//! **Invariant:** entries are consecutive and start at `snapshot.index + 1`; `memberships` starts
//! with the one in force at the snapshot and names every membership entry behind it, in order.

use crate::{Ballot, Entry, EntryKind, LogIndex, Membership, Position, SnapshotMeta};
use std::collections::VecDeque;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Log {
    snapshot: Position,
    entries: VecDeque<Entry>,
    memberships: Vec<(LogIndex, Membership)>,
}

impl Log {
    pub(crate) fn new(snapshot: SnapshotMeta, entries: Vec<Entry>) -> Self {
        let mut log = Self {
            snapshot: Position { index: snapshot.index, ballot: snapshot.ballot },
            entries: VecDeque::with_capacity(entries.len()),
            memberships: vec![(snapshot.index, snapshot.membership)],
        };
        entries.into_iter().for_each(|entry| log.append(entry));
        log
    }

    /// The first position that is still held.
    pub(crate) fn first(&self) -> LogIndex {
        self.snapshot.index.next()
    }

    /// The last position, or the snapshot's if nothing follows it.
    pub(crate) fn last(&self) -> LogIndex {
        self.snapshot.index.plus(self.entries.len() as u64)
    }

    pub(crate) fn last_position(&self) -> Position {
        let ballot = self.entries.back().map_or(self.snapshot.ballot, |entry| entry.ballot);
        Position { index: self.last(), ballot }
    }

    /// The ballot at `index`; `None` if it is compacted or not there yet.
    pub(crate) fn ballot_at(&self, index: LogIndex) -> Option<Ballot> {
        if index == self.snapshot.index {
            return Some(self.snapshot.ballot);
        }
        self.get(index).map(|entry| entry.ballot)
    }

    pub(crate) fn get(&self, index: LogIndex) -> Option<&Entry> {
        let offset = index.0.checked_sub(self.first().0)?;
        self.entries.get(usize::try_from(offset).expect("a log in memory has a usize length"))
    }

    /// The membership in force: the last one in the log, committed or not.
    pub(crate) fn membership(&self) -> &Membership {
        &self.memberships.last().expect("the snapshot's membership is always there").1
    }

    fn membership_at(&self, index: LogIndex) -> &Membership {
        let found = self.memberships.iter().rev().find(|(at, _)| *at <= index);
        &found.expect("the snapshot's membership is below every position held").1
    }

    pub(crate) fn append(&mut self, entry: Entry) {
        assert_eq!(entry.index, self.last().next(), "the log stays consecutive");
        self.note_membership(&entry);
        self.entries.push_back(entry);
    }

    /// Replaces what stands at the entry's position, or appends.
    pub(crate) fn put(&mut self, entry: Entry) {
        if entry.index == self.last().next() {
            return self.append(entry);
        }
        assert!(
            entry.index >= self.first() && entry.index <= self.last(),
            "no gap, no rewriting of history"
        );
        self.memberships.retain(|(at, _)| *at != entry.index);
        self.note_membership(&entry);
        self.memberships.sort_by_key(|(at, _)| *at);
        let offset = (entry.index.0 - self.first().0) as usize;
        self.entries[offset] = entry;
    }

    fn note_membership(&mut self, entry: &Entry) {
        if entry.kind == EntryKind::Membership {
            let membership = Membership::decode(&entry.payload)
                .expect("a membership is checked before it is proposed");
            self.memberships.push((entry.index, membership));
        }
    }

    /// Removes everything from `from` on; a membership that goes with it is rolled back.
    pub(crate) fn truncate(&mut self, from: LogIndex) {
        assert!(from >= self.first(), "what is compacted was committed");
        self.entries.truncate((from.0 - self.first().0) as usize);
        self.memberships.retain(|(at, _)| *at < from);
    }

    /// Forgets everything up to `index`, and says what stands for it.
    pub(crate) fn compact(&mut self, index: LogIndex) -> SnapshotMeta {
        let meta = self.snapshot_meta(index);
        let gone = (index.0 - self.snapshot.index.0) as usize;
        self.entries.drain(..gone);
        self.snapshot = Position { index, ballot: meta.ballot };
        self.memberships.retain(|(at, _)| *at > index);
        self.memberships.insert(0, (index, meta.membership.clone()));
        meta
    }

    /// What would stand for everything up to `index`, which the log must still hold.
    pub(crate) fn snapshot_meta(&self, index: LogIndex) -> SnapshotMeta {
        let ballot = self.ballot_at(index).expect("a snapshot is taken of what the log knows");
        SnapshotMeta { index, ballot, membership: self.membership_at(index).clone() }
    }

    /// Entries from `from` on, at least one if there is any, at most `bytes_max` beyond the first.
    pub(crate) fn slice(&self, from: LogIndex, upto: LogIndex, bytes_max: usize) -> Vec<Entry> {
        let mut bytes = 0;
        let skip = from.0.saturating_sub(self.first().0) as usize;
        self.entries
            .range(skip.min(self.entries.len())..)
            .take_while(|entry| entry.index <= upto)
            .take_while(|entry| {
                let first = bytes == 0;
                bytes += entry.weight_bytes();
                first || bytes <= bytes_max
            })
            .cloned()
            .collect()
    }

    /// The last position at or below `index` whose ballot is not above `round`: below it a
    /// follower's log and a leader's may agree, above it they cannot (etcd's conflict search).
    pub(crate) fn last_not_above(&self, index: LogIndex, round: u64) -> Position {
        let mut at = index.min(self.last());
        loop {
            match self.ballot_at(at) {
                Some(ballot) if ballot.round <= round => return Position { index: at, ballot },
                Some(_) => at = at.previous(),
                // Compacted: whatever is below the log's start is committed, so it agrees.
                None => return self.snapshot,
            }
        }
    }
}
