//! What the whole cluster has committed, as the simulator sees it from above.
//!
//! Every entry that any store hands out to be applied passes here. The first store to commit a
//! position decides what stands there; every other must agree. So the witness is the one log that
//! all checks of clients' histories are made against.

use crate::time::Micros;
use crate::violation::{Property, Violation};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use synod_consensus::{Ballot, Entry, EntryKind, LogIndex, Origin, Protocol, Role, StoreId};
use synod_group::Group;

/// A committed entry, without the ballot: stores may hold it under different ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chosen {
    /// Whose proposal it is.
    pub origin: Origin,
    /// How to read the payload.
    pub kind: EntryKind,
    /// What it says.
    pub payload: Bytes,
    /// When the first store handed it out.
    pub at: Micros,
    /// It was chosen under this ballot or an earlier one.
    pub under: Ballot,
}

/// How far behind the last committed position it is remembered what stores hold: more than is ever
/// handed out at once.
const HELD_BEHIND: u64 = 1_000;

/// The witness of one group.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    chosen: Vec<Chosen>,
    origins: BTreeSet<Origin>,
    leaders: BTreeMap<Ballot, StoreId>,
    /// What stores were seen to hold durably behind what is committed. Multi-Paxos writes positions
    /// again under newer ballots; until that is durable, what was there before still is.
    held: BTreeMap<(StoreId, LogIndex), Origin>,
    /// Durable promises seen, by store: they outlive restarts.
    promised: BTreeMap<StoreId, Ballot>,
}

impl Witness {
    /// Everything committed so far; position `i` holds log index `i + 1`.
    #[must_use]
    pub fn chosen(&self) -> &[Chosen] {
        &self.chosen
    }

    /// How far the cluster has committed.
    #[must_use]
    pub fn last(&self) -> LogIndex {
        LogIndex(self.chosen.len() as u64)
    }

    /// A store that follows (or leads) under the ballot `under` hands an entry out to be applied.
    /// Returns whether it is the first to do so.
    pub fn hand_out(
        &mut self,
        store: StoreId,
        entry: &Entry,
        under: Ballot,
        now: Micros,
    ) -> Result<bool, Violation> {
        let place = (entry.index.0 - 1) as usize;
        if let Some(known) = self.chosen.get(place) {
            let same = (known.origin, known.kind, &known.payload)
                == (entry.origin, entry.kind, &entry.payload);
            return if same { Ok(false) } else { Err(differs(store, known, entry, now)) };
        }
        if place != self.chosen.len() {
            let detail = format!("{store:?} hands out {} after {}", entry.index, self.last());
            return Err(Violation { property: Property::StateMachineSafety, at: now, detail });
        }
        if entry.origin != Origin::default() && !self.origins.insert(entry.origin) {
            let detail =
                format!("{:?} is committed a second time at {}", entry.origin, entry.index);
            return Err(Violation { property: Property::ProposalFate, at: now, detail });
        }
        // A batch is handed out whole before it is checked: what is a little older is kept.
        self.held.retain(|(_, index), _| index.plus(HELD_BEHIND) >= entry.index);
        self.chosen.push(Chosen {
            origin: entry.origin,
            kind: entry.kind,
            payload: entry.payload.clone(),
            at: now,
            under,
        });
        Ok(true)
    }

    /// Whether a proposal was committed.
    #[must_use]
    pub fn holds(&self, origin: Origin) -> bool {
        self.origins.contains(&origin)
    }

    /// What must hold of a group after every step it makes.
    pub fn observe(&mut self, group: &Group, now: Micros) -> Result<(), Violation> {
        let replica = group.replica();
        let store = replica.config().store;
        let soft_state = replica.soft_state();
        if soft_state.role == Role::Leader && !self.leaders.contains_key(&soft_state.ballot) {
            self.new_leader(group, now)?;
        }
        if soft_state.role == Role::Leader && self.leaders.get(&soft_state.ballot) != Some(&store) {
            let detail = format!("{store:?} leads under {}, which is another's", soft_state.ballot);
            return Err(Violation { property: Property::ElectionSafety, at: now, detail });
        }
        let promised = self.promised.entry(store).or_default();
        if replica.promised() < *promised {
            let detail = format!("{store:?} promised {promised} and now {}", replica.promised());
            return Err(Violation { property: Property::Monotonic, at: now, detail });
        }
        *promised = replica.promised();
        Ok(())
    }

    /// A store's log has synced an entry.
    pub fn note_held(&mut self, store: StoreId, index: LogIndex, origin: Origin) {
        if index > self.last() {
            self.held.insert((store, index), origin);
        }
    }

