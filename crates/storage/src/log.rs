//! The one log of a node, for all its groups: `docs/format/log.md` has the bytes.
//!
//! A log is a row of segments, numbered from 1. Batches are appended to the newest; the oldest is
//! removed once nothing in it is needed. One thread owns a [`Log`]: it drains its queue into one
//! append, and lets as many appends share a sync as have gathered.
//!
//! Always holds:
//! - A segment is begun only after the one before it was synced whole. Only the newest can be torn.
//! - A batch names the last place that was synced before it. What a later batch, or a later
//!   segment, vouches for must be whole: damage before it is corruption, behind it a torn tail.
//! - A failed write or sync ends the log for this process.

mod contents;
mod error;
mod frame;
mod index;
mod item;
mod options;
mod position;
mod reclaim;
mod recover;
mod scan;
mod segment;
mod segments;

pub use error::{LogError, OpenError};
pub use options::{
    BATCH_BYTES_MAX, LogBug, LogIdentity, LogOptions, RECLAIM_BATCH_BYTES, RECLAIM_MULTIPLE,
    RECLAIM_SLACK_SEGMENTS, SEGMENT_BYTES_DEFAULT,
};
pub use position::LogPosition;
pub use reclaim::Reclaimed;
pub use segment::LOG_FORMAT_VERSION;

use crate::{Disk, GroupLog, Record};
use frame::{FRAME_HEADER_BYTES, FrameHeader};
use index::Index;
use segment::SegmentHeader;
use segments::Segments;
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_codec::Writer;
use synod_consensus::{GroupId, StoreId};

/// What a disk is assumed to write whole or not at all, in bytes; everything in the log begins at
/// a multiple of it.
pub const SECTOR_BYTES: u64 = 512;

/// See the module's text.
#[derive(Debug)]
pub struct Log {
    segments: Segments,
    index: Index,
    /// The oldest segment that is needed; what is before it is being removed.
    first: u64,
    /// Everything before this place is durable.
    synced: LogPosition,
    /// The failure that ended the log.
    stopped: Option<String>,
    planted_bug: Option<LogBug>,
}

/// Figures of a log, for reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LogStats {
    /// Where the next batch goes, unless it begins a new segment.
    pub position: LogPosition,
    /// Everything before this place is durable.
    pub synced: LogPosition,
    /// How many segment files there are.
    pub segments: u64,
    /// What they take on disk, in bytes.
    pub bytes: u64,
    /// About what the part that is still needed takes, in bytes.
    pub retained_bytes: u64,
    /// How many groups the log serves.
    pub groups: usize,
}

impl Log {
    /// Recovers the log in `directory`, or begins one, and returns what it holds of every group.
    ///
    /// A torn tail is cut, and everything that is returned is durable, before this returns. When it
    /// fails with anything but [`OpenError::Io`], nothing on the disk was changed.
    pub fn open(
        disk: Arc<dyn Disk>,
        directory: &str,
        options: LogOptions,
        identity: LogIdentity,
    ) -> Result<(Self, BTreeMap<GroupId, GroupLog>), OpenError> {
        recover::open(disk, directory, &options, identity)
    }

    /// Whose log is in `directory`, if there is one: how a restarted node learns its store id.
    pub fn stored_identity(
        disk: &Arc<dyn Disk>,
        directory: &str,
    ) -> Result<Option<StoreId>, OpenError> {
        recover::stored_identity(disk, directory)
    }

    /// Writes the records as one batch, which recovery finds whole or not at all, and returns its
    /// end. Not durable before [`Log::sync`]. An empty batch is allowed: once synced, it vouches
    /// for everything before it, so that later rot there is told from a torn tail.
    ///
    /// # Panics
    /// If a record does not fit what the log holds: entries behind a gap or at or before what was
    /// compacted, or a group whose first record is not [`Record::Install`].
    pub fn append(&mut self, records: &[Record]) -> Result<LogPosition, LogError> {
        self.check_running()?;
        let mut out = frame::begin();
        records.iter().for_each(|record| record.encode(&mut out));
        let count = u32::try_from(records.len()).expect("a batch's records are bounded in bytes");
        let segment = self.make_room(&out)?;
        for record in records {
            self.index.check(record);
            self.index.apply(record, segment);
        }
        self.write_frame(out, count)
    }

    /// Makes everything appended so far durable, and returns its end.
    pub fn sync(&mut self) -> Result<LogPosition, LogError> {
        self.check_running()?;
        let position = self.segments.position();
        if self.synced < position {
            if self.planted_bug != Some(LogBug::SkipSync) {
                let synced = self.segments.sync_newest();
                self.note(synced)?;
            }
            self.synced = position;
        }
        Ok(self.synced)
    }

    /// Figures for reports.
    #[must_use]
    pub fn stats(&self) -> LogStats {
        LogStats {
            position: self.segments.position(),
            synced: self.synced,
            segments: self.segments.count(),
            bytes: self.segments.bytes_from(0),
            retained_bytes: self.index.retained_bytes(),
            groups: self.index.groups().count(),
        }
    }

    /// Begins a new segment if the batch does not fit in the newest, and returns where it goes.
    fn make_room(&mut self, batch: &Writer) -> Result<u64, LogError> {
        let payload_bytes = batch.len() - FRAME_HEADER_BYTES;
        if payload_bytes > BATCH_BYTES_MAX {
            return Err(LogError::TooLarge { bytes: payload_bytes });
        }
        if !self.segments.has_room(frame::frame_bytes(payload_bytes)) {
            // The new segment's existence vouches for all of this one.
            self.sync()?;
            let begun = self.segments.begin_next(self.first);
            self.note(begun)?;
            self.synced = self.segments.position();
        }
        Ok(self.segments.newest().number)
    }

    /// Writes a batch that [`Log::make_room`] has made room for.
    fn write_frame(&mut self, batch: Writer, count: u32) -> Result<LogPosition, LogError> {
        let header = FrameHeader { count, synced: self.synced, first: self.first };
        let position = self.segments.position();
        let frame = frame::finish(batch, header, self.segments.newest(), position.offset);
        let written = self.segments.write(&frame);
        self.note(written)?;
        Ok(self.segments.position())
    }

    fn check_running(&self) -> Result<(), LogError> {
        match &self.stopped {
            None => Ok(()),
            Some(cause) => Err(LogError::Stopped { cause: cause.clone() }),
        }
    }

    /// Remembers a failure: nothing is written after one.
    fn note<T>(&mut self, result: Result<T, LogError>) -> Result<T, LogError> {
        if let Err(error) = &result {
            self.stopped = Some(error.to_string());
        }
        result
    }
}
