//! Opening a log: telling a torn tail from corruption, and replaying what is there.
//!
//! Always holds: nothing on the disk changes before the whole log was read and found good; what is
//! returned is durable.

use super::contents::Contents;
use super::index::{GroupIndex, Index};
use super::item::{self, Item};
use super::scan::{Scan, scan};
use super::segment::{self, BadHeader, HEADER_BYTES, LOG_FORMAT_VERSION, SegmentHeader};
use super::segments::{Newest, Segments, begin, read_whole};
use super::{Log, LogIdentity, LogOptions, LogPosition, OpenError};
use crate::{Disk, DiskFile, GroupLog};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use synod_consensus::{Entry, GroupId, StoreId};

type Groups = BTreeMap<GroupId, GroupLog>;

/// See [`Log::open`].
pub(super) fn open(
    disk: Arc<dyn Disk>,
    directory: &str,
    options: &LogOptions,
    identity: LogIdentity,
) -> Result<(Log, Groups), OpenError> {
    disk.create_directory(directory).map_err(io_error("creating", directory))?;
    let names = disk.list(directory).map_err(io_error("listing", directory))?;
    let numbers: Vec<u64> = names.iter().filter_map(|name| segment::number_of(name)).collect();
    let recovery = Recovery { disk: &*disk, directory, identity };
    let opened = match numbers.last() {
        None => recovery.found_log(&names)?,
        Some(newest) => recovery.recover(&names, &numbers, *newest)?,
    };
    let Opened { newest, lengths, index, groups, first } = opened;
    let segments = Segments::new(disk.clone(), directory, identity, options, newest, lengths);
    let synced = segments.position();
    let planted_bug = options.planted_bug;
    Ok((Log { segments, index, first, synced, stopped: None, planted_bug }, groups))
}

/// See [`Log::stored_identity`].
pub(super) fn stored_identity(
    disk: &Arc<dyn Disk>,
    directory: &str,
) -> Result<Option<StoreId>, OpenError> {
    let names = match disk.list(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        listed => listed.map_err(io_error("listing", directory))?,
    };
    let newest = names.iter().filter_map(|name| segment::number_of(name)).next_back();
    let Some(number) = newest else { return Ok(None) };
    let path = segment::path_of(directory, number);
    let file = disk.open(&path).map_err(io_error("opening", &path))?;
    let length = file.length().map_err(io_error("reading", &path))?.min(HEADER_BYTES);
    let block = file.read_at(0, length as usize).map_err(io_error("reading", &path))?;
    SegmentHeader::decode(&block)
        .map(|header| Some(header.store))
        .map_err(|bad| bad_header(path, bad))
}

/// What a log's opening needs at every step.
struct Recovery<'a> {
    disk: &'a dyn Disk,
    directory: &'a str,
    identity: LogIdentity,
}

/// What is needed to go on.
struct Opened {
    newest: Newest,
    lengths: BTreeMap<u64, u64>,
    index: Index,
    groups: Groups,
    first: u64,
}

/// One segment as it was read.
struct Loaded {
    path: String,
    file: Arc<dyn DiskFile>,
    bytes: Bytes,
    header: SegmentHeader,
    scan: Scan,
}

/// Everything replayed so far.
#[derive(Default)]
struct Replay {
    index: Index,
    contents: Contents,
    lengths: BTreeMap<u64, u64>,
}

impl Recovery<'_> {
    /// Begins a log where there is none.
    fn found_log(&self, names: &[String]) -> Result<Opened, OpenError> {
        self.remove_leftovers(names, 1)?;
        let salt = segment::salt_of(self.identity.seed, 1);
        let store = self.identity.store;
        let header = SegmentHeader { store, number: 1, salt, previous_end: 0, first: 1 };
        let file = begin(self.disk, self.directory, &header, false)
            .map_err(|(operation, path, error)| OpenError::Io { operation, path, error })?;
        let lengths = BTreeMap::from([(1, HEADER_BYTES)]);
        let newest = Newest { header, file };
        Ok(Opened { newest, lengths, index: Index::default(), groups: Groups::new(), first: 1 })
    }

    fn recover(&self, names: &[String], numbers: &[u64], newest: u64) -> Result<Opened, OpenError> {
        let newest = self.load(newest)?;
        check_tail(&newest)?;
        let last_frame = newest.scan.frames.last();
        let first = last_frame.map_or(newest.header.first, |frame| frame.header.first);
        self.check_all_there(numbers, first, newest.header.number)?;
        let mut replay = Replay::default();
        for number in first..newest.header.number {
            let closed = self.load(number)?;
            check_closed(&closed)?;
            replay.take(&closed)?;
        }
        replay.take(&newest)?;
        let Replay { index, contents, lengths } = replay;
        let groups = group_logs(&index, contents)
            .map_err(|what| corrupt(&newest.path, newest.scan.end, what))?;
        self.settle_tail(&newest)?;
        self.remove_leftovers(names, first)?;
        let newest = Newest { header: newest.header, file: newest.file };
        Ok(Opened { newest, lengths, index, groups, first })
    }

    fn load(&self, number: u64) -> Result<Loaded, OpenError> {
        let path = segment::path_of(self.directory, number);
        let file = self.disk.open(&path).map_err(io_error("opening", &path))?;
        let bytes = read_whole(&*file).map_err(io_error("reading", &path))?;
        let header = SegmentHeader::decode(&bytes).map_err(|bad| bad_header(path.clone(), bad))?;
        if header.store != self.identity.store {
            let (found, expected) = (header.store, self.identity.store);
            return Err(OpenError::OtherStore { path, found, expected });
        }
        if header.number != number {
            let what = format!("it holds segment {}, as if it had been renamed", header.number);
            return Err(corrupt(&path, 0, what));
        }
        let scan = scan(&bytes, &header);
        Ok(Loaded { path, file, bytes, header, scan })
    }

    fn check_all_there(&self, numbers: &[u64], first: u64, newest: u64) -> Result<(), OpenError> {
        match (first..newest).find(|number| numbers.binary_search(number).is_err()) {
            None => Ok(()),
            Some(missing) => {
                let path = segment::path_of(self.directory, missing);
                Err(OpenError::MissingSegment { path, first, newest })
            }
        }
    }

    /// Cuts what is torn, and makes durable what stays.
    ///
    /// What nobody vouches for is written again before it is synced: after a failed sync the
    /// operating system may hold it in memory, call it clean, and never write it.
    fn settle_tail(&self, newest: &Loaded) -> Result<(), OpenError> {
        let end = newest.scan.end;
        let failed = io_error("cutting the torn tail of", &newest.path);
        if newest.bytes.len() as u64 > end {
            newest.file.set_length(end).map_err(failed)?;
        }
        let vouched = newest.scan.vouched.offset;
        if vouched < end {
            let unvouched = newest.bytes.slice(vouched as usize..end as usize);
            let written = newest.file.write_at(vouched, &unvouched);
            written.map_err(io_error("writing again the tail of", &newest.path))?;
        }
        newest.file.sync_data().map_err(io_error("syncing", &newest.path))
    }

    /// Removes segments that are no longer needed and files that never became segments, and makes
    /// the directory durable as it is.
    fn remove_leftovers(&self, names: &[String], first: u64) -> Result<(), OpenError> {
        let is_leftover = |name: &&String| {
            segment::is_temporary(name) || segment::number_of(name).is_some_and(|n| n < first)
        };
        for name in names.iter().filter(is_leftover) {
            let path = format!("{}/{name}", self.directory);
            self.disk.remove(&path).map_err(io_error("removing", &path))?;
        }
        self.disk.sync_directory(self.directory).map_err(io_error("syncing", self.directory))
    }
}

