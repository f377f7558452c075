//! A key space on an engine that crashes, and its twin, driven by the same log.

use super::generate::{command, range, txn};
use proptest::prelude::*;
use std::sync::Arc;
use synod_consensus::{Ballot, Entry, EntryKind, GroupId, LogIndex, Origin};
use synod_mvcc::twin::Twin;
use synod_mvcc::{
    Applied, Command, Dropped, Importer, KeyRange, KeySpace, KeySpaceBug, KeySpaceOptions, Range,
    ReadError, Reader, Revision, Scrubbed, Txn, drop_generation,
};
use synod_storage::{Engine, Generation, MemoryEngine};

pub const GROUP: GroupId = GroupId(1);

/// One thing that happens to a key space.
#[derive(Clone, Debug)]
pub enum Step {
    Apply(Command),
    ApplyNothing,
    Flush,
    Crash,
    Scrub(usize),
    Read(Range),
    ReadTxn(Txn),
    /// Move to a new generation through a snapshot with chunks of so many bytes.
    Snapshot(usize),
}

pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => command().prop_map(Step::Apply),
        1 => Just(Step::ApplyNothing),
        2 => Just(Step::Flush),
        2 => Just(Step::Crash),
        4 => (1usize..6).prop_map(Step::Scrub),
        6 => range().prop_map(Step::Read),
        3 => txn().prop_map(Step::ReadTxn),
        1 => (1usize..200).prop_map(Step::Snapshot),
    ]
}

/// What was found to be wrong.
pub type Verdict = Result<(), String>;

/// Fails with both sides if they differ.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, space: &T, twin: &T) -> Verdict {
    if space == twin {
        return Ok(());
    }
    Err(format!("{what} differs\n space: {space:?}\n  twin: {twin:?}"))
}

/// A read's answer without reasons to stop, which no test here expects.
pub fn refusal_only<T>(result: Result<T, ReadError>) -> Result<T, synod_mvcc::Refusal> {
    result.map_err(|error| match error {
        ReadError::Refused(refusal) => refusal,
        ReadError::Fatal(fatal) => panic!("{fatal}"),
    })
}

pub struct Rig {
    pub engine: MemoryEngine,
    pub space: KeySpace,
    pub twin: Twin,
    generation: Generation,
    options: KeySpaceOptions,
    log: Vec<(Entry, Option<Applied>)>,
}

impl Rig {
    pub fn new(options: KeySpaceOptions) -> Self {
        let engine = MemoryEngine::new();
        let space = open(&engine, 1, options);
        Self { engine, space, twin: Twin::new(), generation: 1, options, log: Vec::new() }
    }

    pub fn with_bug(bug: KeySpaceBug) -> Self {
        Self::new(KeySpaceOptions { planted_bug: Some(bug), ..KeySpaceOptions::default() })
    }

    pub fn reader(&self) -> Reader {
        self.space.reader()
    }

    pub fn take(&mut self, step: &Step) -> Verdict {
        match step {
            Step::Apply(command) => self.apply(command),
            Step::ApplyNothing => self.apply_nothing(),
            Step::Flush => {
                self.engine.flush().unwrap();
                Ok(())
            }
            Step::Crash => self.crash(),
            Step::Scrub(budget) => {
                self.space.scrub(*budget).unwrap();
                Ok(())
            }
            Step::Read(range) => {
                let space = refusal_only(self.reader().range(range));
                same("a range", &space, &self.twin.range(range))
            }
            Step::ReadTxn(txn) if txn.is_read_only() => {
                let space = refusal_only(self.reader().read_only_txn(txn));
                same("a read-only transaction", &space, &self.twin.read_only_txn(txn))
            }
            Step::ReadTxn(_) => Ok(()),
            Step::Snapshot(chunk_bytes) => self.move_by_snapshot(*chunk_bytes),
        }
    }

    pub fn apply(&mut self, command: &Command) -> Verdict {
        let entry = self.entry(EntryKind::Command, command.encode());
        let space = self.space.apply(&entry).unwrap();
        let twin = Some(self.twin.apply(command));
        self.log.push((entry, twin.clone()));
        same("what a command did", &space, &twin)
    }

