//! The key space does what its naive twin does, through crashes, replays, scrubs and snapshots.

mod common;

use common::generate::command;
use common::rig::{Rig, Step, copy, same, step};
use proptest::collection::vec;
use proptest::prelude::*;
use synod_mvcc::{KeySpace, KeySpaceOptions};
use synod_storage::MemoryEngine;

/// Large caches, tiny ones, and none.
fn options() -> impl Strategy<Value = KeySpaceOptions> {
    let bytes = || prop_oneof![Just(0usize), Just(1500), Just(1 << 20)];
    (bytes(), bytes()).prop_map(|(recent_events_bytes_max, latest_bytes_max)| KeySpaceOptions {
        recent_events_bytes_max,
        latest_bytes_max,
        planted_bug: None,
    })
}

fn check(verdict: Result<(), String>) -> Result<(), TestCaseError> {
    verdict.map_err(TestCaseError::fail)
}

proptest! {
    #![proptest_config(common::config(600))]

    #[test]
    fn a_key_space_does_what_its_twin_does(options in options(), steps in vec(step(), 1..80)) {
        let mut rig = Rig::new(options);
        for step in &steps {
            check(rig.take(step))?;
        }
        check(rig.compare())?;
        rig.scrub_all();
        check(rig.compare())?;
    }

    #[test]
    fn replicas_agree_however_far_they_scrubbed(commands in vec(command(), 1..60), budget in 1usize..4) {
        let mut eager = Rig::new(KeySpaceOptions::default());
        let mut lazy = Rig::new(KeySpaceOptions::default());
        for command in &commands {
            check(eager.apply(command))?;
            check(eager.take(&Step::Scrub(budget)))?;
            check(lazy.apply(command))?;
        }
        let hash = |rig: &Rig| rig.reader().hash_everything().unwrap();
        check(same("the hash", &hash(&eager), &hash(&lazy)))?;
        check(same("the hash of keys", &eager.reader().hash(None), &lazy.reader().hash(None)))?;
        lazy.scrub_all();
        check(same("the hash after scrubbing", &hash(&eager), &hash(&lazy)))?;
    }

    #[test]
    fn states_that_differ_have_other_hashes(commands in vec(command(), 1..30), extra in command()) {
        let mut rig = Rig::new(KeySpaceOptions::default());
        for command in &commands {
            check(rig.apply(command))?;
        }
        let (before, twin) = (rig.reader().hash_everything().unwrap(), rig.twin.clone());
        check(rig.apply(&extra))?;
        if rig.twin != twin {
            prop_assert_ne!(rig.reader().hash_everything().unwrap(), before);
        }
    }

    #[test]
    fn a_snapshot_is_the_state_it_was_taken_of(
        commands in vec(command(), 1..60), bytes in 1usize..400, later in vec(command(), 0..10),
    ) {
        let mut rig = Rig::new(KeySpaceOptions::default());
        for command in &commands {
            check(rig.apply(command))?;
        }
        let reader = rig.reader();
        let hash = reader.hash_everything().unwrap();
        for command in &later {
            check(rig.apply(command))?;
        }
        rig.scrub_all();
        let other = MemoryEngine::new();
        let applied = copy(&reader, &other, 5, bytes);
        let space = KeySpace::open(std::sync::Arc::new(other), common::rig::GROUP, 5).unwrap();
        prop_assert_eq!(space.applied(), applied);
        prop_assert_eq!(space.reader().hash_everything().unwrap(), hash);
    }
}
