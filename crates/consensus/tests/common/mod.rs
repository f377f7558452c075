//! A handful of replicas, a pool of messages, and disks that keep what was written: everything
//! happens when a test says so.

use std::time::Duration;
use synod_consensus::{
    Ballot, Body, Config, ConsensusBug, Effects, Entry, Envelope, HardState, Instant, LogIndex,
    Membership, Message, Origin, Protocol, Replica, Restored, Role, SnapshotMeta, StoreId,
};

/// What a store has on its disk.
#[derive(Clone, Default)]
struct Disk {
    hard_state: HardState,
    entries: Vec<Entry>,
}

/// See the module's text.
pub(crate) struct Cluster {
    protocol: Protocol,
    planted_bug: Option<ConsensusBug>,
    stores: u64,
    now: Instant,
    replicas: Vec<Option<Replica>>,
    disks: Vec<Disk>,
    /// Messages on their way: from, to, what.
    pub(crate) pool: Vec<(u64, u64, Message)>,
}

impl Cluster {
    /// Stores 1 to `stores`, all started.
    pub(crate) fn new(protocol: Protocol, stores: u64, planted_bug: Option<ConsensusBug>) -> Self {
        let mut cluster = Self {
            protocol,
            planted_bug,
            stores,
            now: Instant(0),
            replicas: (0..stores).map(|_| None).collect(),
            disks: vec![Disk::default(); stores as usize],
            pool: Vec::new(),
        };
        (1..=stores).for_each(|store| cluster.start(store));
        cluster
    }

    /// Starts a store from its disk.
    pub(crate) fn start(&mut self, store: u64) {
        let disk = self.disks[store as usize - 1].clone();
        let membership = Membership::of_voters((1..=self.stores).map(StoreId));
        let snapshot = SnapshotMeta { index: LogIndex::ZERO, ballot: Ballot::ZERO, membership };
        let restored = Restored {
            hard_state: disk.hard_state,
            snapshot,
            entries: disk.entries,
            applied: LogIndex::ZERO,
        };
        // One entry a message and one message at a time: a test decides how far a log gets.
        let config = Config {
            append_bytes_max: 1,
            inflight_appends_max: 1,
            planted_bug: self.planted_bug,
            ..Config::local_network(StoreId(store), self.protocol, store)
        };
        self.replicas[store as usize - 1] = Some(Replica::new(config, restored, self.now));
    }

    /// Stops a store; what it sent is lost, too.
    pub(crate) fn crash(&mut self, store: u64) {
        self.replicas[store as usize - 1] = None;
        self.pool.retain(|(from, to, _)| *from != store && *to != store);
    }

    /// A running store's replica.
    pub(crate) fn replica(&self, store: u64) -> &Replica {
        self.replicas[store as usize - 1].as_ref().expect("the store runs")
    }

    fn act(&mut self, store: u64, act: impl FnOnce(&mut Replica, Instant)) {
        let now = self.now;
        let Some(replica) = &mut self.replicas[store as usize - 1] else { return };
        act(replica, now);
        loop {
            let mut effects = Effects::default();
            let replica = self.replicas[store as usize - 1].as_mut().expect("it runs");
            replica.take_effects(&mut effects);
            if effects.is_empty() {
                break;
            }
            let sent = effects.messages.into_iter();
            let mut send: Vec<Envelope> = sent.collect();
            for write in effects.writes {
                let disk = &mut self.disks[store as usize - 1];
                if let Some(from) = write.truncate_from {
                    disk.entries.truncate(from.0 as usize - 1);
                }
                for entry in write.entries {
                    disk.entries.truncate(entry.index.0 as usize - 1);
                    disk.entries.push(entry);
                }
                disk.hard_state = write.hard_state.unwrap_or(disk.hard_state);
                replica.on_persisted(now, write.id);
                send.extend(write.responses);
            }
            self.pool.extend(send.into_iter().map(|it| (store, it.to.0, it.message)));
        }
    }

    /// Delivers the first message that `wanted` holds for; false if there is none.
    pub(crate) fn deliver_one(&mut self, wanted: impl Fn(u64, u64, &Message) -> bool) -> bool {
        let found = self.pool.iter().position(|(from, to, it)| wanted(*from, *to, it));
        let Some(at) = found else { return false };
        let (from, to, message) = self.pool.remove(at);
        self.act(to, |replica, now| replica.step(now, StoreId(from), message));
        true
    }

    /// Delivers every message that `wanted` holds for, and what follows from them.
    pub(crate) fn deliver(&mut self, wanted: impl Fn(u64, u64, &Message) -> bool) {
        while self.deliver_one(&wanted) {}
    }

    /// Makes `store` leader with the support of `voters`, by letting so much time pass that nobody
    /// believes in an earlier leader. Nothing else is delivered.
    #[allow(dead_code, reason = "each test file uses its own part")]
    pub(crate) fn elect(&mut self, store: u64, voters: &[u64]) {
        self.now = self.now.after(Duration::from_secs(10));
        self.pool.clear();
        for _ in 0..3 {
            self.now = self.now.after(Duration::from_secs(2));
            self.act(store, Replica::tick);
            let between = |from, to| {
                (from == store && voters.contains(&to)) || (to == store && voters.contains(&from))
            };
            while self.replica(store).soft_state().role != Role::Leader {
                if !self.deliver_one(|from, to, _| between(from, to)) {
                    break;
                }
            }
            if self.replica(store).soft_state().role == Role::Leader {
                return;
            }
        }
        panic!("store {store} was not elected by {voters:?}");
    }

    /// Lets `candidates` all get as far as asking for votes in the same term, supported by `voter`.
    #[allow(dead_code, reason = "each test file uses its own part")]
    pub(crate) fn campaign_together(&mut self, candidates: &[u64], voter: u64) {
        self.now = self.now.after(Duration::from_secs(10));
        for store in candidates {
            self.act(*store, Replica::tick);
        }
        let canvass =
            |it: &Message| matches!(it.body, Body::Canvass { .. } | Body::CanvassReply { .. });
        self.deliver(|from, to, it| (from == voter || to == voter) && canvass(it));
    }

    /// Lets a leader propose one command.
    #[allow(dead_code, reason = "each test file uses its own part")]
    pub(crate) fn propose(&mut self, store: u64, payload: &'static str) {
        let origin = Origin { store: StoreId(store), incarnation: 1, sequence: 1 };
        self.act(store, |replica, now| {
            replica.propose(now, [(origin, payload.into())]).expect("it leads");
        });
    }
}
