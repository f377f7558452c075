//! Development aid: `cargo run --release -p synod-lab --example sim -- raft 3 0 100`.
use synod_lab::{Scenario, run};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let protocol = args[1].parse().unwrap();
    let stores = args[2].parse().unwrap();
    let from: u64 = args[3].parse().unwrap();
    let to: u64 = args[4].parse().unwrap();
    let mut bad = 0;
    let mut invalid = 0;
    let (mut committed, mut events, mut snaps, mut crashes, mut ops, mut ans, mut rec, mut exp) =
        (0, 0, 0, 0, 0, 0, 0, 0);
    let t = std::time::Instant::now();
    for seed in from..to {
        let r = run(Scenario::draw(seed, protocol, stores));
        if let Some(v) = &r.violation {
            println!("seed {seed}: {v}");
            bad += 1;
        }
        if !r.is_valid() {
            invalid += 1;
        }
        committed += r.committed;
        events += r.events;
        snaps += r.counters.snapshots;
        crashes += r.counters.crashes;
        ops += r.operations;
        ans += r.answered;
        rec += r.counters.segments_reclaimed;
        exp += r.counters.expiries;
    }
    println!(
        "{} runs, {bad} bad, {invalid} invalid, committed {committed}, ops {ops} answered {ans}, events {events}, snapshots {snaps}, crashes {crashes}, reclaimed {rec} {exp}, {:?}",
        to - from,
        t.elapsed()
    );
}
