//! Power loss at every single operation of a script, and what a log must still hold afterwards.
//!
//! The property: recovery returns exactly the state after some number of whole batches, at least
//! as many as were reported synced; what it returns stays, whatever happens to the next opening.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use support::{Model, Progress, Step, open, open_with, options, script};
use synod_consensus::{GroupId, LogIndex};
use synod_storage::{CrashPolicy, LogBug, LogError, LogOptions, OpenError, Record, SimDisk};

const POLICIES: [CrashPolicy; 5] = [
    CrashPolicy::LoseAll,
    CrashPolicy::KeepAll,
    CrashPolicy::Random,
    CrashPolicy::Random,
    CrashPolicy::Random,
];

/// Runs the script on a disk that loses power in operation `nth`. `None`: the script ended before.
fn run_until(
    seed: u64,
    steps: &[Step],
    nth: u64,
    options: LogOptions,
) -> Option<(SimDisk, Progress)> {
    let disk = SimDisk::new(seed ^ nth << 8);
    disk.crash_at_operation(nth);
    let mut progress = Progress::begin();
    if let Ok((mut log, _)) = open_with(&disk, 1, options)
        && progress.run(&mut log, steps).is_ok()
    {
        return None;
    }
    assert!(disk.is_down(), "nothing but the crash makes a step fail");
    Some((disk, progress))
}

/// Every crash point × policy of one script; the first violation in words.
fn check_every_crash(seed: u64, length: usize, options: &LogOptions) -> Result<u64, String> {
    let steps = script(seed, length);
    let mut nth = 0;
    loop {
        nth += 1;
        let Some((disk, progress)) = run_until(seed, &steps, nth, options.clone()) else {
            return Ok(nth);
        };
        for (attempt, policy) in POLICIES.into_iter().enumerate() {
            let disk = disk.fork();
            // Each attempt draws another future.
            (0..attempt).for_each(|_| disk.fork().crash(policy));
            disk.crash(policy);
            check_recovery(&disk, &progress)
                .map_err(|what| format!("seed {seed}, operation {nth}, {policy:?}: {what}"))?;
        }
    }
}

fn check_recovery(disk: &SimDisk, progress: &Progress) -> Result<(), String> {
    let (log, recovered) = open(disk, 2).map_err(|error| error.to_string())?;
    progress.check(&recovered)?;
    drop(log);
    // What an opening returned is durable, even if power fails at once.
    for policy in [CrashPolicy::LoseAll, CrashPolicy::Random] {
        disk.crash(policy);
        expect_same(disk, &recovered)?;
    }
    Ok(())
}

fn expect_same(disk: &SimDisk, expected: &Model) -> Result<(), String> {
    let (_, again) = open(disk, 3).map_err(|error| error.to_string())?;
    if again == *expected { Ok(()) } else { Err(format!("the next opening differs: {again:?}")) }
}

#[test]
fn everything_synced_survives_a_crash_at_every_operation() {
    let mut crash_points = 0;
    for seed in 0..24 {
        crash_points += check_every_crash(seed, 70, &options()).unwrap();
    }
    assert!(crash_points > 3000, "the scripts reach the disk often: {crash_points}");
}

#[test]
fn a_crash_while_opening_loses_nothing_either() {
    for seed in 0..4 {
        let steps = script(seed, 50);
        let mut nth = 1;
        while let Some((disk, progress)) = run_until(seed, &steps, nth, options()) {
            disk.crash(CrashPolicy::Random);
            crash_every_opening(&disk, &progress);
            nth += 3;
        }
    }
}

/// Opens again and again, each time getting one operation further before power fails.
fn crash_every_opening(disk: &SimDisk, progress: &Progress) {
    for operation in 1.. {
        disk.crash_at_operation(operation);
        let opened = open(disk, operation);
        let is_down = disk.is_down();
        disk.crash(CrashPolicy::Random);
        if !is_down {
            opened.expect("nothing but the crash makes an opening fail");
            break;
        }
        let error = opened.expect_err("power failed while the log was opened");
        assert!(matches!(error, OpenError::Io { .. }), "{error}");
    }
    let (_, recovered) = open(disk, 99).unwrap();
    progress.check(&recovered).unwrap();
}

#[test]
fn a_recovered_log_goes_on() {
    for seed in 0..20 {
        let steps = script(seed, 120);
        let (head, tail) = steps.split_at(60);
        let disk = SimDisk::new(seed);
        let mut progress = Progress::begin();
        let (mut log, _) = open(&disk, 1).unwrap();
        progress.run(&mut log, head).unwrap();
        progress.run(&mut log, &[Step::Sync]).unwrap();
        disk.crash(CrashPolicy::Random);
        let (mut log, recovered) = open(&disk, 2).unwrap();
        assert_eq!(progress.models.last(), Some(&recovered), "all of it was synced");
        progress.run(&mut log, tail).unwrap();
        progress.run(&mut log, &[Step::Sync]).unwrap();
        disk.crash(CrashPolicy::LoseAll);
        assert_eq!(progress.models.last(), Some(&open(&disk, 3).unwrap().1));
    }
}

