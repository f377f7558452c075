//! One run from beginning to end: safety under faults, then liveness without, then durability.

use crate::check::{Account, check};
use crate::history::{Asked, Told};
use crate::network::Place;
use crate::scenario::{Sabotage, Scenario};
use crate::sim::{Counters, Sim};
use crate::time::{MILLISECOND, Micros, SECOND};
use crate::violation::{Property, Violation};
use bytes::Bytes;
use std::panic::{AssertUnwindSafe, catch_unwind};
use synod_consensus::GroupId;
use synod_mvcc::{Command, Put};

/// With all faults healed, the cluster must serve and agree within this time.
const SETTLE: u64 = 30 * SECOND;
/// How long clients go on after the faults.
const CALM: u64 = SECOND;
/// A run that committed less shows little.
const COMMITTED_MIN: u64 = 30;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which run.
    pub seed: u64,
    /// The broken promise, if one broke.
    pub violation: Option<Violation>,
    /// What the default group committed.
    pub committed: u64,
    /// How many requests clients made.
    pub operations: u64,
    /// How many of them were told a result.
    pub answered: u64,
    /// How many events the simulator went through.
    pub events: u64,
    /// The simulated time.
    pub simulated: Micros,
    /// Everything that happened, folded into one number.
    pub trace: u32,
    /// What happened how often.
    pub counters: Counters,
    /// How many operations each store's disk has carried out.
    pub disk_operations: Vec<u64>,
}

impl Report {
    /// Whether the run did enough to show anything.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.violation.is_some() || self.committed >= COMMITTED_MIN
    }
}

/// Runs a scenario. A panic of the code under test is a broken promise, too.
#[must_use]
pub fn run(scenario: Scenario) -> Report {
    let seed = scenario.seed;
    let mut sim = Sim::new(scenario);
    let ended = catch_unwind(AssertUnwindSafe(|| phases(&mut sim)));
    let violation = match ended {
        Ok(Ok(())) => None,
        Ok(Err(violation)) => Some(violation),
        Err(panic) => Some(sim.broken(message_of(&*panic))),
    };
    report(seed, &sim, violation)
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    format!("panic: {}", text.unwrap_or_else(|| "without a message".to_owned()))
}

fn report(seed: u64, sim: &Sim, violation: Option<Violation>) -> Report {
    let operations = sim.history.operations();
    let answered = operations.iter().filter(|operation| {
        matches!(operation.told, Told::Applied { .. } | Told::Read { .. } | Told::Renewed(_))
    });
    Report {
        seed,
        violation,
        committed: sim.witnesses[&GroupId::DEFAULT].last().0,
        operations: operations.len() as u64,
        answered: answered.count() as u64,
        events: sim.events,
        simulated: sim.now,
        trace: sim.trace,
        counters: sim.counters,
        disk_operations: sim.stores.iter().map(|store| store.disk.operations()).collect(),
    }
}

type Checked = Result<(), Violation>;

fn phases(sim: &mut Sim) -> Checked {
    sim.run_until(Micros(sim.scenario.fault_phase))?;
    if sim.scenario.sabotage == Sabotage::CutOff {
        sim.scenario.sabotage_links(&mut sim.network);
    } else {
        sim.heal();
    }
    let calm = sim.now.plus(CALM);
    sim.run_until(calm)?;
    sim.clients_active = false;
    settle(sim, "after the faults")?;
    every_store_serves(sim)?;
    settle(sim, "after every store has served")?;
    leases_run_out(sim)?;
    lose_power(sim)?;
    conclude(sim)
}

/// Lets the cluster run until all stores hold everything and every client has its answer.
fn settle(sim: &mut Sim, when: &str) -> Checked {
    let limit = sim.now.plus(SETTLE);
    while sim.now < limit {
        let until = sim.now.plus(100 * MILLISECOND);
        sim.run_until(until)?;
        if is_settled(sim) {
            return Ok(());
        }
    }
    let applied: Vec<_> = sim.applied(GroupId::DEFAULT).collect();
    let last = sim.witnesses[&GroupId::DEFAULT].last();
    let open = sim.history.operations().iter().filter(|it| it.ended.is_none()).count();
    let detail = format!(
        "not settled {when}: committed {last}, applied {applied:?}, {open} requests open, {}",
        roles(sim)
    );
    Err(Violation { property: Property::Liveness, at: sim.now, detail })
}

fn roles(sim: &Sim) -> String {
    let role = |store: &crate::store::Store| {
        let process = store.process.as_ref()?;
        let status = process.members[&GroupId::DEFAULT].group().status();
        Some(format!("{:?} {:?}", status.soft_state.role, status.soft_state.ballot))
    };
    format!("{:?}", sim.stores.iter().map(role).collect::<Vec<_>>())
}

fn is_settled(sim: &Sim) -> bool {
    let agreed = sim.scenario.groups().all(|group| {
        let last = sim.witnesses[&group].last();
        sim.applied(group).all(|applied| applied == Some(last))
    });
    agreed && sim.history.operations().iter().all(|operation| operation.ended.is_some())
}

