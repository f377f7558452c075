//! A simulated store: one process with its disk, engine, clock, log and members.
//!
//! What the real node does with threads happens here in steps of one thread: the log's sync takes
//! simulated time, and so does applying. Everything else is the very code that production runs.

use crate::member::{Member, Start};
use crate::scenario::Scenario;
use crate::time::{Clock, Micros};
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_consensus::{Config, GroupId, Instant, LogIndex, Origin, StoreId, WriteId};
use synod_group::{GroupConfig, LogWrite, Outgoing};
use synod_storage::{
    Disk, Engine, Generation, GroupLog, Log, LogIdentity, LogOptions, MemoryEngine, OpenError,
    Record, SimDisk,
};

/// A store, running or not.
pub struct Store {
    /// Its identity.
    pub id: StoreId,
    /// Its disk, which survives crashes as far as it was synced.
    pub disk: SimDisk,
    /// Its engine, which survives crashes as far as it was flushed.
    pub engine: Arc<MemoryEngine>,
    /// Its clock.
    pub clock: Clock,
    /// The process, if it runs.
    pub process: Option<Process>,
    /// Counts its starts.
    pub incarnation: u64,
    /// Nothing happens on it before.
    pub paused_until: Micros,
    /// The one timer event that counts.
    pub timer_at: Option<Micros>,
}

/// A running process.
pub struct Process {
    /// The node's log.
    pub log: Log,
    /// Its groups.
    pub members: BTreeMap<GroupId, Member>,
    /// Writes that wait for the log.
    pub log_queue: Vec<(GroupId, LogWrite)>,
    /// Writes that are appended and not synced.
    pub syncing: Option<Syncing>,
}

/// A batch on its way to the disk.
#[derive(Default)]
pub struct Syncing {
    /// The last write of each group.
    pub upto: BTreeMap<GroupId, WriteId>,
    /// The entries in it: group, position, whose.
    pub entries: Vec<(GroupId, LogIndex, Origin)>,
    /// What may be said once it is durable.
    pub responses: Vec<(GroupId, Outgoing)>,
}

/// Where the log lies on the simulated disk.
pub(crate) const LOG_DIRECTORY: &str = "log";

impl Store {
    /// A store that has never run, with the groups founded in its log.
    #[must_use]
    pub fn new(id: StoreId, seed: u64, clock: Clock) -> Self {
        Self {
            id,
            disk: SimDisk::new(seed),
            engine: Arc::new(MemoryEngine::new()),
            clock,
            process: None,
            incarnation: 0,
            paused_until: Micros(0),
            timer_at: None,
        }
    }

    /// What its clock shows.
    #[must_use]
    pub fn now(&self, time: Micros) -> Instant {
        self.clock.shows(time)
    }

    fn open_log(
        &self,
        scenario: &Scenario,
    ) -> Result<(Log, BTreeMap<GroupId, GroupLog>), OpenError> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let options = LogOptions {
            segment_bytes: scenario.segment_bytes,
            planted_bug: scenario.planted.log(),
        };
        let identity = LogIdentity { store: self.id, seed: self.id.0 ^ self.incarnation };
        Log::open(disk, LOG_DIRECTORY, options, identity)
    }

    /// Writes the founding records, as a node's first start does.
    ///
    /// # Errors
    /// When the disk fails under it.
    pub fn found(&mut self, scenario: &Scenario) -> Result<(), String> {
        let (mut log, groups) = self.open_log(scenario).map_err(|error| error.to_string())?;
        let missing: Vec<Record> = scenario
            .groups()
            .filter(|group| !groups.contains_key(group))
            .map(|group| Record::Install(group, scenario.founding_meta(), 0))
            .collect();
        log.append(&missing).and_then(|_| log.sync()).map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Starts the process from what is durable.
    ///
    /// # Errors
    /// When the log or the engine cannot be opened: what they say.
    pub fn start(&mut self, scenario: &Scenario, time: Micros) -> Result<(), String> {
        self.incarnation += 1;
        self.found(scenario)?;
        let (log, groups) = self.open_log(scenario).map_err(|error| error.to_string())?;
        let now = self.now(time);
        let mut members = BTreeMap::new();
        for (id, group_log) in groups {
            let engine: Arc<dyn Engine> = self.engine.clone();
            let start = Start {
                id,
                config: self.group_config(id, scenario),
                log: group_log,
                engine,
                options: scenario.key_space_options(),
                record: scenario.record && scenario.planted == crate::scenario::Planted::Nothing,
            };
            members.insert(id, Member::start(start, now).map_err(|error| error.to_string())?);
        }
        self.process = Some(Process { log, members, log_queue: Vec::new(), syncing: None });
        self.timer_at = None;
        Ok(())
    }

    fn group_config(&self, group: GroupId, scenario: &Scenario) -> GroupConfig {
        let seed = scenario.seed ^ (self.id.0 << 8) ^ (self.incarnation << 32) ^ group.0;
        let consensus = Config {
            election_timeout: scenario.election_timeout,
            heartbeat_interval: scenario.election_timeout / 5,
            append_bytes_max: scenario.append_bytes_max,
            inflight_appends_max: scenario.inflight_appends_max,
            planted_bug: scenario.planted.consensus(),
            ..Config::local_network(self.id, scenario.protocol, seed)
        };
        GroupConfig {
            group,
            consensus,
            incarnation: self.incarnation,
            trailing_bytes: scenario.trailing_bytes,
            planted_bug: scenario.planted.group(),
        }
    }
}

impl Syncing {
    fn note_entries(&mut self, group: GroupId, records: &[Record]) {
        for record in records {
            if let Record::Entries(_, entries) = record {
                self.entries.extend(entries.iter().map(|it| (group, it.index, it.origin)));
            }
        }
    }
}

impl Process {
    /// The member of a group that the scenario founded.
    ///
    /// # Panics
    /// If there is none.
    pub fn member(&mut self, group: GroupId) -> &mut Member {
        self.members.get_mut(&group).expect("every store hosts every group of the scenario")
    }

    /// Hands everything that waits to the log. Returns whether a sync is now under way.
    ///
    /// # Errors
    /// When the log failed, which is final.
    pub fn begin_sync(&mut self) -> Result<bool, String> {
        if self.syncing.is_some() || self.log_queue.is_empty() {
            return Ok(false);
        }
        let mut batch = Syncing::default();
        let mut records = Vec::new();
        for (group, write) in self.log_queue.drain(..) {
            batch.upto.insert(group, write.id);
            batch.note_entries(group, &write.records);
            records.extend(write.records);
            batch.responses.extend(write.responses.into_iter().map(|it| (group, it)));
        }
        if !records.is_empty() {
            self.log.append(&records).map_err(|error| error.to_string())?;
        }
        self.syncing = Some(batch);
        Ok(true)
    }

    /// The oldest of the generations in force, by group: what a restart must find.
    #[must_use]
    pub fn generations(&self) -> BTreeMap<GroupId, Generation> {
        self.members.iter().map(|(id, member)| (*id, member.generation)).collect()
    }

    /// How far a group has applied.
    #[must_use]
    pub fn applied(&self, group: GroupId) -> LogIndex {
        self.members.get(&group).map_or(LogIndex::ZERO, |member| member.keyspace.applied())
    }
}