/// A place without a batch, before one that somebody vouches for, is not a torn tail.
fn check_tail(newest: &Loaded) -> Result<(), OpenError> {
    let Loaded { path, header, scan, .. } = newest;
    let end = LogPosition { segment: header.number, offset: scan.end };
    if scan.vouched > end {
        let what = format!("no valid batch, but all before {} was synced", scan.vouched);
        return Err(corrupt(path, scan.end, what));
    }
    Ok(())
}

/// A segment that was followed by another was synced whole before.
fn check_closed(closed: &Loaded) -> Result<(), OpenError> {
    if closed.scan.end == closed.bytes.len() as u64 {
        return Ok(());
    }
    let what = "no valid batch, but a later segment exists".to_owned();
    Err(corrupt(&closed.path, closed.scan.end, what))
}

impl Replay {
    fn take(&mut self, segment: &Loaded) -> Result<(), OpenError> {
        let Loaded { path, header, scan, .. } = segment;
        self.check_previous_end(segment)?;
        for frame in &scan.frames {
            let undecodable = |error| corrupt(path, frame.offset, format!("a batch holds {error}"));
            for item in item::decode_all(frame).map_err(undecodable)? {
                match &item {
                    Item::Record(record) => self.index.apply(record, header.number),
                    Item::Base(group, meta, generation) => {
                        self.index.apply_base(*group, meta, *generation, header.number);
                    }
                }
                self.contents.apply(item);
            }
        }
        self.lengths.insert(header.number, scan.end);
        Ok(())
    }

    /// A closed segment that was cut short between two batches looks whole by itself.
    fn check_previous_end(&self, segment: &Loaded) -> Result<(), OpenError> {
        let Loaded { path, header, .. } = segment;
        match self.lengths.last_key_value() {
            Some((previous, length)) if *length != header.previous_end => {
                let expected = header.previous_end;
                let what = format!("segment {previous} has {length} bytes, not {expected}");
                Err(corrupt(path, 0, what))
            }
            _ => Ok(()),
        }
    }
}

/// What was replayed, if it is a whole log of every group.
fn group_logs(index: &Index, mut contents: Contents) -> Result<Groups, String> {
    let mut groups = Groups::new();
    for (group, index) in index.groups() {
        let entries = contents.take(group).into_values().collect();
        groups.insert(group, group_log(group, index, entries)?);
    }
    Ok(groups)
}

fn group_log(group: GroupId, index: &GroupIndex, entries: Vec<Entry>) -> Result<GroupLog, String> {
    let (Some(base), Some(generation)) = (&index.base, &index.generation) else {
        return Err(format!("group {group} has records but no beginning"));
    };
    let mut expected = base.value.index;
    for entry in &entries {
        expected = expected.next();
        if entry.index != expected {
            return Err(format!("group {group} has entry {} but not {expected}", entry.index));
        }
    }
    let hard_state = index.hard_state.as_ref().map(|state| state.value).unwrap_or_default();
    let (snapshot, generation) = (base.value.clone(), generation.value);
    Ok(GroupLog { hard_state, snapshot, generation, entries })
}

fn corrupt(path: &str, offset: u64, what: String) -> OpenError {
    OpenError::Corrupt { path: path.to_owned(), offset, what }
}

fn bad_header(path: String, bad: BadHeader) -> OpenError {
    match bad {
        BadHeader::OtherVersion(found) => {
            OpenError::OtherVersion { path, found, supported: LOG_FORMAT_VERSION }
        }
        BadHeader::Damaged(what) => OpenError::Corrupt { path, offset: 0, what: what.to_owned() },
    }
}

fn io_error(operation: &'static str, path: &str) -> impl Fn(io::Error) -> OpenError + use<> {
    let path = path.to_owned();
    move |error| OpenError::Io { operation, path: path.clone(), error }
}
