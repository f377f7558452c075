//! Opening a data directory, and what the first start of a founded node writes into it.

use crate::config::NodeConfig;
use crate::error::StartErrorCause;
use crate::founding::FoundingRecord;
use crate::identity::{Identity, IdentityFile};
use crate::paths::{ENGINE_DIRECTORY, LOG_DIRECTORY};
use crate::random;
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_consensus::{Ballot, GroupId, HardState, LogIndex, SnapshotMeta, StoreId};
use synod_storage::{
    DirectoryLock, Disk, Engine, Generation, GroupLog, Log, LogIdentity, LogOptions, LsmEngine,
    LsmOptions, RealDisk, Record,
};

/// The groups that every cluster has from its first moment on.
const FOUNDING_GROUPS: [GroupId; 2] = [GroupId::META, GroupId::DEFAULT];

/// A new group's state is this generation.
const FIRST_GENERATION: Generation = 1;

/// An open data directory.
pub(super) struct Data {
    pub(super) lock: DirectoryLock,
    pub(super) identity: IdentityFile,
    pub(super) log: Log,
    pub(super) groups: BTreeMap<GroupId, GroupLog>,
    pub(super) engine: Arc<dyn Engine>,
}

impl Data {
    /// Locks the directory, starts a new incarnation of its store, and recovers what it holds.
    pub(super) fn open(config: &NodeConfig) -> Result<Self, StartErrorCause> {
        let root = &config.data_directory;
        let disk = Arc::new(RealDisk::open(root).map_err(StartErrorCause::Directory)?);
        let lock = DirectoryLock::acquire(root).map_err(StartErrorCause::Lock)?;
        let disk: Arc<dyn Disk> = disk;
        let draw = StoreId(random::draw().map_err(StartErrorCause::System)?);
        let identity = IdentityFile::start(Arc::clone(&disk), &config.name, config.consensus, draw)
            .map_err(StartErrorCause::Identity)?;
        let seed = random::draw().map_err(StartErrorCause::System)?;
        let options = LogOptions { segment_bytes: config.segment_bytes, ..LogOptions::default() };
        let log_identity = LogIdentity { store: identity.identity().store, seed };
        let (log, groups) =
            Log::open(disk, LOG_DIRECTORY, options, log_identity).map_err(StartErrorCause::Log)?;
        let engine = LsmEngine::open(&root.join(ENGINE_DIRECTORY), &LsmOptions::default())
            .map_err(StartErrorCause::Engine)?;
        Ok(Self { lock, identity, log, groups, engine: Arc::new(engine) })
    }
}

/// Writes the founding groups into the log, once in a store's life; afterwards makes sure that
/// they are there.
pub(super) fn install(
    mut identity: IdentityFile,
    log: &mut Log,
    groups: &mut BTreeMap<GroupId, GroupLog>,
    founding: &FoundingRecord,
) -> Result<Identity, StartErrorCause> {
    let missing: Vec<GroupId> =
        FOUNDING_GROUPS.into_iter().filter(|group| !groups.contains_key(group)).collect();
    if let (true, Some(group)) = (identity.identity().installed, missing.first()) {
        return Err(StartErrorCause::LogLost(*group));
    }
    let records: Vec<Record> = missing.iter().map(|group| first_record(*group, founding)).collect();
    if !records.is_empty() {
        log.append(&records).map_err(StartErrorCause::LogWrite)?;
        log.sync().map_err(StartErrorCause::LogWrite)?;
    }
    if !identity.identity().installed {
        identity.record_installed().map_err(StartErrorCause::Identity)?;
    }
    groups.extend(missing.into_iter().map(|group| (group, first_log(founding))));
    Ok(identity.identity().clone())
}

fn first_meta(founding: &FoundingRecord) -> SnapshotMeta {
    let membership = founding.membership();
    SnapshotMeta { index: LogIndex::ZERO, ballot: Ballot::ZERO, membership }
}

fn first_record(group: GroupId, founding: &FoundingRecord) -> Record {
    Record::Install(group, first_meta(founding), FIRST_GENERATION)
}

/// What recovery would find of [`first_record`].
fn first_log(founding: &FoundingRecord) -> GroupLog {
    GroupLog {
        hard_state: HardState::default(),
        snapshot: first_meta(founding),
        generation: FIRST_GENERATION,
        entries: Vec::new(),
    }
}
