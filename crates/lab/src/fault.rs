//! What goes wrong, one thing at a time, as the seed decides.

use crate::network::Place;
use crate::schedule::Event;
use crate::sim::Sim;
use crate::time::{MILLISECOND, SECOND};
use crate::violation::Violation;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    Crash,
    Partition,
    OneWay,
    Pause,
    FailedSync,
    Blackout,
}

impl Sim {
    /// Something goes wrong, and the next fault is arranged.
    pub(crate) fn fault(&mut self) -> Result<(), Violation> {
        if !self.faults_active {
            return Ok(());
        }
        let every = self.scenario.fault_every;
        let next = self.now.plus(self.random.between(every / 2, every * 3 / 2));
        self.schedule.add(next, Event::Fault);
        let kinds = self.kinds();
        if kinds.is_empty() {
            return Ok(());
        }
        match *self.random.pick(&kinds) {
            Fault::Crash => {
                let place = self.any_place();
                self.crash(place)
            }
            Fault::Partition => {
                self.partition();
                Ok(())
            }
            Fault::OneWay => {
                self.cut_one_way();
                Ok(())
            }
            Fault::Pause => {
                let place = self.any_place();
                let pause = self.random.between(50 * MILLISECOND, 2 * SECOND);
                self.stores[place].paused_until = self.now.plus(pause);
                Ok(())
            }
            Fault::FailedSync => {
                let place = self.any_place();
                if self.is_up(place) {
                    self.stores[place].disk.fail_next_sync();
                }
                Ok(())
            }
            Fault::Blackout => (0..self.stores.len()).try_for_each(|place| self.crash(place)),
        }
    }

    /// A store was elected: it may lose its power before much of what it sends arrives.
    pub(crate) fn crash_leader_later(&mut self, place: Place) {
        if self.faults_active && self.scenario.faults.leader_crash && self.random.one_in(2) {
            let soon = self.random.below(4 * self.scenario.links.delay_max + 2_000);
            let incarnation = self.stores[place].incarnation;
            self.schedule.add(self.now.plus(soon), Event::CrashLeader(place, incarnation));
        }
    }

    fn kinds(&self) -> Vec<Fault> {
        let kinds = self.scenario.faults;
        [
            (kinds.crash, Fault::Crash),
            (kinds.partition, Fault::Partition),
            (kinds.one_way, Fault::OneWay),
            (kinds.pause, Fault::Pause),
            (kinds.failed_sync, Fault::FailedSync),
            (kinds.blackout, Fault::Blackout),
        ]
        .into_iter()
        .filter_map(|(drawn, fault)| drawn.then_some(fault))
        .collect()
    }

    fn any_place(&mut self) -> Place {
        self.random.below(self.stores.len() as u64) as Place
    }

    fn heal_later(&mut self) {
        let lasts = self.random.between(200 * MILLISECOND, 3 * SECOND);
        self.schedule.add(self.now.plus(lasts), Event::Heal);
    }

    /// Two sides that cannot reach each other.
    fn partition(&mut self) {
        let stores = self.stores.len();
        let side: Vec<bool> = (0..stores).map(|_| self.random.one_in(2)).collect();
        for a in 0..stores {
            for b in 0..a {
                if side[a] != side[b] {
                    self.network.cut_both(a, b);
                }
            }
        }
        self.heal_later();
    }

    /// Some links carry one direction only.
    fn cut_one_way(&mut self) {
        let stores = self.stores.len();
        for from in 0..stores {
            for to in 0..stores {
                if from != to && self.random.one_in(4) {
                    self.network.cut(from, to);
                }
            }
        }
        self.heal_later();
    }
}
