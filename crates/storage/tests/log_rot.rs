//! Damage to what was written: seen, or indistinguishable from a torn tail, never served.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use proptest::prelude::*;
use std::sync::Arc;
use support::{DIRECTORY, Model, Progress, Step, identity, open, options, script};
use synod_consensus::{GroupId, HardState, LogIndex, StoreId};
use synod_storage::{
    Disk, Log, LogIdentity, LogPosition, OpenError, Record, SECTOR_BYTES, SimDisk,
};

/// A log of a few segments, what it holds, and the place up to which a later batch vouches.
struct Written {
    disk: SimDisk,
    progress: Progress,
    vouched: LogPosition,
}

fn written(seed: u64) -> Written {
    let disk = SimDisk::new(seed);
    let (mut log, _) = open(&disk, 1).unwrap();
    let mut progress = Progress::begin();
    progress.run(&mut log, &script(seed, 30)).unwrap();
    // The newest segment holds several batches that were synced one by one, and then two that were
    // synced together, which nobody vouches for.
    let newest = log.stats().position.segment + 1;
    while log.stats().position.segment < newest || log.stats().position.offset < 2048 {
        progress.run(&mut log, &[filler(), Step::Sync]).unwrap();
    }
    let vouched = log.stats().synced;
    progress.run(&mut log, &[filler(), filler(), Step::Sync]).unwrap();
    assert_eq!(log.stats().position.segment, newest);
    Written { disk, progress, vouched }
}

/// A batch that changes nothing but takes room.
fn filler() -> Step {
    Step::Append(vec![])
}

fn segments(disk: &SimDisk) -> Vec<(u64, String, usize)> {
    let names = disk.list(DIRECTORY).unwrap();
    let one = |name: &String| {
        let path = format!("{DIRECTORY}/{name}");
        let length = disk.contents(&path).unwrap().len();
        (name.trim_end_matches(".log").parse().unwrap(), path, length)
    };
    names.iter().map(one).collect()
}

fn is_refusal(error: &OpenError) -> bool {
    !matches!(error, OpenError::Io { .. })
}

#[test]
fn every_flipped_byte_is_refused_or_cut_with_what_nobody_vouches_for() {
    let Written { disk, progress, vouched } = written(5);
    let must_survive = progress.batches_before(vouched);
    let (mut refused, mut refused_in_newest, mut cut) = (0, 0, 0);
    for (segment, path, length) in segments(&disk) {
        for offset in 0..length as u64 {
            let damaged = disk.fork();
            damaged.flip_bit(&path, offset, (offset % 8) as u8).unwrap();
            let opened = open(&damaged, 2);
            if (LogPosition { segment, offset }) < vouched {
                let error = opened.err().unwrap_or_else(|| panic!("{path} {offset}: not seen"));
                assert!(is_refusal(&error), "{error}");
                assert!(error.to_string().contains(&path), "{error} names the file");
                assert_eq!(damaged.operations(), disk.operations(), "nothing was changed");
                refused += 1;
                refused_in_newest += u64::from(segment == vouched.segment && offset >= 512);
            } else {
                let (_, recovered) = opened.unwrap();
                let kept = progress.models.iter().rposition(|model| *model == recovered);
                assert!(kept.unwrap() >= must_survive, "{path} {offset}");
                cut += 1;
            }
        }
    }
    assert!(refused > 8000, "most of the log is vouched for: {refused}");
    assert_eq!(refused_in_newest, vouched.offset - SECTOR_BYTES, "by later batches, too");
    assert_eq!(cut, 2 * SECTOR_BYTES, "the last two batches have no witness");
}

#[test]
fn a_closed_segment_that_was_cut_anywhere_is_refused() {
    let Written { disk, .. } = written(5);
    let mut closed = segments(&disk);
    closed.pop();
    assert!(closed.len() >= 2, "the script fills some segments");
    for (_, path, length) in closed {
        for kept in (0..length as u64).step_by(64) {
            let damaged = disk.fork();
            damaged.cut_file(&path, kept).unwrap();
            let error = open(&damaged, 2).err().unwrap_or_else(|| panic!("{path} {kept}"));
            assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
        }
    }
}

#[test]
fn a_newest_segment_that_was_cut_is_refused_or_a_whole_prefix() {
    let Written { disk, progress, .. } = written(5);
    let (_, path, length) = segments(&disk).pop().unwrap();
    for kept in 0..length as u64 {
        let damaged = disk.fork();
        damaged.cut_file(&path, kept).unwrap();
        match open(&damaged, 2) {
            Err(error) => assert!(is_refusal(&error), "{error}"),
            Ok((_, recovered)) => assert!(progress.models.contains(&recovered), "{kept}"),
        }
    }
}

#[test]
fn a_missing_segment_is_named() {
    let Written { disk, .. } = written(5);
    let mut needed = segments(&disk);
    needed.pop();
    for (number, path, _) in needed {
        let damaged = disk.fork();
        damaged.lose_file(&path).unwrap();
        let error = open(&damaged, 2).err().unwrap();
        let named = matches!(&error, OpenError::MissingSegment { path: p, .. } if *p == path);
        assert!(named, "segment {number}: {error}");
    }
}

