//! A group's member on a simulated store: the group, its key space, and what is between them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use synod_consensus::{GroupId, Instant, StoreId};
use synod_group::journal::{Opening, Recorded};
use synod_group::{Committed, Group, GroupConfig, GroupEffects, Input};
use synod_mvcc::{Fatal, Importer, KeySpace, KeySpaceOptions, LeaseKeeper, Reader};
use synod_storage::{Engine, Generation, GroupLog};

/// See the module's text.
pub struct Member {
    /// Which group.
    pub id: GroupId,
    /// The consensus side.
    pub recorded: Recorded,
    /// The state machine.
    pub keyspace: KeySpace,
    /// What it does about leases when it leads.
    pub keeper: LeaseKeeper,
    /// Handed out and not applied yet.
    pub queue: VecDeque<Committed>,
    /// Whether the next entry of the queue is due already.
    pub applying: bool,
    /// The generation in force.
    pub generation: Generation,
    /// Snapshots that are being offered: a view of the state for each session.
    pub views: BTreeMap<u64, Reader>,
    /// The snapshot that is being received.
    pub importer: Option<(StoreId, u64, Importer)>,
    /// The highest generation ever begun.
    pub last_generation: Generation,
}

/// What a member is started with.
pub struct Start {
    /// Which group.
    pub id: GroupId,
    /// What it is told.
    pub config: GroupConfig,
    /// What the log holds.
    pub log: GroupLog,
    /// The engine of its store.
    pub engine: Arc<dyn Engine>,
    /// How its key space behaves.
    pub options: KeySpaceOptions,
    /// Whether to record.
    pub record: bool,
}

impl Member {
    /// Starts from what is durable.
    pub fn start(start: Start, now: Instant) -> Result<Self, Fatal> {
        let Start { id, config, log, engine, options, record } = start;
        let generation = log.generation;
        let keyspace = KeySpace::open_with(engine, id, generation, options)?;
        let applied = keyspace.applied();
        let opening = Opening { config: config.clone(), log, applied, started: now };
        let (store, incarnation) = (config.consensus.store, config.incarnation);
        Ok(Self {
            id,
            recorded: Recorded::begin(&opening, record),
            keyspace,
            keeper: LeaseKeeper::new(store, incarnation),
            queue: VecDeque::new(),
            applying: false,
            generation,
            views: BTreeMap::new(),
            importer: None,
            last_generation: generation,
        })
    }

    /// The group, to be looked at.
    #[must_use]
    pub fn group(&self) -> &Group {
        self.recorded.group()
    }

    /// Hands an input to the group.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.recorded.handle(now, input);
    }

    /// Takes the group's effects.
    pub fn take_effects(&mut self) -> GroupEffects {
        let mut effects = GroupEffects::default();
        self.recorded.take_effects(&mut effects);
        effects
    }

    /// Takes committed entries.
    pub fn take_committed(&mut self, bytes_max: usize) -> Vec<Committed> {
        self.recorded.take_committed(bytes_max)
    }

    /// Ends the recording, if there is one.
    pub fn take_recording(&mut self) -> Option<Vec<u8>> {
        Some(self.recorded.end_recording()).filter(|recording| !recording.is_empty())
    }
}