/// A write through every store is answered. A leader may change meanwhile: then it is not known
/// what became of the write, and another one is made.
fn every_store_serves(sim: &mut Sim) -> Checked {
    for place in 0..sim.stores.len() {
        let limit = sim.now.plus(SETTLE);
        while !serves(sim, place, limit)? {
            if sim.now >= limit {
                let detail = format!("store {} does not serve, {}", place + 1, roles(sim));
                return Err(Violation { property: Property::Liveness, at: sim.now, detail });
            }
        }
    }
    Ok(())
}

fn serves(sim: &mut Sim, place: Place, limit: Micros) -> Result<bool, Violation> {
    if !sim.is_up(place) {
        let until = sim.now.plus(10 * MILLISECOND);
        return sim.run_until(until).map(|()| false);
    }
    let asked = sim.history.operations().len();
    let (key, value) = (Bytes::from_static(b"k0"), Bytes::from_static(b"served"));
    let command = Command::Put(Put { key, value, ..Put::default() });
    sim.ask(0, place, Asked::Command { command, origin: None })?;
    while sim.history.operations()[asked].ended.is_none() && sim.now < limit {
        let until = sim.now.plus(10 * MILLISECOND);
        sim.run_until(until)?;
    }
    Ok(matches!(sim.history.operations()[asked].told, Told::Applied { .. }))
}

/// Nobody renews any more, so every lease ends.
fn leases_run_out(sim: &mut Sim) -> Checked {
    let limit = sim.now.plus(SETTLE);
    loop {
        let until = sim.now.plus(500 * MILLISECOND);
        sim.run_until(until)?;
        let place = (0..sim.stores.len()).find(|place| sim.is_up(*place)).unwrap_or(0);
        let Some(process) = &sim.stores[place].process else { continue };
        let reader = process.members[&GroupId::DEFAULT].keyspace.reader();
        let leases = reader.leases().map_err(|fatal| sim.broken(fatal.to_string()))?;
        if leases.is_empty() {
            return settle(sim, "after the leases ran out");
        }
        if sim.now >= limit {
            let detail = format!("{leases:?} do not run out, {}", roles(sim));
            return Err(Violation { property: Property::Liveness, at: sim.now, detail });
        }
    }
}

/// All stores lose their power together; what was committed is there afterwards, on every one.
fn lose_power(sim: &mut Sim) -> Checked {
    for place in 0..sim.stores.len() {
        sim.crash(place)?;
        if sim.scenario.sabotage == Sabotage::WipeDisks {
            sim.wipe(place);
        }
    }
    // Settled is who holds everything that was ever committed.
    settle(sim, "after all stores lost their power")
        .map_err(|violation| Violation { property: Property::Durability, ..violation })?;
    every_store_serves(sim)?;
    settle(sim, "at the end")
}

fn conclude(sim: &mut Sim) -> Checked {
    let witness = &sim.witnesses[&GroupId::DEFAULT];
    let account = check(&sim.history, witness, sim.scenario.drift_believed_per_million)?;
    let same = same_state(sim, &account);
    sim.unless_muted(same)?;
    watchers_complete(sim, &account)?;
    recordings_replay(sim)
}

/// Every store holds the same, and what the twin holds.
fn same_state(sim: &Sim, account: &Account) -> Checked {
    let mut first = None;
    for store in &sim.stores {
        let Some(process) = &store.process else { continue };
        let reader = process.members[&GroupId::DEFAULT].keyspace.reader();
        let hash = reader.hash_everything().map_err(|fatal| sim.broken(fatal.to_string()))?;
        let state = (reader.revision(), reader.compact_revision(), hash);
        let expected = *first.get_or_insert(state);
        let twin = (account.twin.revision(), account.twin.compact_revision());
        if state != expected || (state.0, state.1) != twin {
            let detail =
                format!("{:?} holds {state:?}, expected {expected:?}, twin {twin:?}", store.id);
            return Err(Violation { property: Property::ReplicaEquality, at: sim.now, detail });
        }
    }
    Ok(())
}

fn watchers_complete(sim: &mut Sim, account: &Account) -> Checked {
    // Long enough for every watcher to connect again, and again after a compaction.
    let until = sim.now.plus(2 * SECOND);
    sim.run_until(until)?;
    sim.watchers.iter().try_for_each(|watcher| watcher.check(&account.events, sim.now))
}

fn recordings_replay(sim: &mut Sim) -> Checked {
    let at = sim.now;
    let mut recordings = sim.take_recordings();
    if sim.scenario.sabotage == Sabotage::CutRecordings {
        recordings.iter_mut().for_each(|recording| recording.truncate(recording.len() - 1));
    }
    let differs = recordings.into_iter().position(|it| !replays(it));
    match differs {
        None => Ok(()),
        Some(which) => {
            let detail = format!("recording {which} does not replay exactly");
            Err(Violation { property: Property::Replay, at, detail })
        }
    }
}

/// Whether a recording replays to its end with the same fingerprints.
fn replays(recording: Vec<u8>) -> bool {
    let replayed = synod_group::journal::replay(recording.into());
    replayed.is_ok_and(|replayed| replayed.cut_short.is_none() && replayed.compared > 0)
}
