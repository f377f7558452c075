//! Both engines against one model: what a view shows, and what a crash leaves.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use synod_storage::{
    Engine, KEY_BYTES_MAX, KeyBounds, LsmEngine, LsmOptions, MemoryEngine, View, WriteBatch,
};
use tempfile::TempDir;

type Model = BTreeMap<Bytes, Bytes>;

/// An engine that can lose power.
trait Subject {
    fn engine(&self) -> &dyn Engine;
    /// Loses what was not flushed, and opens what is left.
    fn crash(&mut self);
}

impl Subject for MemoryEngine {
    fn engine(&self) -> &dyn Engine {
        self
    }

    fn crash(&mut self) {
        Self::crash(self);
    }
}

struct Lsm {
    directory: TempDir,
    engine: Option<LsmEngine>,
}

impl Lsm {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let engine = Some(Self::open(&directory));
        Self { directory, engine }
    }

    fn open(directory: &TempDir) -> LsmEngine {
        LsmEngine::open(&directory.path().join("engine"), &LsmOptions::default()).unwrap()
    }
}

impl Subject for Lsm {
    fn engine(&self) -> &dyn Engine {
        self.engine.as_ref().unwrap()
    }

    /// There is no journal, so closing without a flush loses the tables in memory as a crash does.
    fn crash(&mut self) {
        self.engine = None;
        self.engine = Some(Self::open(&self.directory));
    }
}

#[derive(Clone, Debug)]
enum Op {
    Write(Vec<(u8, Option<Vec<u8>>)>),
    Flush,
    TakeView,
    DropView(usize),
    CheckView(usize, Bound<u8>, Bound<u8>),
    Crash,
}

fn any_op() -> impl Strategy<Value = Op> {
    let value = proptest::collection::vec(any::<u8>(), 0..40);
    let change = (0u8..30, proptest::option::weighted(0.7, value));
    let bound = || {
        prop_oneof![
            Just(Bound::Unbounded),
            (0u8..30).prop_map(Bound::Included),
            (0u8..30).prop_map(Bound::Excluded),
        ]
    };
    prop_oneof![
        6 => proptest::collection::vec(change, 0..6).prop_map(Op::Write),
        2 => Just(Op::Flush),
        2 => Just(Op::TakeView),
        1 => any::<usize>().prop_map(Op::DropView),
        4 => (any::<usize>(), bound(), bound()).prop_map(|(v, a, b)| Op::CheckView(v, a, b)),
        1 => Just(Op::Crash),
    ]
}

/// Keys of different lengths, so that one is the beginning of another.
fn key(number: u8) -> Bytes {
    Bytes::from(vec![number / 3; 1 + usize::from(number % 3)])
}

fn batch(changes: &[(u8, Option<Vec<u8>>)]) -> WriteBatch {
    let mut batch = WriteBatch::default();
    for (number, value) in changes {
        match value {
            Some(value) => batch.put(key(*number), value.clone()),
            None => batch.remove(key(*number)),
        }
    }
    batch
}

fn apply(model: &mut Model, batch: &WriteBatch) {
    for (key, value) in &batch.changes {
        match value {
            Some(value) => model.insert(key.clone(), value.clone()),
            None => model.remove(key),
        };
    }
}

