//! A simulated store's state machines: committed entries are applied one by one, and now and then
//! the engine is flushed, scrubbed, and the log reclaimed.

use super::{APPLY_BYTES, APPLY_QUEUE_MAX, Checked, PATIENCE, SCRUB_EVENTS, Sim, Waiting};
use crate::history::Told;
use crate::network::Place;
use crate::schedule::Event;
use crate::store::Store;
use crate::violation::{Property, Violation};
use bytes::Bytes;
use synod_consensus::GroupId;
use synod_group::{Input, Proposal};
use synod_mvcc::{Command, Put};
use synod_storage::Engine;

impl Sim {
    pub(super) fn take_committed(
        &mut self,
        place: Place,
        group: GroupId,
    ) -> Result<bool, Violation> {
        let (now, store) = (self.now, self.stores[place].id);
        let Some(member) = self.member(place, group) else { return Ok(false) };
        if member.queue.len() >= APPLY_QUEUE_MAX {
            return Ok(false);
        }
        let committed = member.take_committed(APPLY_BYTES);
        let took = !committed.is_empty();
        let under = member.group().replica().soft_state().ballot;
        let entries: Vec<_> = committed.iter().map(|it| it.entry.clone()).collect();
        member.queue.extend(committed);
        let witness = self.witnesses.get_mut(&group).expect("every group has a witness");
        let mut newly = Vec::new();
        for entry in entries {
            if witness.hand_out(store, &entry, under, now)? {
                newly.push(entry);
            }
        }
        for entry in newly {
            let durable = self.check_on_quorum(group, &entry);
            self.unless_muted(durable)?;
        }
        self.apply_later(place, group);
        Ok(took)
    }

    /// What is committed must be on a quorum's disks. Stores that are down are not asked: they may
    /// hold it.
    pub(super) fn check_on_quorum(
        &self,
        group: GroupId,
        entry: &synod_consensus::Entry,
    ) -> Checked {
        let witness = &self.witnesses[&group];
        let holds = |store: &Store| match &store.process {
            None => true,
            Some(process) => witness.holds_durably(process.members[&group].group(), entry),
        };
        let holders = self.stores.iter().filter(|store| holds(store)).count();
        if holders > self.stores.len() / 2 {
            return Ok(());
        }
        let held = |store: &Store| {
            let process = store.process.as_ref()?;
            let replica = process.members[&group].group().replica();
            let stands = replica.entry(entry.index).map(|it| (it.ballot, it.origin));
            Some((stands, replica.durable()))
        };
        let held: Vec<_> = self.stores.iter().map(held).collect();
        let detail = format!(
            "{} of {:?} is committed and durable on {holders} stores: {held:?}",
            entry.index, entry.origin
        );
        Err(Violation { property: Property::CommittedOnQuorum, at: self.now, detail })
    }

    pub(super) fn apply_later(&mut self, place: Place, group: GroupId) {
        let delay = self.random.between(1, self.scenario.apply_max);
        let (at, incarnation) = (self.now.plus(delay), self.stores[place].incarnation);
        let Some(member) = self.member(place, group) else { return };
        if !member.applying && !member.queue.is_empty() {
            member.applying = true;
            self.schedule.add(at, Event::Apply(place, incarnation, group));
        }
    }

    pub(super) fn apply_one(&mut self, place: Place, group: GroupId) -> Checked {
        let clock_now = self.stores[place].now(self.now);
        let Some(member) = self.member(place, group) else { return Ok(()) };
        member.applying = false;
        let Some(committed) = member.queue.pop_front() else { return Ok(()) };
        let applied = member.keyspace.apply(&committed.entry);
        let applied = match applied {
            Ok(applied) => applied,
            Err(fatal) => return Err(self.broken(fatal.to_string())),
        };
        let index = committed.entry.index;
        if let Some(applied) = applied {
            let own = committed.request.is_some_and(|request| self.is_keepers(place, request));
            let member = self.member(place, group).expect("it has just applied");
            let reader = member.keyspace.reader();
            let kept = member.keeper.applied(clock_now, &applied, own, || reader);
            kept.map_err(|fatal| self.broken(fatal.to_string()))?;
            if group == GroupId::DEFAULT {
                self.workload.seen = self.workload.seen.max(applied.revision);
            }
            if let Some(request) = committed.request {
                self.end(place, request, Told::Applied { index, applied })?;
            }
        }
        self.apply_later(place, group);
        self.input(place, group, Input::Applied(index))?;
        self.poll_watchers(place)
    }

    pub(super) fn maintain(&mut self, place: Place) -> Checked {
        let store = &mut self.stores[place];
        store.engine.flush().map_err(|error| self.broken(error.to_string()))?;
        for group in self.scenario.groups() {
            let Some(member) = self.member(place, group) else { return Ok(()) };
            let scrubbed = member.keyspace.scrub(SCRUB_EVENTS);
            let applied = member.keyspace.applied();
            scrubbed.map_err(|fatal| self.broken(fatal.to_string()))?;
            self.input(place, group, Input::Flushed(applied))?;
        }
        let Some(process) = &mut self.stores[place].process else { return Ok(()) };
        match process.log.reclaim() {
            Ok(reclaimed) => self.counters.segments_reclaimed += reclaimed.segments,
            Err(error) => return self.log_failed(place, &error.to_string()),
        }
        self.maintain_later(place);
        if self.random.one_in(8) { self.write_meta(place) } else { Ok(()) }
    }

    /// A node notes something in the meta group, which is idle otherwise: its entries pin old
    /// segments of the log.
    pub(super) fn write_meta(&mut self, place: Place) -> Checked {
        let request = self.number();
        let deadline = self.stores[place].now(self.now).after(PATIENCE);
        let key = Bytes::from(format!("node/{place}"));
        let value = Bytes::from(format!("{:?}", self.now));
        let put = Put { key, value, ..Put::default() };
        let payload = Command::Put(put).encode();
        self.waiting.insert((place, request), Waiting::Nobody);
        self.input(
            place,
            GroupId::META,
            Input::Propose(vec![Proposal { request, payload, deadline }]),
        )
    }

    pub(super) fn maintain_later(&mut self, place: Place) {
        let every = self.scenario.flush_every;
        let at = self.now.plus(self.random.between(every / 2, every * 3 / 2));
        let incarnation = self.stores[place].incarnation;
        self.schedule.add(at, Event::Maintain(place, incarnation));
    }
}
