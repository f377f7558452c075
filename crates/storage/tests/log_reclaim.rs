//! Reclaiming: the log stays within its bound, and nothing that is needed goes with a segment.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use support::{Model, Progress, Step, apply, entry, meta, open, options, script};
use synod_consensus::{GroupId, LogIndex};
use synod_storage::{Log, RECLAIM_MULTIPLE, RECLAIM_SLACK_SEGMENTS, Record, SimDisk};

fn reclaim_all(log: &mut Log) {
    while log.reclaim().unwrap().more {}
}

fn assert_within_bound(log: &Log) {
    let stats = log.stats();
    let slack = RECLAIM_SLACK_SEGMENTS * options().segment_bytes;
    // The batch that says where the log begins comes after the bound was met, and may begin a
    // segment: two sectors more.
    let bound = RECLAIM_MULTIPLE * stats.retained_bytes + slack + 1024;
    assert!(stats.bytes <= bound, "{stats:?} is over {bound}");
}

#[test]
fn an_idle_group_survives_any_number_of_turns_of_the_log() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk, 1).unwrap();
    let mut model = Model::new();
    let mut append = |log: &mut Log, records: &[Record]| {
        records.iter().for_each(|record| apply(&mut model, record));
        log.append(records).unwrap();
    };
    let (idle, busy) = (GroupId(1), GroupId(2));
    append(&mut log, &[Record::Install(idle, meta(LogIndex(4)), 7)]);
    append(&mut log, &[Record::Entries(idle, vec![entry(LogIndex(5), 1, vec![5; 100])])]);
    append(&mut log, &[Record::Install(busy, meta(LogIndex(0)), 1)]);
    for index in 1..2000 {
        let index = LogIndex(index);
        append(&mut log, &[Record::Entries(busy, vec![entry(index, 1, vec![6; 300])])]);
        if index.0.is_multiple_of(10) {
            append(&mut log, &[Record::Compact(busy, meta(index))]);
            reclaim_all(&mut log);
            assert_within_bound(&log);
        }
    }
    assert!(log.stats().position.segment > 200, "the log turned often");
    let (_, recovered) = open(&disk, 2).unwrap();
    assert_eq!(recovered, model);
}

#[test]
fn random_scripts_stay_within_the_bound_and_keep_their_state() {
    for seed in 0..30 {
        let disk = SimDisk::new(seed);
        let (mut log, _) = open(&disk, 1).unwrap();
        let mut progress = Progress::begin();
        for steps in script(seed, 300).chunks(20) {
            progress.run(&mut log, steps).unwrap();
            reclaim_all(&mut log);
            assert_within_bound(&log);
        }
        assert!(log.stats().segments < log.stats().position.segment, "something was removed");
        progress.run(&mut log, &[Step::Sync]).unwrap();
        let (reopened, recovered) = open(&disk, 2).unwrap();
        assert_eq!(progress.models.last(), Some(&recovered));
        assert_eq!(reopened.stats().retained_bytes, log.stats().retained_bytes);
    }
}

#[test]
fn an_overwritten_position_that_moved_forward_keeps_its_last_value() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk, 1).unwrap();
    let group = GroupId(1);
    log.append(&[Record::Install(group, meta(LogIndex(0)), 1)]).unwrap();
    for round in 1..200 {
        let entries = (1..4).map(|i| entry(LogIndex(i), round, vec![round as u8; 200])).collect();
        log.append(&[Record::Entries(group, entries)]).unwrap();
        reclaim_all(&mut log);
    }
    log.sync().unwrap();
    let (_, recovered) = open(&disk, 2).unwrap();
    let rounds: Vec<u64> = recovered[&group].entries.iter().map(|e| e.ballot.round).collect();
    assert_eq!(rounds, [199, 199, 199]);
}
