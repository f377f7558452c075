//! A simulated store's log: what gathers goes with one sync, which takes simulated time.

use super::{Checked, Sim};
use crate::network::Place;
use crate::schedule::Event;
use synod_group::Input;

impl Sim {
    pub(super) fn start_sync(&mut self, place: Place) -> Checked {
        let Some(process) = &mut self.stores[place].process else { return Ok(()) };
        match process.begin_sync() {
            Ok(true) => {
                let took = self.random.between(20, self.scenario.sync_max);
                let incarnation = self.stores[place].incarnation;
                self.schedule.add(self.now.plus(took), Event::Synced(place, incarnation));
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(why) => self.log_failed(place, &why),
        }
    }

    pub(super) fn synced(&mut self, place: Place) -> Checked {
        let Some(process) = &mut self.stores[place].process else { return Ok(()) };
        let Some(batch) = process.syncing.take() else { return Ok(()) };
        if let Err(error) = process.log.sync() {
            return self.log_failed(place, &error.to_string());
        }
        let store = self.stores[place].id;
        for (group, index, origin) in batch.entries {
            let witness = self.witnesses.get_mut(&group).expect("every group has one");
            witness.note_held(store, index, origin);
        }
        for (group, outgoing) in batch.responses {
            self.send(place, group, &outgoing);
        }
        for (group, upto) in batch.upto {
            self.input(place, group, Input::Persisted(upto))?;
        }
        self.start_sync(place)
    }

    /// A failed disk stops the node for good; the operator starts it again.
    pub(super) fn log_failed(&mut self, place: Place, why: &str) -> Checked {
        let injected = self.scenario.faults.failed_sync || self.stores[place].disk.is_down();
        if !injected {
            return Err(self.broken(format!("store {} cannot write its log: {why}", place + 1)));
        }
        for group in self.scenario.groups() {
            let now = self.stores[place].now(self.now);
            if let Some(member) = self.member(place, group) {
                member.handle(now, Input::PersistFailed);
                let effects = member.take_effects();
                for (request, outcome) in effects.outcomes {
                    self.outcome(place, group, request, outcome)?;
                }
            }
        }
        self.crash(place)
    }
}