    /// Whether a running store holds an entry durably, which is being committed.
    pub fn holds_durably(&self, group: &Group, entry: &Entry) -> bool {
        let replica = group.replica();
        if entry.index < replica.first_index() {
            return true;
        }
        let same = replica.entry(entry.index).is_some_and(|it| it.origin == entry.origin);
        let rewritten = replica.config().protocol == Protocol::Paxos
            && self.held.get(&(replica.config().store, entry.index)) == Some(&entry.origin);
        same && (replica.durable() >= entry.index || rewritten)
    }

    /// A store goes down with `durable` promised on its disk: what it promised beyond was never
    /// told to anyone.
    pub fn went_down(&mut self, store: StoreId, durable: Ballot) {
        self.promised.insert(store, durable);
    }

    fn new_leader(&mut self, group: &Group, now: Micros) -> Result<(), Violation> {
        let replica = group.replica();
        let store = replica.config().store;
        let ballot = replica.soft_state().ballot;
        let rival = self.leaders.iter().find(|(known, _)| known.round == ballot.round);
        let raft = replica.config().protocol == Protocol::Raft;
        if let (true, Some((known, _))) = (raft, rival) {
            let detail = format!("{store:?} leads under {ballot} beside {known}");
            return Err(Violation { property: Property::ElectionSafety, at: now, detail });
        }
        self.leaders.insert(ballot, store);
        self.check_completeness(group, now)
    }

    fn check_completeness(&self, group: &Group, now: Micros) -> Result<(), Violation> {
        let replica = group.replica();
        let store = replica.config().store;
        let ballot = replica.soft_state().ballot;
        let missing = |index: LogIndex| {
            let known = &self.chosen[(index.0 - 1) as usize];
            // What a later ballot chose need not be known to a leader that comes too late.
            let due = known.under < ballot;
            due && replica.entry(index).is_none_or(|entry| {
                (entry.origin, entry.kind, &entry.payload)
                    != (known.origin, known.kind, &known.payload)
            })
        };
        let first = replica.first_index().0;
        if let Some(index) = (first..=self.last().0).map(LogIndex).find(|index| missing(*index)) {
            let detail =
                format!("{store:?} leads under {ballot} without the committed entry {index}");
            return Err(Violation { property: Property::LeaderCompleteness, at: now, detail });
        }
        Ok(())
    }
}

fn differs(store: StoreId, known: &Chosen, entry: &Entry, now: Micros) -> Violation {
    let detail = format!(
        "{store:?} hands out {:?} {:?} at {}, where {:?} {:?} was committed",
        entry.kind, entry.origin, entry.index, known.kind, known.origin
    );
    Violation { property: Property::StateMachineSafety, at: now, detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synod_consensus::{Config, GroupId, HardState, Instant, Membership, SnapshotMeta};
    use synod_group::{GroupConfig, GroupEffects, Input};
    use synod_storage::GroupLog;

    /// A group of one store, which leads in round 1.
    fn leader(protocol: Protocol) -> Group {
        let store = StoreId(1);
        let config = GroupConfig {
            group: GroupId::DEFAULT,
            consensus: Config::local_network(store, protocol, 1),
            incarnation: 1,
            trailing_bytes: 0,
            planted_bug: None,
        };
        let membership = Membership::of_voters([store]);
        let snapshot = SnapshotMeta { index: LogIndex::ZERO, ballot: Ballot::ZERO, membership };
        let hard_state = HardState::default();
        let log = GroupLog { hard_state, snapshot, generation: 0, entries: Vec::new() };
        let mut group = Group::new(config, log, LogIndex::ZERO, Instant(0));
        group.handle(Instant(10_000_000), Input::Tick);
        let mut effects = GroupEffects::default();
        group.take_effects(&mut effects);
        group.handle(Instant(10_000_000), Input::Persisted(effects.writes[0].id));
        assert_eq!(group.status().soft_state.role, Role::Leader);
        group
    }

    fn property(observed: Result<(), Violation>) -> Option<Property> {
        observed.err().map(|violation| violation.property)
    }

    #[test]
    fn two_leaders_of_one_term_are_noticed() {
        let mut witness = Witness::default();
        witness.leaders.insert(Ballot::new(1, StoreId(9)), StoreId(9));
        let observed = witness.observe(&leader(Protocol::Raft), Micros(0));
        assert_eq!(property(observed), Some(Property::ElectionSafety));
    }

    #[test]
    fn paxos_leaders_of_one_round_are_two_ballots() {
        let mut witness = Witness::default();
        witness.leaders.insert(Ballot::new(1, StoreId(9)), StoreId(9));
        assert_eq!(property(witness.observe(&leader(Protocol::Paxos), Micros(0))), None);
    }

    #[test]
    fn a_leader_under_another_stores_ballot_is_noticed() {
        let mut witness = Witness::default();
        witness.leaders.insert(Ballot::new(1, StoreId(1)), StoreId(9));
        let observed = witness.observe(&leader(Protocol::Paxos), Micros(0));
        assert_eq!(property(observed), Some(Property::ElectionSafety));
    }
}
