//! `synod sim`: simulates clusters under faults, run after run, and reports the first broken promise
//! of each.

use clap::Args;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use synod_consensus::Protocol;
use synod_lab::{Report, SECOND, Scenario};

pub(crate) const HELP: &str = "\
A seed and a commit name a run exactly: the same seed gives the same run, byte for byte.

Examples:
  synod sim                                      both protocols, 100 seeds each
  synod sim --consensus paxos --stores 5 --seeds 0..10000
  synod sim --minutes 60                         new seeds for an hour
  synod sim --consensus raft --stores 3 --seed 98   one run again

Exit codes:
  0  no promise broke
  1  a promise broke: the lines above say which, and how to run it again
  2  the command line is wrong";

#[derive(Args, Debug)]
pub(crate) struct SimFlags {
    /// The protocol: raft, paxos; both without this flag
    #[arg(long, value_name = "PROTOCOL")]
    consensus: Option<Protocol>,
    /// How many stores a cluster has
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=7))]
    stores: u64,
    /// One run
    #[arg(long, conflicts_with_all = ["seeds", "minutes"])]
    seed: Option<u64>,
    /// Which runs
    #[arg(long, value_name = "FROM..TO", value_parser = parse_seeds, conflicts_with = "minutes")]
    seeds: Option<Range<u64>>,
    /// New runs for so many minutes
    #[arg(long)]
    minutes: Option<u64>,
}

/// Without flags so many seeds are run.
const SEEDS_DEFAULT: Range<u64> = 0..100;

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let numbers = text
        .split_once("..")
        .and_then(|(from, to)| Some(Range { start: from.parse().ok()?, end: to.parse().ok()? }));
    match numbers {
        Some(range) if range.start < range.end => Ok(range),
        _ => Err(format!("'{text}' is not FROM..TO with FROM below TO, like 0..1000")),
    }
}

pub(crate) fn run(flags: &SimFlags) -> ExitCode {
    // A broken promise is reported in a line; a panic's backtrace beside it helps nobody here.
    std::panic::set_hook(Box::new(|_| {}));
    let plan = Plan::new(flags);
    let total = Mutex::new(Total::default());
    let next = AtomicU64::new(plan.seeds.start);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| plan.work(&next, &total));
        }
    });
    let total = total.into_inner().expect("no worker panics while it counts");
    println!("{}", total.summary(&plan));
    ExitCode::from(u8::from(total.broken > 0))
}

/// What to run.
struct Plan {
    protocols: Vec<Protocol>,
    stores: usize,
    seeds: Range<u64>,
    until: Option<Instant>,
    started: Instant,
}

impl Plan {
    fn new(flags: &SimFlags) -> Self {
        let started = Instant::now();
        let minutes = flags.minutes.map(|minutes| Duration::from_secs(60 * minutes));
        let seeds = match (flags.seed, &flags.seeds, minutes) {
            (Some(seed), _, _) => seed..seed + 1,
            (None, Some(seeds), _) => seeds.clone(),
            // Seeds that nobody has run before: those of this moment.
            (None, None, Some(_)) => fresh_seed()..u64::MAX,
            (None, None, None) => SEEDS_DEFAULT,
        };
        Self {
            protocols: flags.consensus.map_or(vec![Protocol::Raft, Protocol::Paxos], |it| vec![it]),
            stores: usize::try_from(flags.stores).expect("it is at most seven"),
            seeds,
            until: minutes.map(|minutes| started + minutes),
            started,
        }
    }

    fn work(&self, next: &AtomicU64, total: &Mutex<Total>) {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= self.seeds.end || self.until.is_some_and(|until| Instant::now() >= until) {
                return;
            }
            for protocol in &self.protocols {
                let report = synod_lab::run(Scenario::draw(seed, *protocol, self.stores));
                let mut total = total.lock().expect("no worker panics while it counts");
                total.add(&report, *protocol, self.stores);
            }
        }
    }
}

fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs()) << 20
}

#[derive(Default)]
struct Total {
    runs: u64,
    invalid: u64,
    broken: u64,
    committed: u64,
    simulated_micros: u64,
    store_micros: u64,
    crashes: u64,
    leaders: u64,
    snapshots: u64,
}

impl Total {
    fn add(&mut self, report: &Report, protocol: Protocol, stores: usize) {
        self.runs += 1;
        self.invalid += u64::from(!report.is_valid());
        self.committed += report.committed;
        self.simulated_micros += report.simulated.0;
        self.store_micros += report.simulated.0 * stores as u64;
        self.crashes += report.counters.crashes;
        self.leaders += report.counters.leaders;
        self.snapshots += report.counters.snapshots;
        if let Some(violation) = &report.violation {
            self.broken += 1;
            let seed = report.seed;
            println!("seed {seed} of {protocol} on {stores} stores: {violation}");
            println!("  again: synod sim --consensus {protocol} --stores {stores} --seed {seed}");
        }
    }

    fn summary(&self, plan: &Plan) -> String {
        let hours = self.simulated_micros as f64 / SECOND as f64 / 3600.0;
        let store_hours = self.store_micros as f64 / SECOND as f64 / 3600.0;
        format!(
            "{} runs in {:.1} s: {} promises broken, {} runs committed too little to count\n\
             simulated {hours:.2} cluster-hours ({store_hours:.2} store-hours): {} entries committed, \
             {} power losses, {} elections, {} snapshots installed",
            self.runs,
            plan.started.elapsed().as_secs_f64(),
            self.broken,
            self.invalid,
            self.committed,
            self.crashes,
            self.leaders,
            self.snapshots,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range_that_is_not_empty() {
        assert_eq!(parse_seeds("3..9"), Ok(3..9));
        for wrong in ["", "3", "9..3", "3..3", "a..b", "-1..4"] {
            assert!(parse_seeds(wrong).is_err(), "{wrong}");
        }
    }
}
