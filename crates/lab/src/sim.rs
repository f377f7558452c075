//! The simulator: a whole cluster in one thread under simulated time.
//!
//! Events happen one after the other; each lets a store do something and carries out what its
//! groups want done. After every step the invariants are checked. Nothing here depends on anything
//! but the scenario: the same one gives the same trace, byte for byte.

mod apply;
mod clients;
mod leases;
mod log;
mod power;
mod watchers;

use crate::history::History;
use crate::member::Member;
use crate::network::{LinkFaults, Network, Place};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::schedule::{Event, Schedule};
use crate::store::Store;
use crate::time::{Clock, Micros};
use crate::violation::{Property, Violation};
use crate::watcher::Watcher;
use crate::witness::Witness;
use crate::workload::Workload;
use bytes::Bytes;
use std::collections::BTreeMap;
use synod_consensus::{GroupId, LogIndex, Role};
use synod_group::{
    GroupEffects, Input, LogWrite, Outgoing, RequestId, decode_message, encode_message,
};
use synod_mvcc::Revision;
use synod_storage::Record;

/// How long clients wait for an answer, in microseconds of their store's clock.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
/// How much is handed out to be applied at once.
const APPLY_BYTES: usize = 4_096;
/// A run takes some ten thousand events: far beyond, something spins.
const EVENTS_MAX: u64 = 2_000_000;
/// How long an apply queue may get before no more is taken.
const APPLY_QUEUE_MAX: usize = 64;
/// How many events a scrub looks at.
const SCRUB_EVENTS: usize = 16;

/// A simulated cluster with its clients.
pub struct Sim {
    /// What is simulated.
    pub scenario: Scenario,
    /// The simulator's time.
    pub now: Micros,
    /// What will happen.
    pub schedule: Schedule,
    /// The links.
    pub network: Network,
    /// The stores.
    pub stores: Vec<Store>,
    /// What each group has committed.
    pub witnesses: BTreeMap<GroupId, Witness>,
    /// What clients asked and were told.
    pub history: History,
    /// The watchers.
    pub watchers: Vec<Watcher>,
    /// Who waits for what.
    waiting: BTreeMap<(Place, RequestId), Waiting>,
    next_request: u64,
    pub(crate) random: Random,
    pub(crate) workload: Workload,
    /// Whether clients ask anything more.
    pub clients_active: bool,
    /// Whether faults happen.
    pub faults_active: bool,
    /// Folds everything that happens into one number.
    pub trace: u32,
    /// How many events happened.
    pub events: u64,
    /// Counts what happened, for reports and to tell that a run did any work.
    pub counters: Counters,
    recordings: Vec<Vec<u8>>,
    /// The last position written to each log, to tell overwriting from appending.
    written: BTreeMap<(Place, GroupId), LogIndex>,
}

/// How often things happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Stores that lost their power.
    pub crashes: u64,
    /// Leaderships begun in the default group.
    pub leaders: u64,
    /// Snapshots installed.
    pub snapshots: u64,
    /// Messages delivered.
    pub messages: u64,
    /// Segments reclaimed.
    pub segments_reclaimed: u64,
    /// Writes that cut a log.
    pub cuts: u64,
    /// Writes that replaced entries without cutting what follows.
    pub overwrites: u64,
}

#[derive(Clone, Debug)]
enum Waiting {
    Client {
        operation: usize,
    },
    Keeper {
        group: GroupId,
    },
    /// The node's own note in the meta group.
    Nobody,
}

type Checked = Result<(), Violation>;

impl Sim {
    /// A cluster that is about to start for the first time.
    #[must_use]
    pub fn new(scenario: Scenario) -> Self {
        let random = Random::new(scenario.seed);
        let mut clocks = random.split("clocks");
        let drift = u64::try_from(scenario.drift_per_million).expect("a bound is not negative");
        let stores = (0..scenario.stores).map(|place| {
            let drift_per_million = clocks.below(2 * drift + 1) as i64 - drift as i64;
            let clock = Clock { offset: clocks.below(1 << 40), drift_per_million };
            Store::new(Scenario::store_id(place), scenario.seed ^ (place as u64 + 1), clock)
        });
        let mut sim = Self {
            now: Micros(0),
            schedule: Schedule::default(),
            network: Network::new(random.split("network"), scenario.links),
            stores: stores.collect(),
            witnesses: scenario.groups().map(|group| (group, Witness::default())).collect(),
            history: History::default(),
            watchers: Vec::new(),
            waiting: BTreeMap::new(),
            next_request: 0,
            workload: Workload::new(random.split("workload")),
            random: random.split("events"),
            clients_active: true,
            faults_active: scenario.fault_every > 0,
            trace: 0,
            events: 0,
            counters: Counters::default(),
            recordings: Vec::new(),
            written: BTreeMap::new(),
            scenario,
        };
        sim.begin();
        sim
    }

