//! What the log's tests share: a model of what a log should hold, random scripts, and a run of a
//! script that knows which states a recovery may return.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_consensus::{
    Ballot, Entry, EntryKind, GroupId, HardState, LogIndex, Membership, Origin, SnapshotMeta,
    StoreId,
};
use synod_storage::{
    GroupLog, Log, LogError, LogIdentity, LogOptions, LogPosition, OpenError, Record, SimDisk,
};

pub const DIRECTORY: &str = "log";
pub const STORE: StoreId = StoreId(0xabcd);

/// What a log should hold: the obvious meaning of its records.
pub type Model = BTreeMap<GroupId, GroupLog>;

pub fn apply(model: &mut Model, record: &Record) {
    if let Record::Install(group, meta, generation) = record {
        let hard_state = model.get(group).map(|log| log.hard_state).unwrap_or_default();
        let (snapshot, generation) = (meta.clone(), *generation);
        let entries = Vec::new();
        model.insert(*group, GroupLog { hard_state, snapshot, generation, entries });
        return;
    }
    let log = model.get_mut(&record.group()).expect("scripts install a group first");
    match record {
        Record::Entries(_, entries) => entries.iter().for_each(|entry| overwrite(log, entry)),
        Record::HardState(_, state) => log.hard_state = *state,
        Record::Truncate(_, from) => log.entries.retain(|entry| entry.index < *from),
        Record::Compact(_, meta) => {
            log.entries.retain(|entry| entry.index > meta.index);
            log.snapshot = meta.clone();
        }
        Record::Install(..) => unreachable!("handled above"),
    }
}

fn overwrite(log: &mut GroupLog, entry: &Entry) {
    match log.entries.iter_mut().find(|old| old.index == entry.index) {
        Some(old) => *old = entry.clone(),
        None => log.entries.push(entry.clone()),
    }
}

/// A step of a script.
#[derive(Clone, Debug)]
pub enum Step {
    Append(Vec<Record>),
    Sync,
    Reclaim,
}

/// Deterministic dice for scripts.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        // xorshift64* (Vigna, 2016).
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

pub fn entry(index: LogIndex, round: u64, payload: Vec<u8>) -> Entry {
    Entry {
        index,
        ballot: Ballot::new(round, StoreId(1 + round % 3)),
        origin: Origin { store: StoreId(1), incarnation: 2, sequence: round },
        kind: EntryKind::Command,
        payload: Bytes::from(payload),
    }
}

pub fn meta(index: LogIndex) -> SnapshotMeta {
    let membership = Membership::of_voters([StoreId(1), StoreId(2), StoreId(3)]);
    SnapshotMeta { index, ballot: Ballot::new(index.0, StoreId(1)), membership }
}

/// The groups of every script. The last one is idle: it is written once, at the start.
const GROUPS: u64 = 3;
const IDLE: GroupId = GroupId(GROUPS);

/// A valid script of about `length` steps, and what the log should hold after each of its batches.
pub fn script(seed: u64, length: usize) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    let mut model = Model::new();
    let mut steps = Vec::new();
    let mut round = 1;
    let mut first: Vec<Record> =
        (0..=GROUPS).map(|group| Record::Install(GroupId(group), meta(LogIndex(0)), 1)).collect();
    first.push(Record::Entries(IDLE, vec![entry(LogIndex(1), 1, vec![9; 40])]));
    first.push(hard_state(IDLE, 1));
    first.iter().for_each(|record| apply(&mut model, record));
    steps.push(Step::Append(first));
    while steps.len() < length {
        match dice.below(9) {
            0 => steps.push(Step::Reclaim),
            1..=2 => steps.push(Step::Sync),
            _ => {
                let count = 1 + dice.below(3);
                let mut batch = Vec::new();
                for _ in 0..count {
                    round += 1;
                    let record = random_record(&mut dice, &model, round);
                    apply(&mut model, &record);
                    batch.push(record);
                }
                steps.push(Step::Append(batch));
            }
        }
    }
    steps
}

fn hard_state(group: GroupId, round: u64) -> Record {
    let promised = Ballot::new(round, StoreId(2));
    Record::HardState(group, HardState { promised, committed: LogIndex(round) })
}

