//! Property: a scenario names a run exactly. The same seed gives the same trace (every message, every
//! answer, every event, byte for byte); another seed gives another.

use synod_consensus::Protocol;
use synod_lab::{Scenario, run};

#[test]
fn the_same_seed_twice_gives_the_same_trace() {
    for protocol in [Protocol::Raft, Protocol::Paxos] {
        for seed in 1_000..1_010 {
            let first = run(Scenario::draw(seed, protocol, 3));
            let second = run(Scenario::draw(seed, protocol, 3));
            assert_eq!(first, second, "seed {seed} of {protocol}");
        }
    }
}

#[test]
fn another_seed_gives_another_trace() {
    let first = run(Scenario::draw(1, Protocol::Raft, 3));
    let second = run(Scenario::draw(2, Protocol::Raft, 3));
    assert_ne!(first.trace, second.trace);
}

/// Every recording that a run makes is replayed at its end; this shows that runs do make them.
#[test]
fn recordings_are_made_and_replay() {
    let report = run(Scenario { record: true, ..Scenario::draw(3, Protocol::Paxos, 3) });
    assert_eq!(report.violation, None);
}
