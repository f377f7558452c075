//! Property: no promise breaks, whatever the seed draws: 300 seeds of each protocol, on three and
//! on five stores. More seeds, or one: `synod sim --help`.

use synod_consensus::Protocol;
use synod_lab::{Scenario, run};

const SEEDS: u64 = 300;
/// Runs that commit too little show nothing; so many of a hundred may be such.
const INVALID_PERCENT_MAX: u64 = 5;

fn no_promise_breaks(protocol: Protocol, stores: usize) {
    let mut invalid = 0;
    for seed in 0..SEEDS {
        let report = run(Scenario::draw(seed, protocol, stores));
        if let Some(violation) = report.violation {
            panic!(
                "{violation}\nagain: synod sim --consensus {protocol} --stores {stores} --seed {seed}"
            );
        }
        invalid += u64::from(!report.is_valid());
    }
    assert!(invalid * 100 <= SEEDS * INVALID_PERCENT_MAX, "{invalid} runs committed too little");
}

#[test]
fn raft_on_three_stores() {
    no_promise_breaks(Protocol::Raft, 3);
}

#[test]
fn raft_on_five_stores() {
    no_promise_breaks(Protocol::Raft, 5);
}

#[test]
fn paxos_on_three_stores() {
    no_promise_breaks(Protocol::Paxos, 3);
}

#[test]
fn paxos_on_five_stores() {
    no_promise_breaks(Protocol::Paxos, 5);
}