    fn apply_nothing(&mut self) -> Verdict {
        let entry = self.entry(EntryKind::Noop, bytes::Bytes::new());
        let applied = self.space.apply(&entry).unwrap();
        self.log.push((entry, None));
        same("what an entry without a command did", &applied, &None)
    }

    fn entry(&self, kind: EntryKind, payload: bytes::Bytes) -> Entry {
        let index = LogIndex(self.log.len() as u64 + 1);
        Entry { index, ballot: Ballot::ZERO, origin: Origin::default(), kind, payload }
    }

    /// Loses what was not flushed, and replays the log from there.
    fn crash(&mut self) -> Verdict {
        self.engine.crash();
        self.space = open(&self.engine, self.generation, self.options);
        let applied = self.space.applied().0 as usize;
        for (entry, answer) in &self.log[applied..] {
            same("a replayed command", &self.space.apply(entry).unwrap(), answer)?;
        }
        Ok(())
    }

    /// Goes on in a new generation, filled from a snapshot of this one. As with a real install, the
    /// new one is durable before the old one goes.
    fn move_by_snapshot(&mut self, chunk_bytes: usize) -> Verdict {
        let before = self.reader();
        let target = self.generation + 1;
        let applied = copy(&before, &self.engine, target, chunk_bytes);
        same("the snapshot's index", &applied, &self.space.applied())?;
        self.engine.flush().unwrap();
        let old = std::mem::replace(&mut self.generation, target);
        while drop_generation(&self.engine, GROUP, old, 7).unwrap() == Dropped::More {}
        self.space = open(&self.engine, target, self.options);
        let hash = |reader: &Reader| reader.hash_everything().unwrap();
        same("the copy's hash", &hash(&self.reader()), &hash(&before))
    }

    /// Compares everything that can be seen, at every revision.
    pub fn compare(&self) -> Verdict {
        let reader = self.reader();
        let twin = &self.twin;
        same("the revision", &reader.revision(), &twin.revision())?;
        same("the compaction", &reader.compact_revision(), &twin.compact_revision())?;
        same("the epoch", &reader.lessor_epoch(), &twin.lessor_epoch())?;
        same("the claimant", &reader.lessor_claimant(), &twin.lessor_claimant())?;
        same("the leases", &reader.leases().unwrap(), &twin.leases())?;
        for info in twin.leases() {
            let keys = reader.lease_keys(info.lease).unwrap();
            same("the keys of a lease", &keys, &twin.lease_keys(info.lease))?;
        }
        for revision in -1..=reader.revision().0 + 1 {
            let at = Range { revision: Some(Revision(revision)), ..Range::of(KeyRange::all()) };
            same("a state", &refusal_only(reader.range(&at)), &twin.range(&at))?;
        }
        self.compare_events(&reader)
    }

    fn compare_events(&self, reader: &Reader) -> Verdict {
        let first = self.twin.compact_revision();
        let last = self.twin.revision();
        let space = refusal_only(reader.events(first, last));
        same("the events", &space, &self.twin.events(first, last))?;
        if first.0 > 0 {
            let below = Revision(first.0 - 1);
            let space = refusal_only(reader.events(below, last));
            same("events below the compaction", &space, &self.twin.events(below, last))?;
        }
        Ok(())
    }

    pub fn scrub_all(&mut self) {
        while self.space.scrub(3).unwrap() == Scrubbed::More {}
    }
}

fn open(engine: &MemoryEngine, generation: Generation, options: KeySpaceOptions) -> KeySpace {
    KeySpace::open_with(Arc::new(engine.clone()), GROUP, generation, options).unwrap()
}

/// Streams a reader's state into a generation.
pub fn copy(from: &Reader, to: &MemoryEngine, generation: Generation, bytes: usize) -> LogIndex {
    let mut importer = Importer::new(Arc::new(to.clone()), GROUP, generation).unwrap();
    let mut after = None;
    loop {
        let chunk = from.export_chunk(after.as_ref(), bytes).unwrap();
        assert_eq!(chunk, from.export_chunk(after.as_ref(), bytes).unwrap(), "chunks repeat");
        importer.add_chunk(chunk.bytes).unwrap();
        match chunk.resume_after {
            Some(key) => after = Some(key),
            None => return importer.finish().unwrap(),
        }
    }
}
