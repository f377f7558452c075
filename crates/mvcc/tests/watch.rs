//! A watch is told every wanted event once, in order, whole revisions, from any start, however slow
//! its client is and whatever happens to the key space meanwhile.

mod common;

use common::rig::{Rig, Step, step};
use common::watcher::{Act, Client, act, limits};
use proptest::collection::vec;
use proptest::prelude::*;
use synod_mvcc::KeySpaceOptions;

#[derive(Clone, Debug)]
enum Happening {
    Step(Step),
    Act(Act),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![step().prop_map(Happening::Step), act().prop_map(Happening::Act)]
}

proptest! {
    #![proptest_config(common::config(1000))]

    #[test]
    fn a_watch_is_told_everything_once_and_in_order(
        happenings in vec(happening(), 1..120),
        limits in limits(),
        recent_events_bytes_max in prop_oneof![Just(0usize), Just(1500), Just(1 << 20)],
    ) {
        let options = KeySpaceOptions { recent_events_bytes_max, ..KeySpaceOptions::default() };
        let mut rig = Rig::new(options);
        let mut client = Client::new(limits);
        for happening in &happenings {
            let verdict = match happening {
                Happening::Step(step) => rig.take(step),
                Happening::Act(act) => client.act(act, &rig),
            };
            verdict.map_err(TestCaseError::fail)?;
        }
        client.drain(&rig).map_err(TestCaseError::fail)?;
    }
}
