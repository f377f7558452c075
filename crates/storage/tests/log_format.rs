//! The bytes of format version 1, as `docs/format/log.md` describes them, are what this program
//! writes and reads.
//!
//! A golden file changes only together with the version of the format. `SYNOD_WRITE_GOLDEN=1`
//! writes the files anew.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use bytes::Bytes;
use std::path::PathBuf;
use std::sync::Arc;
use support::{DIRECTORY, Model, apply, meta};
use synod_consensus::{
    Ballot, Entry, EntryKind, GroupId, HardState, LogIndex, Membership, Origin, SnapshotMeta,
    StoreId,
};
use synod_storage::{Log, LogIdentity, LogOptions, Record, SimDisk};

const IDENTITY: LogIdentity =
    LogIdentity { store: StoreId(0x0123_4567_89ab_cdef), seed: 0x0f0f_0f0f_0f0f_0f0f };

fn entry(index: u64, kind: EntryKind, payload: &'static [u8]) -> Entry {
    Entry {
        index: LogIndex(index),
        ballot: Ballot::new(300, StoreId(2)),
        origin: Origin { store: StoreId(3), incarnation: 4, sequence: 500 },
        kind,
        payload: Bytes::from_static(payload),
    }
}

/// One record of every kind and one entry of every kind, in batches of one and of many.
fn batches() -> Vec<Vec<Record>> {
    let group = GroupId(1);
    let mut membership = Membership::of_voters([StoreId(1), StoreId(2)]);
    membership.learners.insert(StoreId(3));
    let founding = SnapshotMeta { index: LogIndex(0), ballot: Ballot::ZERO, membership };
    let hard_state = HardState { promised: Ballot::new(300, StoreId(2)), committed: LogIndex(2) };
    vec![
        vec![Record::Install(group, founding, 7)],
        vec![
            Record::HardState(group, hard_state),
            Record::Entries(
                group,
                vec![
                    entry(1, EntryKind::Noop, b""),
                    entry(2, EntryKind::Command, b"put"),
                    entry(3, EntryKind::Membership, b"members"),
                ],
            ),
        ],
        vec![Record::Truncate(group, LogIndex(3)), Record::Compact(group, meta(LogIndex(1)))],
        vec![],
    ]
}

fn model() -> Model {
    let mut model = Model::new();
    batches().iter().flatten().for_each(|record| apply(&mut model, record));
    model
}

fn golden_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn segment_path(number: u64) -> String {
    format!("{DIRECTORY}/{number:020}.log")
}

fn assert_golden(name: &str, written: &[u8]) {
    let path = golden_path(name);
    if std::env::var_os("SYNOD_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, written).unwrap();
    }
    let golden = std::fs::read(&path).unwrap();
    assert!(golden == written, "{name} differs from what this program writes");
}

fn write_log(disk: &SimDisk, options: LogOptions) -> Log {
    let shared = Arc::new(disk.clone());
    let (mut log, _) = Log::open(shared, DIRECTORY, options, IDENTITY).unwrap();
    for batch in batches() {
        log.append(&batch).unwrap();
        log.sync().unwrap();
    }
    log
}

#[test]
fn a_segment_is_written_byte_for_byte_as_in_version_1() {
    let disk = SimDisk::new(1);
    write_log(&disk, LogOptions::default());
    assert_golden("log-v1.bin", &disk.contents(&segment_path(1)).unwrap());
}

#[test]
fn what_reclaiming_copies_forward_is_written_byte_for_byte_as_in_version_1() {
    let disk = SimDisk::new(1);
    let mut log = write_log(&disk, LogOptions { segment_bytes: 1024, ..LogOptions::default() });
    for round in 0..40 {
        let state = HardState { promised: Ballot::ZERO, committed: LogIndex(round) };
        log.append(&[Record::HardState(GroupId(1), state)]).unwrap();
    }
    let first_of_copies = log.stats().position.segment + 1;
    assert!(log.reclaim().unwrap().copied_bytes > 0, "something is copied forward");
    let copies = disk.contents(&segment_path(first_of_copies)).unwrap();
    assert_golden("log-v1-copied.bin", &copies);
}

#[test]
fn a_segment_of_version_1_is_read() {
    let disk = SimDisk::new(1);
    disk.install_file(&segment_path(1), &std::fs::read(golden_path("log-v1.bin")).unwrap());
    let shared = Arc::new(disk);
    let (_, groups) = Log::open(shared, DIRECTORY, LogOptions::default(), IDENTITY).unwrap();
    assert_eq!(groups, model());
}
