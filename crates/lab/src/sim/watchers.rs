//! Watchers look what is new, and are told after every entry.

use super::{Checked, Sim};
use crate::network::Place;
use crate::schedule::Event;
use synod_consensus::GroupId;

impl Sim {
    pub(super) fn watcher_looks(&mut self, watcher: usize) -> Checked {
        let again = self.now.plus(self.random.between(5_000, 100_000));
        self.schedule.add(again, Event::Watcher(watcher));
        let place = match self.watchers[watcher].place() {
            Some(place) => place,
            None => self.random.below(self.stores.len() as u64) as Place,
        };
        let now = self.now;
        let Some(member) = self.member(place, GroupId::DEFAULT) else { return Ok(()) };
        let reader = member.keyspace.reader();
        let watcher = &mut self.watchers[watcher];
        if watcher.place().is_none() {
            watcher.connect(place, &reader);
        }
        watcher.poll(&reader, now)
    }

    pub(super) fn poll_watchers(&mut self, place: Place) -> Checked {
        let now = self.now;
        let Some(member) = self.member(place, GroupId::DEFAULT) else { return Ok(()) };
        let reader = member.keyspace.reader();
        for watcher in self.watchers.iter_mut().filter(|watcher| watcher.place() == Some(place)) {
            watcher.poll(&reader, now)?;
        }
        Ok(())
    }
}
