//! Property: a store may lose its power at any single operation of its disk. One eventful run (logs
//! are appended to, cut or overwritten; snapshots are installed; segments reclaimed) is repeated for
//! every operation that a store's disk carried out in it, with the power cut just there.
#![allow(clippy::disallowed_macros, reason = "how much a run held is worth reading")]

use synod_consensus::Protocol;
use synod_lab::{Counters, Scenario, run};

/// A run of this protocol in which everything happens that a crash could hit.
fn eventful(protocol: Protocol) -> (u64, Counters, Vec<u64>) {
    let rewrites = |counters: &Counters| match protocol {
        Protocol::Raft => counters.cuts,
        Protocol::Paxos => counters.overwrites,
    };
    let found = (0..500).find_map(|seed| {
        let report = run(Scenario::eventful(seed, protocol));
        assert_eq!(report.violation, None, "seed {seed}");
        let counters = report.counters;
        let rich =
            rewrites(&counters) > 0 && counters.snapshots > 0 && counters.segments_reclaimed > 0;
        rich.then_some((seed, counters, report.disk_operations))
    });
    found.expect("one of the seeds is rich enough")
}

fn survives_a_crash_everywhere(protocol: Protocol) {
    let (seed, counters, operations) = eventful(protocol);
    println!("{protocol}: seed {seed}, {counters:?}, disk operations {operations:?}");
    let place = 0;
    for operation in 1..=operations[place] {
        let crash_at = Some((place, operation));
        let report = run(Scenario { crash_at, ..Scenario::eventful(seed, protocol) });
        assert_eq!(report.violation, None, "{protocol}, seed {seed}, power lost at {operation}");
    }
}

#[test]
fn raft_survives_a_crash_at_every_disk_operation() {
    survives_a_crash_everywhere(Protocol::Raft);
}

#[test]
fn paxos_survives_a_crash_at_every_disk_operation() {
    survives_a_crash_everywhere(Protocol::Paxos);
}