    fn begin(&mut self) {
        for place in 0..self.stores.len() {
            self.schedule.add(Micros(0), Event::Restart(place));
        }
        for client in 0..self.scenario.clients {
            self.schedule.add(Micros(1_000 * client as u64), Event::Client(client));
        }
        let mut ranges = self.random.split("watchers");
        for watcher in 0..self.scenario.watchers {
            let range = crate::workload::watched_range(&mut ranges, watcher);
            self.watchers.push(Watcher::new(range));
            self.schedule.add(Micros(500), Event::Watcher(watcher));
        }
        if self.faults_active {
            self.schedule.add(Micros(self.scenario.fault_every), Event::Fault);
        }
    }

    /// Lets everything happen that is due by `until`.
    ///
    /// # Errors
    /// The first broken promise.
    pub fn run_until(&mut self, until: Micros) -> Checked {
        while let Some((at, event)) = self.schedule.next() {
            if at > until {
                self.schedule.add(at, event);
                break;
            }
            self.now = self.now.max(at);
            self.events += 1;
            self.fold(format!("{at:?} {event:?}").as_bytes());
            if self.events > EVENTS_MAX {
                return Err(self.broken(format!("it does not come to rest: {event:?}")));
            }
            self.happen(event)?;
        }
        self.now = self.now.max(until);
        Ok(())
    }

    fn fold(&mut self, bytes: &[u8]) {
        self.trace = synod_codec::extend_checksum(self.trace, bytes);
    }

    fn happen(&mut self, event: Event) -> Checked {
        if let Some(place) = self.paused(&event) {
            let resume = self.stores[place].paused_until;
            self.schedule.add(resume, event);
            return Ok(());
        }
        match event {
            Event::Deliver { to, from, group, bytes } => self.deliver(to, from, group, bytes),
            Event::Timer(place) => self.timer(place),
            Event::Synced(place, incarnation) if self.runs(place, incarnation) => {
                self.synced(place)
            }
            Event::Apply(place, incarnation, group) if self.runs(place, incarnation) => {
                self.apply_one(place, group)
            }
            Event::Maintain(place, incarnation) if self.runs(place, incarnation) => {
                self.maintain(place)
            }
            Event::CrashLeader(place, incarnation) if self.runs(place, incarnation) => {
                self.crash(place)
            }
            Event::Synced(..) | Event::Apply(..) | Event::Maintain(..) | Event::CrashLeader(..) => {
                Ok(())
            }
            Event::Restart(place) => self.restart(place),
            Event::Client(client) => self.client_asks(client),
            Event::Watcher(watcher) => self.watcher_looks(watcher),
            Event::Fault => self.fault(),
            Event::Heal => {
                self.network.heal();
                Ok(())
            }
        }
    }

    /// The store whose pause an event must wait for.
    fn paused(&self, event: &Event) -> Option<Place> {
        let place = match event {
            Event::Deliver { to, .. } => *to,
            Event::Timer(place) => *place,
            Event::Synced(place, _) | Event::Apply(place, ..) | Event::Maintain(place, _) => *place,
            Event::Restart(_)
            | Event::CrashLeader(..)
            | Event::Client(_)
            | Event::Watcher(_)
            | Event::Fault
            | Event::Heal => {
                return None;
            }
        };
        (self.stores[place].paused_until > self.now).then_some(place)
    }

    fn runs(&self, place: Place, incarnation: u64) -> bool {
        let store = &self.stores[place];
        store.process.is_some() && store.incarnation == incarnation
    }

    /// Whether a store runs at all.
    #[must_use]
    pub fn is_up(&self, place: Place) -> bool {
        self.stores[place].process.is_some()
    }

    fn member(&mut self, place: Place, group: GroupId) -> Option<&mut Member> {
        self.stores[place].process.as_mut().map(|process| process.member(group))
    }

    /// Hands an input to a group, and carries out what follows from it.
    fn input(&mut self, place: Place, group: GroupId, input: Input) -> Checked {
        let now = self.stores[place].now(self.now);
        if let Some(member) = self.member(place, group) {
            member.handle(now, input);
        }
        self.pump(place, group)
    }

    fn deliver(&mut self, to: Place, from: Place, group: GroupId, bytes: Bytes) -> Checked {
        if !self.is_up(to) {
            return Ok(());
        }
        self.counters.messages += 1;
        let message = decode_message(bytes).map_err(|error| self.broken(error.to_string()))?;
        let from = self.stores[from].id;
        self.input(to, group, Input::Receive { from, message })
    }

    fn timer(&mut self, place: Place) -> Checked {
        if self.stores[place].timer_at != Some(self.now) {
            return Ok(());
        }
        self.stores[place].timer_at = None;
        for group in self.scenario.groups() {
            self.input(place, group, Input::Tick)?;
        }
        Ok(())
    }

    /// Carries out everything that a group wants done, until it wants nothing more.
    fn pump(&mut self, place: Place, group: GroupId) -> Checked {
        loop {
            self.propose_for_keeper(place, group)?;
            let Some(member) = self.member(place, group) else { return Ok(()) };
            let mut effects = member.take_effects();
            // A full queue takes nothing; what waits is taken when an entry was applied.
            let waits = std::mem::take(&mut effects.committed);
            let committed = waits && self.take_committed(place, group)?;
            if effects.is_empty() && !committed {
                break;
            }
            self.carry_out(place, group, effects)?;
            if !self.is_up(place) {
                return Ok(());
            }
        }
        self.observe(place, group)?;
        self.start_sync(place)?;
        self.set_timer(place);
        Ok(())
    }