#[test]
fn the_log_of_another_store_is_refused() {
    let Written { disk, .. } = written(5);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let stranger = LogIdentity { store: StoreId(77), seed: 1 };
    let error = Log::open(shared.clone(), DIRECTORY, options(), stranger).err().unwrap();
    let told =
        matches!(error, OpenError::OtherStore { found: support::STORE, expected: StoreId(77), .. });
    assert!(told, "{error}");
    assert_eq!(Log::stored_identity(&shared, DIRECTORY).unwrap(), Some(support::STORE));
    assert_eq!(Log::stored_identity(&shared, "elsewhere").unwrap(), None);
}

#[test]
fn a_segment_of_another_store_among_ours_is_refused() {
    let Written { disk, .. } = written(5);
    let other = SimDisk::new(9);
    let stranger = LogIdentity { store: StoreId(77), seed: 1 };
    Log::open(Arc::new(other.clone()), DIRECTORY, options(), stranger).unwrap();
    let (_, path, _) = segments(&other).remove(0);
    disk.install_file(&path, &other.contents(&path).unwrap());
    assert!(matches!(open(&disk, 2), Err(OpenError::OtherStore { .. })));
}

#[test]
fn another_version_of_the_format_is_refused_by_its_number() {
    let disk = SimDisk::new(1);
    drop(open(&disk, 1).unwrap());
    let (_, path, _) = segments(&disk).remove(0);
    let mut file = disk.contents(&path).unwrap();
    file[8] = 9;
    let sum = synod_codec::extend_checksum(synod_codec::checksum(&file[..12]), &file[16..512]);
    file[12..16].copy_from_slice(&sum.to_le_bytes());
    disk.install_file(&path, &file);
    let error = open(&disk, 1).err().unwrap();
    assert!(matches!(error, OpenError::OtherVersion { found: 9, supported: 1, .. }), "{error}");
}

#[test]
fn a_segment_under_another_number_is_refused() {
    let Written { disk, .. } = written(5);
    let all = segments(&disk);
    let (_, newest, _) = all.last().unwrap();
    disk.install_file(newest, &disk.contents(&all[0].1).unwrap());
    assert!(matches!(open(&disk, 2), Err(OpenError::Corrupt { .. })));
}

#[test]
fn rot_that_reclaiming_meets_is_not_copied_forward() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk, 1).unwrap();
    let mut progress = Progress::begin();
    let Step::Append(first) = &script(1, 1)[0] else { panic!("scripts begin with a batch") };
    progress.run(&mut log, &[Step::Append(first.clone())]).unwrap();
    disk.flip_bit("log/00000000000000000001.log", 600, 3).unwrap();
    let steps = script(1, 400);
    let error = (1..20).find_map(|_| progress.run(&mut log, &steps[1..]).err());
    assert!(matches!(error, Some(synod_storage::LogError::Corrupt { .. })), "{error:?}");
}

#[test]
fn a_torn_tail_is_cut_so_that_it_never_comes_back() {
    let disk = SimDisk::new(1);
    let (mut log, _) = open(&disk, 1).unwrap();
    let Step::Append(first) = &script(1, 1)[0] else { panic!("scripts begin with a batch") };
    log.append(first).unwrap();
    let torn = log.sync().unwrap();
    let state = |round| {
        let committed = LogIndex(round);
        Record::HardState(GroupId(1), HardState { committed, ..HardState::default() })
    };
    // Two batches, not synced; the second reaches the disk, the first does not.
    log.append(&[state(1)]).unwrap();
    log.append(&[state(2)]).unwrap();
    disk.kill();
    let (_, path, _) = segments(&disk).remove(0);
    let mut file = disk.contents(&path).unwrap();
    file[torn.offset as usize..][..512].fill(0);
    disk.install_file(&path, &file);
    let (mut log, groups) = open(&disk, 2).unwrap();
    assert_eq!(groups[&GroupId(1)].hard_state.committed, LogIndex(0));
    // A batch of the same size in the place of the first must not bring the second to life.
    log.append(&[state(3)]).unwrap();
    log.sync().unwrap();
    let (_, groups) = open(&disk, 3).unwrap();
    assert_eq!(groups[&GroupId(1)].hard_state.committed, LogIndex(3));
}

fn recovered(disk: &SimDisk) -> Result<Model, OpenError> {
    Log::open(Arc::new(disk.clone()), DIRECTORY, options(), identity(2)).map(|(_, model)| model)
}

proptest! {
    #[test]
    fn arbitrary_bytes_for_a_segment_never_panic(raw: Vec<u8>, keep in 0usize..2048) {
        let Written { disk, progress, .. } = written(5);
        let (_, path, _) = segments(&disk).pop().unwrap();
        let mut file = disk.contents(&path).unwrap();
        file.truncate(keep);
        file.extend(raw);
        disk.install_file(&path, &file);
        if let Ok(model) = recovered(&disk) {
            prop_assert!(progress.models.contains(&model));
        }
    }

    #[test]
    fn many_wounds_at_once_never_show_a_state_that_never_was(
        wounds in proptest::collection::vec((any::<u64>(), 0u8..8, any::<usize>()), 1..20),
    ) {
        let Written { disk, progress, .. } = written(6);
        let all = segments(&disk);
        for (offset, bit, segment) in wounds {
            let (_, path, length) = &all[segment % all.len()];
            disk.flip_bit(path, offset % *length as u64, bit).unwrap();
        }
        if let Ok(model) = recovered(&disk) {
            prop_assert!(progress.models.contains(&model));
        }
    }
}