#[test]
fn a_killed_process_leaves_what_the_next_opening_makes_durable() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let mut progress = Progress::begin();
        let (mut log, _) = open(&disk, 1).unwrap();
        progress.run(&mut log, &script(seed, 40)).unwrap();
        disk.kill();
        let (_, recovered) = open(&disk, 2).unwrap();
        assert_eq!(progress.models.last(), Some(&recovered), "no power was lost");
        disk.crash(CrashPolicy::LoseAll);
        assert_eq!(open(&disk, 3).unwrap().1, recovered);
    }
}

#[test]
fn a_process_killed_at_every_operation_leaves_a_log_that_goes_on() {
    let filler = vec![[Step::Append(vec![]), Step::Sync, Step::Reclaim]; 20].concat();
    for seed in 0..3 {
        let steps = script(seed, 50);
        let mut nth = 1;
        while let Some((disk, mut progress)) = run_until(seed, &steps, nth, options()) {
            // What the interrupted operation did is seen by the next process, and is not durable.
            disk.kill();
            let (mut log, mut state) = open(&disk, 2).unwrap();
            progress.check(&state).unwrap();
            let record = Record::Install(GroupId(50), support::meta(LogIndex(0)), 1);
            support::apply(&mut state, &record);
            log.append(&[record]).unwrap();
            log.sync().unwrap();
            let expect_durable = |disk: &SimDisk| {
                disk.crash(CrashPolicy::LoseAll);
                expect_same(disk, &state).unwrap_or_else(|what| panic!("{seed} {nth}: {what}"));
            };
            // At once, when nothing but the opening can have made the names durable.
            expect_durable(&disk.fork());
            // And after enough to begin segments: nothing that was left behind is in the way.
            progress.run(&mut log, &filler).unwrap_or_else(|what| panic!("{seed} {nth}: {what}"));
            expect_durable(&disk);
            nth += 1;
        }
    }
}

#[test]
fn a_failed_sync_is_final_and_the_next_opening_does_not_believe_the_page_cache() {
    for seed in 0..60 {
        let disk = SimDisk::new(seed);
        let mut progress = Progress::begin();
        let (mut log, _) = open(&disk, 1).unwrap();
        progress.run(&mut log, &script(seed, 30)).unwrap();
        disk.fail_next_sync();
        let failure = progress.run(&mut log, &[Step::Append(vec![]), Step::Sync]).unwrap_err();
        let is_sync = matches!(failure, LogError::Failed { operation: "syncing", .. });
        assert!(is_sync, "{failure}");
        for step in [Step::Sync, Step::Append(vec![]), Step::Reclaim] {
            let refusal = Progress::begin().run(&mut log, &[step]).unwrap_err();
            assert!(matches!(refusal, LogError::Stopped { .. }), "{refusal}");
        }
        disk.kill();
        // The next process reads its own unsynced writes back, and may rely on them only once they
        // are on the platter.
        let (_, recovered) = open(&disk, 2).unwrap();
        progress.check(&recovered).unwrap();
        disk.crash(CrashPolicy::LoseAll);
        assert_eq!(open(&disk, 3).unwrap().1, recovered, "seed {seed}");
    }
}

#[test]
fn a_full_disk_stops_the_log_and_loses_nothing_synced() {
    let steps = script(11, 80);
    let mut stops = 0;
    for capacity in (600..20_000).step_by(300) {
        let disk = SimDisk::new(capacity);
        disk.set_capacity_bytes(Some(capacity));
        let mut progress = Progress::begin();
        let Ok((mut log, _)) = open(&disk, 1) else { continue };
        if let Err(error) = progress.run(&mut log, &steps) {
            assert!(matches!(error, LogError::Full { .. }), "{error}");
            assert!(matches!(log.append(&[]), Err(LogError::Stopped { .. })));
            stops += 1;
        }
        disk.kill();
        // The disk is still full: the log opens all the same.
        let (_, recovered) = open(&disk, 2).unwrap();
        progress.check(&recovered).unwrap();
        disk.crash(CrashPolicy::Random);
        assert_eq!(open(&disk, 3).unwrap().1, recovered);
    }
    assert!(stops > 20, "the disk was full often: {stops}");
}

#[test]
fn a_batch_over_the_limit_is_refused_and_nothing_is_written() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk, 1).unwrap();
    let Step::Append(install) = &script(1, 1)[0] else { panic!("scripts begin with a batch") };
    log.append(install).unwrap();
    let payload = vec![0; synod_storage::BATCH_BYTES_MAX + 1];
    let group = GroupId(1);
    let large = support::entry(LogIndex(1), 1, payload);
    let before = log.stats();
    let refusal = log.append(&[Record::Entries(group, vec![large])]).unwrap_err();
    assert!(matches!(refusal, LogError::TooLarge { .. }));
    assert_eq!(log.stats(), before);
    log.append(&[]).unwrap();
}

#[test]
fn planted_bugs_are_caught() {
    for bug in [LogBug::SkipSync, LogBug::ReclaimTooEarly] {
        let options = LogOptions { planted_bug: Some(bug), ..options() };
        let caught = (0..6).any(|seed| check_every_crash(seed, 70, &options).is_err());
        assert!(caught, "{bug:?} goes unseen");
    }
}
