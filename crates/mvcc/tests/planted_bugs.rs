//! The comparison with the twin can fail: every planted bug is found, with the very same rig.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::generate::command;
use common::rig::{Rig, Step, Verdict, same, step};
use common::watcher::{Act, Client, request};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use synod_mvcc::{KeySpaceBug, KeySpaceOptions, WatchLimits};

/// So many random runs must find the bug. They are the same ones every time.
const RUNS: u32 = 2000;

fn run(bug: Option<KeySpaceBug>, steps: &[Step], requests: &[Act]) -> Verdict {
    let mut rig = match bug {
        Some(bug) => Rig::with_bug(bug),
        None => Rig::new(KeySpaceOptions::default()),
    };
    let mut healthy = Rig::new(KeySpaceOptions::default());
    for step in steps {
        rig.take(step)?;
        if let Step::Apply(_) | Step::ApplyNothing = step {
            healthy.take(step)?;
        }
    }
    rig.scrub_all();
    rig.compare()?;
    let hash = |rig: &Rig| rig.reader().hash_everything().unwrap();
    same("the hash", &hash(&rig), &hash(&healthy))?;
    let mut client = Client::new(WatchLimits::default());
    for request in requests {
        client.act(request, &rig)?;
    }
    client.drain(&rig)
}

/// Whether the random runs find something wrong.
fn finds(bug: Option<KeySpaceBug>) -> bool {
    let config = Config { cases: RUNS, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config { max_shrink_iters: 0, ..config }, rng);
    let steps = vec(prop_oneof![3 => step(), 1 => command().prop_map(Step::Apply)], 1..60);
    let requests = vec(request().prop_map(Act::Create), 1..8);
    let found = runner.run(&(steps, requests), |(steps, requests)| {
        run(bug, &steps, &requests).map_err(TestCaseError::fail)
    });
    found.is_err()
}

#[test]
fn nothing_is_found_where_nothing_is_planted() {
    assert!(!finds(None));
}

#[test]
fn an_entry_applied_twice_is_found() {
    assert!(finds(Some(KeySpaceBug::ApplyTwiceAfterReplay)));
}

#[test]
fn an_event_dropped_at_the_compaction_is_found() {
    assert!(finds(Some(KeySpaceBug::DropEventAtCompaction)));
}

#[test]
fn a_live_version_dropped_by_a_scrub_is_found() {
    assert!(finds(Some(KeySpaceBug::ScrubDropsNewestVersion)));
}

#[test]
fn an_expiry_by_a_deposed_lessor_is_found() {
    assert!(finds(Some(KeySpaceBug::IgnoreLessorEpoch)));
}

#[test]
fn an_attachment_that_outlives_a_put_is_found() {
    assert!(finds(Some(KeySpaceBug::PutKeepsAttachment)));
}
