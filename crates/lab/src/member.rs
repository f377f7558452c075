//! A group's member on a simulated store: the group, its key space, and what is between them.

use crate::time::Micros;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use synod_consensus::{GroupId, Instant, LogIndex, StoreId};
use synod_group::journal::{Fingerprint, Step};
use synod_group::{Committed, Group, GroupConfig, GroupEffects, Input};
use synod_mvcc::{Fatal, Importer, KeySpace, KeySpaceOptions, LeaseKeeper, Reader};
use synod_storage::{Engine, Generation, GroupLog};

/// See the module's text.
pub struct Member {
    /// Which group.
    pub id: GroupId,
    /// The consensus side.
    pub group: Group,
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
    /// When the newest of its leader's entries was handed out here; for reports.
    pub handed_at: Micros,
    recorder: Option<Recorder>,
}

/// A recording in the making, and what the group gave back while it was made.
pub struct Recorder {
    config: GroupConfig,
    log: GroupLog,
    applied: LogIndex,
    started: Instant,
    steps: Vec<u8>,
    fingerprint: Fingerprint,
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
        let recorder = record.then(|| Recorder {
            config: config.clone(),
            log: log.clone(),
            applied,
            started: now,
            steps: Vec::new(),
            fingerprint: Fingerprint::default(),
        });
        let (store, incarnation) = (config.consensus.store, config.incarnation);
        Ok(Self {
            id,
            group: Group::new(config, log, applied, now),
            keyspace,
            keeper: LeaseKeeper::new(store, incarnation),
            queue: VecDeque::new(),
            applying: false,
            generation,
            views: BTreeMap::new(),
            importer: None,
            last_generation: generation,
            handed_at: Micros(0),
            recorder,
        })
    }

    /// Hands an input to the group.
    pub fn handle(&mut self, now: Instant, input: Input) {
        if let Some(recorder) = &mut self.recorder {
            recorder.steps.extend_from_slice(&Step::Handle(now, input.clone()).encode());
        }
        self.group.handle(now, input);
    }

    /// Takes the group's effects.
    pub fn take_effects(&mut self) -> GroupEffects {
        self.step(&Step::TakeEffects).effects
    }

    /// Takes committed entries.
    pub fn take_committed(&mut self, bytes_max: u64) -> Vec<Committed> {
        self.step(&Step::TakeCommitted(bytes_max)).committed
    }

    fn step(&mut self, step: &Step) -> synod_group::journal::Given {
        let given = step.run(&mut self.group);
        if let Some(recorder) = &mut self.recorder {
            recorder.steps.extend_from_slice(&step.encode());
            recorder.fingerprint = recorder.fingerprint.with(&given);
        }
        given
    }

    /// Ends the recording, if there is one.
    pub fn take_recording(&mut self) -> Option<Recorder> {
        self.recorder.take()
    }
}

impl Recorder {
    /// Replays the recording from its bytes; whether the group gave back exactly the same.
    #[must_use]
    pub fn replays(&self) -> bool {
        let mut group =
            Group::new(self.config.clone(), self.log.clone(), self.applied, self.started);
        let mut input = synod_codec::Reader::new(self.steps.clone().into());
        let mut fingerprint = Fingerprint::default();
        while let Ok(Some(step)) = synod_group::journal::read_step(&mut input) {
            let given = step.run(&mut group);
            if !matches!(step, Step::Handle(..)) {
                fingerprint = fingerprint.with(&given);
            }
        }
        input.remaining() == 0 && fingerprint == self.fingerprint
    }
}