fn expected(model: &Model, bounds: &KeyBounds) -> Vec<(Bytes, Bytes)> {
    let after = |key: &Bytes| match &bounds.0 {
        Bound::Included(start) => key >= start,
        Bound::Excluded(start) => key > start,
        Bound::Unbounded => true,
    };
    let before = |key: &Bytes| match &bounds.1 {
        Bound::Included(end) => key <= end,
        Bound::Excluded(end) => key < end,
        Bound::Unbounded => true,
    };
    let within = |(key, _): &(&Bytes, &Bytes)| after(key) && before(key);
    model.iter().filter(within).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn check(view: &dyn View, model: &Model, bounds: KeyBounds) {
    let mut items = expected(model, &bounds);
    let scanned: Result<Vec<_>, _> = view.scan(bounds.clone()).collect();
    assert_eq!(scanned.unwrap(), items);
    let back: Result<Vec<_>, _> = view.scan_back(bounds).collect();
    items.reverse();
    assert_eq!(back.unwrap(), items);
    for number in 0..30 {
        assert_eq!(view.get(&key(number)).unwrap().as_ref(), model.get(&key(number)));
    }
}

const EVERYTHING: KeyBounds = (Bound::Unbounded, Bound::Unbounded);

fn run(subject: &mut dyn Subject, ops: Vec<Op>) {
    let mut model = Model::new();
    let mut flushed = Model::new();
    let mut views: Vec<(Arc<dyn View>, Model)> = Vec::new();
    for op in ops {
        match op {
            Op::Write(changes) => {
                let batch = batch(&changes);
                apply(&mut model, &batch);
                subject.engine().write(batch).unwrap();
            }
            Op::Flush => {
                subject.engine().flush().unwrap();
                assert_eq!(subject.engine().unflushed_bytes(), 0);
                flushed.clone_from(&model);
            }
            Op::TakeView => views.push((subject.engine().view(), model.clone())),
            Op::DropView(which) if !views.is_empty() => {
                views.swap_remove(which % views.len());
            }
            Op::CheckView(which, start, end) if !views.is_empty() => {
                let (view, model) = &views[which % views.len()];
                check(&**view, model, (start.map(key), end.map(key)));
            }
            Op::DropView(_) | Op::CheckView(..) => {}
            Op::Crash => {
                views.clear();
                subject.crash();
                model.clone_from(&flushed);
            }
        }
        check(&*subject.engine().view(), &model, EVERYTHING);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_twin_in_memory_keeps_the_contract(ops in proptest::collection::vec(any_op(), 0..80)) {
        run(&mut MemoryEngine::new(), ops);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_on_disk_keeps_the_contract(ops in proptest::collection::vec(any_op(), 0..80)) {
        run(&mut Lsm::new(), ops);
    }
}

#[test]
fn a_key_over_the_limit_is_refused_and_a_bound_over_it_is_not() {
    let mut subjects: [Box<dyn Subject>; 2] = [Box::new(MemoryEngine::new()), Box::new(Lsm::new())];
    for subject in &mut subjects {
        let engine = subject.engine();
        let longest = Bytes::from(vec![5; KEY_BYTES_MAX]);
        let mut batch = WriteBatch::default();
        batch.put(longest.clone(), "value");
        engine.write(batch).unwrap();
        let too_long = Bytes::from(vec![5; KEY_BYTES_MAX + 1]);
        let mut batch = WriteBatch::default();
        batch.put("other", "value");
        batch.put(too_long.clone(), "value");
        assert!(engine.write(batch).is_err());
        let view = engine.view();
        assert_eq!(view.get(&too_long).unwrap(), None);
        assert_eq!(view.scan(EVERYTHING).count(), 1, "a refused batch leaves nothing");
        let from = (Bound::Included(too_long.clone()), Bound::Unbounded);
        assert_eq!(view.scan(from).count(), 0);
        let upto = (Bound::Unbounded, Bound::Excluded(too_long));
        assert_eq!(view.scan(upto).count(), 1);
    }
}

#[test]
fn sequence_numbers_go_on_after_a_restart() {
    let mut subject = Lsm::new();
    for round in 0..20u8 {
        let mut batch = WriteBatch::default();
        batch.put("key", vec![round]);
        subject.engine().write(batch).unwrap();
        subject.engine().flush().unwrap();
        subject.crash();
        let value = subject.engine().view().get(b"key").unwrap().unwrap();
        assert_eq!(value, [round][..], "an older write never shadows a newer one");
    }
}

#[test]
fn views_stay_whole_while_batches_flushes_and_merges_run_beside_them() {
    let subject = Lsm::new();
    let engine = subject.engine();
    let done = AtomicBool::new(false);
    let flushes = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0u64;
            while flushes.load(Ordering::Acquire) < 60 {
                number += 1;
                let mut batch = WriteBatch::default();
                for name in ["a", "b", "c"] {
                    batch.put(name, number.to_be_bytes().to_vec());
                }
                batch.put(format!("row{:03}", number % 500), vec![1; 200]);
                engine.write(batch).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                engine.flush().unwrap();
                flushes.fetch_add(1, Ordering::Release);
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = None;
                while !done.load(Ordering::Acquire) {
                    let view = engine.view();
                    let all = ["a", "b", "c"].map(|name| view.get(name.as_bytes()).unwrap());
                    assert!(all.windows(2).all(|two| two[0] == two[1]), "half a batch: {all:?}");
                    assert!(all[0] >= last, "a later view shows an earlier state");
                    let end = Bound::Excluded(Bytes::from_static(b"d"));
                    assert!(view.scan((Bound::Unbounded, end)).count() % 3 == 0);
                    last.clone_from(&all[0]);
                }
            });
        }
    });
    let runs = subject.engine.as_ref().unwrap().unmerged_runs();
    assert!(runs <= 14, "flushes waited for the merging: {runs} runs");
}
