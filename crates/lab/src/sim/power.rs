//! Stores that lose their power and start again.

use super::{Checked, Sim, Waiting};
use crate::history::Told;
use crate::network::Place;
use crate::schedule::Event;
use crate::store::Store;
use synod_consensus::Ballot;
use synod_storage::CrashPolicy;

impl Sim {
    /// A store loses its power: what was not synced is lost, torn, or kept, as the seed decides.
    ///
    /// # Errors
    /// Never on its own; what follows from it may break a promise.
    pub fn crash(&mut self, place: Place) -> Checked {
        let Some(mut process) = self.stores[place].process.take() else { return Ok(()) };
        self.counters.crashes += 1;
        let id = self.stores[place].id;
        for (group, member) in &mut process.members {
            let durable = member.group().replica().promised_on_disk();
            self.witnesses.get_mut(group).expect("every group has one").went_down(id, durable);
            self.recordings.extend(member.take_recording());
        }
        let policies = [CrashPolicy::LoseAll, CrashPolicy::KeepAll, CrashPolicy::Random];
        let policy = *self.random.pick(&policies);
        let store = &mut self.stores[place];
        store.disk.crash(policy);
        store.engine.crash();
        store.timer_at = None;
        self.written.retain(|(at, _), _| *at != place);
        self.hang_up(place);
        let down = self.random.between(10_000, 800_000);
        self.schedule.add(self.now.plus(down), Event::Restart(place));
        Ok(())
    }

    /// Everyone who waited for a store, or watched there, loses the connection.
    pub(super) fn hang_up(&mut self, place: Place) {
        let gone: Vec<_> = self.waiting.keys().filter(|(at, _)| *at == place).copied().collect();
        for key in gone {
            if let Some(Waiting::Client { operation }) = self.waiting.remove(&key) {
                self.history.end(operation, Told::ConnectionLost, self.now);
                self.client_later(operation);
            }
        }
        for watcher in &mut self.watchers {
            if watcher.place() == Some(place) {
                watcher.disconnect();
            }
        }
    }

    /// Sabotage: a store that is down has an empty disk from here on.
    pub(crate) fn wipe(&mut self, place: Place) {
        let store = &mut self.stores[place];
        let (id, clock, incarnation) = (store.id, store.clock, store.incarnation);
        *store = Store::new(id, self.scenario.seed, clock);
        store.incarnation = incarnation;
        for witness in self.witnesses.values_mut() {
            witness.went_down(id, Ballot::ZERO);
        }
    }

    pub(super) fn restart(&mut self, place: Place) -> Checked {
        if self.is_up(place) {
            return Ok(());
        }
        if let Some((at, operation)) = self.scenario.crash_at
            && at == place
        {
            self.stores[place].disk.crash_at_operation(operation);
            self.scenario.crash_at = None;
        }
        if let Err(why) = self.stores[place].start(&self.scenario, self.now) {
            if self.stores[place].disk.is_down() {
                self.stores[place].disk.crash(CrashPolicy::Random);
                self.schedule.add(self.now.plus(1_000), Event::Restart(place));
                return Ok(());
            }
            return Err(self.broken(format!("store {} cannot start: {why}", place + 1)));
        }
        self.maintain_later(place);
        for group in self.scenario.groups() {
            let applied = self.stores[place].process.as_ref().map(|it| it.applied(group));
            let committed = self.witnesses[&group].last();
            if applied > Some(committed) {
                return Err(self.broken(format!("a store restarts with {applied:?} applied")));
            }
            self.pump(place, group)?;
        }
        Ok(())
    }
}
