//! How a recording begins: everything that the group was started with.

use super::{framed, unframed};
use crate::wire::{get_ballot, get_entries, get_index, get_meta};
use crate::wire::{put_ballot, put_entries, put_meta};
use crate::{Group, GroupConfig};
use bytes::Bytes;
use std::time::Duration;
use synod_codec::{DecodeError, Reader, Writer};
use synod_consensus::{Config, GroupId, HardState, Instant, LogIndex, Protocol, StoreId};
use synod_storage::GroupLog;

/// "This is a recording, of this format."
const MAGIC: &[u8; 8] = b"SYNODJN1";

/// What a recorded group was started with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// What it was told.
    pub config: GroupConfig,
    /// What the log held.
    pub log: GroupLog,
    /// What the state machine had applied.
    pub applied: LogIndex,
    /// What the clock showed.
    pub started: Instant,
}

impl Opening {
    /// Starts the group.
    #[must_use]
    pub fn begin(&self) -> Group {
        Group::new(self.config.clone(), self.log.clone(), self.applied, self.started)
    }

    /// The opening as bytes.
    ///
    /// # Panics
    /// If a bug is planted: recordings are of what production runs.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Writer::new();
        out.raw(MAGIC);
        put_config(&mut out, &self.config);
        put_log(&mut out, &self.log);
        out.varint(self.applied.0).varint(self.started.0);
        framed(out)
    }

    /// Reads the opening at the beginning of a recording.
    pub fn read(input: &mut Reader) -> Result<Self, DecodeError> {
        let mut body = unframed(input)?;
        if body.take(MAGIC.len())? != MAGIC.as_slice() {
            return Err(DecodeError::Invalid("this is no recording of this format"));
        }
        let config = get_config(&mut body)?;
        let log = get_log(&mut body)?;
        let (applied, started) = (get_index(&mut body)?, Instant(body.varint()?));
        body.finish()?;
        Ok(Self { config, log, applied, started })
    }
}

fn put_config(out: &mut Writer, config: &GroupConfig) {
    let consensus = &config.consensus;
    assert!(config.planted_bug.is_none() && consensus.planted_bug.is_none(), "no bug is planted");
    out.varint(config.group.0).varint(config.incarnation).varint(config.trailing_bytes as u64);
    out.u64(consensus.store.0).bool(consensus.protocol == Protocol::Paxos).u64(consensus.seed);
    put_duration(out, consensus.election_timeout);
    put_duration(out, consensus.heartbeat_interval);
    out.varint(consensus.append_bytes_max as u64);
    out.varint(consensus.inflight_appends_max as u64);
    out.varint(consensus.uncommitted_bytes_max as u64);
}

fn get_config(input: &mut Reader) -> Result<GroupConfig, DecodeError> {
    let group = GroupId(input.varint()?);
    let incarnation = input.varint()?;
    let trailing_bytes = get_size(input)?;
    let store = StoreId(input.u64()?);
    let protocol = if input.bool()? { Protocol::Paxos } else { Protocol::Raft };
    let seed = input.u64()?;
    let consensus = Config {
        store,
        protocol,
        seed,
        election_timeout: get_duration(input)?,
        heartbeat_interval: get_duration(input)?,
        append_bytes_max: get_size(input)?,
        inflight_appends_max: get_size(input)?,
        uncommitted_bytes_max: get_size(input)?,
        planted_bug: None,
    };
    Ok(GroupConfig { group, consensus, incarnation, trailing_bytes, planted_bug: None })
}

fn put_duration(out: &mut Writer, duration: Duration) {
    out.varint(u64::try_from(duration.as_micros()).expect("timeouts are far below 500,000 years"));
}

/// The longest duration that a recording may name: longer than any timeout, and short enough that
/// sums of a few cannot overflow.
const DURATION_MAX: Duration = Duration::from_secs(1 << 32);

fn get_duration(input: &mut Reader) -> Result<Duration, DecodeError> {
    let duration = Duration::from_micros(input.varint()?);
    if duration > DURATION_MAX || duration.is_zero() {
        return Err(DecodeError::Invalid("a timeout is zero or absurdly long"));
    }
    Ok(duration)
}

fn get_size(input: &mut Reader) -> Result<usize, DecodeError> {
    let size = input.varint()?;
    usize::try_from(size).map_err(|_| DecodeError::OverLimit("size", size))
}

fn put_log(out: &mut Writer, log: &GroupLog) {
    put_ballot(out, log.hard_state.promised);
    out.varint(log.hard_state.committed.0).varint(log.generation);
    put_meta(out, &log.snapshot);
    put_entries(out, &log.entries);
}

fn get_log(input: &mut Reader) -> Result<GroupLog, DecodeError> {
    let promised = get_ballot(input)?;
    let hard_state = HardState { promised, committed: get_index(input)? };
    let generation = input.varint()?;
    let snapshot = get_meta(input)?;
    let entries = get_entries(input)?;
    if entries.first().is_some_and(|first| first.index != snapshot.index.next()) {
        return Err(DecodeError::Invalid("the entries do not follow the snapshot"));
    }
    Ok(GroupLog { hard_state, snapshot, generation, entries })
}