    fn observe(&mut self, place: Place, group: GroupId) -> Checked {
        let Some(process) = &self.stores[place].process else { return Ok(()) };
        let Some(member) = process.members.get(&group) else { return Ok(()) };
        let witness = self.witnesses.get_mut(&group).expect("every group has a witness");
        let observed = witness.observe(member.group(), self.now);
        self.unless_muted(observed)
    }

    fn carry_out(&mut self, place: Place, group: GroupId, effects: GroupEffects) -> Checked {
        if let Some(soft_state) = effects.soft_state {
            let leads = soft_state.role == Role::Leader;
            if group == GroupId::DEFAULT
                && let Some(member) = self.member(place, group)
            {
                member.keeper.leadership(leads.then_some(soft_state.ballot));
                self.counters.leaders += u64::from(leads);
                if leads {
                    self.crash_leader_later(place);
                }
            }
        }
        for outgoing in effects.messages {
            self.send(place, group, &outgoing);
        }
        for write in effects.writes {
            self.count_write(place, group, &write);
            if let Some(process) = &mut self.stores[place].process {
                process.log_queue.push((group, write));
            }
        }
        for (request, outcome) in effects.outcomes {
            self.outcome(place, group, request, outcome)?;
        }
        for (request, answer) in effects.answers {
            self.answer(place, request, answer)?;
        }
        for effect in effects.snapshots {
            self.snapshot_effect(place, group, effect)?;
        }
        for evaluate in effects.evaluate {
            self.evaluate(place, group, evaluate);
        }
        Ok(())
    }

    fn count_write(&mut self, place: Place, group: GroupId, write: &LogWrite) {
        let last = self.written.entry((place, group)).or_default();
        for record in &write.records {
            match record {
                Record::Truncate(_, from) => {
                    self.counters.cuts += 1;
                    *last = from.previous();
                }
                Record::Install(_, meta, _) => *last = meta.index,
                Record::Entries(_, entries) => {
                    self.counters.overwrites += u64::from(entries[0].index <= *last);
                    *last = entries[entries.len() - 1].index.max(*last);
                }
                Record::HardState(..) | Record::Compact(..) => {}
            }
        }
    }

    fn send(&mut self, place: Place, group: GroupId, outgoing: &Outgoing) {
        let to = (outgoing.to.0 - 1) as Place;
        let bytes = encode_message(&outgoing.message);
        self.fold(&bytes);
        for at in self.network.arrivals(self.now, place, to) {
            let bytes = bytes.clone();
            self.schedule.add(at, Event::Deliver { to, from: place, group, bytes });
        }
    }

    fn set_timer(&mut self, place: Place) {
        let store = &mut self.stores[place];
        let Some(process) = &store.process else { return };
        let timers = process
            .members
            .values()
            .map(|member| member.group().next_timeout().min(member.keeper.next_timeout()));
        let Some(due) = timers.min() else { return };
        let at = store.clock.when(due).max(self.now.plus(1));
        if store.timer_at.is_none_or(|known| at < known || known <= self.now) {
            store.timer_at = Some(at);
            self.schedule.add(at, Event::Timer(place));
        }
    }

    /// Passes over what the scenario wants passed over.
    pub(crate) fn unless_muted(&self, checked: Checked) -> Checked {
        match checked {
            Err(violation) if self.scenario.muted.contains(&violation.property) => Ok(()),
            checked => checked,
        }
    }

    // For the phases.

    /// Ends all faults: links are whole, stores run, nothing is paused.
    pub fn heal(&mut self) {
        self.faults_active = false;
        self.network.heal();
        self.network.faults = LinkFaults::QUIET;
        for place in 0..self.stores.len() {
            self.stores[place].paused_until = Micros(0);
            if !self.is_up(place) {
                self.schedule.add(self.now, Event::Restart(place));
            }
        }
    }

    /// What every store has applied of a group; `None` for one that is down.
    pub fn applied(&self, group: GroupId) -> impl Iterator<Item = Option<LogIndex>> {
        self.stores.iter().map(move |store| store.process.as_ref().map(|it| it.applied(group)))
    }

    /// The newest revision on a store.
    #[must_use]
    pub fn revision(&self, place: Place) -> Option<Revision> {
        let process = self.stores[place].process.as_ref()?;
        Some(process.members[&GroupId::DEFAULT].keyspace.reader().revision())
    }

    /// Every recording that was made, those of the running members ended now.
    pub fn take_recordings(&mut self) -> Vec<Vec<u8>> {
        for store in &mut self.stores {
            for member in store.process.iter_mut().flat_map(|it| it.members.values_mut()) {
                self.recordings.extend(member.take_recording());
            }
        }
        std::mem::take(&mut self.recordings)
    }

    pub(crate) fn broken(&self, detail: String) -> Violation {
        Violation { property: Property::Integrity, at: self.now, detail }
    }
}