fn random_record(dice: &mut Dice, model: &Model, round: u64) -> Record {
    let group = GroupId(dice.below(GROUPS));
    let log = &model[&group];
    let base = log.snapshot.index;
    let last = base.plus(log.entries.len() as u64);
    let inside = base.plus(1 + dice.below(log.entries.len().max(1) as u64));
    match dice.below(12) {
        0 => hard_state(group, round),
        1 if last > base => Record::Truncate(group, inside),
        2 | 3 if last > base => Record::Compact(group, meta(inside)),
        4 if dice.below(3) == 0 => Record::Install(group, meta(last.plus(10)), round),
        5 if last > base => Record::Entries(group, random_entries(dice, inside, round)),
        _ => Record::Entries(group, random_entries(dice, last.next(), round)),
    }
}

fn random_entries(dice: &mut Dice, first: LogIndex, round: u64) -> Vec<Entry> {
    let count = 1 + dice.below(3);
    let one = |place| {
        let payload = vec![round as u8; dice.below(500) as usize];
        entry(first.plus(place), round, payload)
    };
    (0..count).map(one).collect()
}

pub fn identity(seed: u64) -> LogIdentity {
    LogIdentity { store: STORE, seed }
}

/// Segments so small that a script fills many.
pub fn options() -> LogOptions {
    LogOptions { segment_bytes: 4096, ..LogOptions::default() }
}

pub fn open(disk: &SimDisk, seed: u64) -> Result<(Log, Model), OpenError> {
    open_with(disk, seed, options())
}

pub fn open_with(
    disk: &SimDisk,
    seed: u64,
    options: LogOptions,
) -> Result<(Log, Model), OpenError> {
    Log::open(Arc::new(disk.clone()), DIRECTORY, options, identity(seed))
}

/// How far a script came, and which states a recovery may return.
#[derive(Default)]
pub struct Progress {
    /// The state after each batch that was begun; the first is the empty log.
    pub models: Vec<Model>,
    /// Where each of those batches ended; the last may not have been written.
    ends: Vec<LogPosition>,
    /// Everything before was reported as synced.
    pub synced: LogPosition,
}

impl Progress {
    pub fn begin() -> Self {
        let models = vec![Model::new()];
        Self { models, ends: vec![LogPosition::default()], ..Self::default() }
    }

    /// How many batches must survive whatever happens.
    pub fn must_survive(&self) -> usize {
        self.batches_before(self.synced)
    }

    /// How many batches end at or before `position`.
    pub fn batches_before(&self, position: LogPosition) -> usize {
        self.ends.iter().filter(|end| **end <= position).count() - 1
    }

    /// Runs the script until it ends or something fails.
    pub fn run(&mut self, log: &mut Log, steps: &[Step]) -> Result<(), LogError> {
        steps.iter().try_for_each(|step| self.step(log, step))
    }

    fn step(&mut self, log: &mut Log, step: &Step) -> Result<(), LogError> {
        let done = match step {
            Step::Append(records) => self.append(log, records),
            Step::Sync => log.sync().map(drop),
            Step::Reclaim => log.reclaim().map(drop),
        };
        self.synced = self.synced.max(log.stats().synced);
        done
    }

    fn append(&mut self, log: &mut Log, records: &[Record]) -> Result<(), LogError> {
        let mut model = self.models.last().expect("there is the empty log").clone();
        records.iter().for_each(|record| apply(&mut model, record));
        self.models.push(model);
        self.ends.push(LogPosition { segment: u64::MAX, offset: 0 });
        let end = log.append(records)?;
        *self.ends.last_mut().expect("just pushed") = end;
        Ok(())
    }

    /// Which batches `recovered` is the state after, if it is one that recovery may return.
    pub fn check(&self, recovered: &Model) -> Result<usize, String> {
        let least = self.must_survive();
        let found = (least..self.models.len()).rev().find(|k| self.models[*k] == *recovered);
        found.ok_or_else(|| {
            let earlier = (0..least).rev().find(|k| self.models[*k] == *recovered);
            format!("{least} batches were synced, but recovery is at {earlier:?}: {recovered:?}")
        })
    }
}
