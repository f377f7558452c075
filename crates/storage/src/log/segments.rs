//! The log's files: the newest open for writing, the others known by their lengths.

use super::segment::{self, HEADER_BYTES, SegmentHeader};
use super::{LogBug, LogError, LogIdentity, LogOptions, LogPosition};
use crate::{Disk, DiskFile};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Segments {
    disk: Arc<dyn Disk>,
    directory: String,
    identity: LogIdentity,
    segment_bytes: u64,
    skip_sync: bool,
    /// The newest segment, which batches go to.
    header: SegmentHeader,
    file: Arc<dyn DiskFile>,
    /// Every segment's length by its number, the newest included.
    lengths: BTreeMap<u64, u64>,
}

/// What recovery found, to go on from.
pub(super) struct Newest {
    pub(super) header: SegmentHeader,
    pub(super) file: Arc<dyn DiskFile>,
}

impl Segments {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        directory: &str,
        identity: LogIdentity,
        options: &LogOptions,
        newest: Newest,
        lengths: BTreeMap<u64, u64>,
    ) -> Self {
        assert_eq!(lengths.keys().next_back(), Some(&newest.header.number));
        Self {
            disk,
            directory: directory.to_owned(),
            identity,
            segment_bytes: options.segment_bytes,
            skip_sync: options.planted_bug == Some(LogBug::SkipSync),
            header: newest.header,
            file: newest.file,
            lengths,
        }
    }

    pub(super) fn newest(&self) -> &SegmentHeader {
        &self.header
    }

    pub(super) fn position(&self) -> LogPosition {
        let segment = self.header.number;
        LogPosition { segment, offset: self.lengths[&segment] }
    }

    pub(super) fn count(&self) -> u64 {
        self.lengths.len() as u64
    }

    pub(super) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    /// What segments from `first` on take, in bytes.
    pub(super) fn bytes_from(&self, first: u64) -> u64 {
        self.lengths.range(first..).map(|(_, length)| length).sum()
    }

    /// Whether the newest segment takes so many bytes more. An empty one takes a batch of any size.
    pub(super) fn has_room(&self, frame_bytes: u64) -> bool {
        let end = self.position().offset;
        end == HEADER_BYTES || end + frame_bytes <= self.segment_bytes
    }

    pub(super) fn write(&mut self, frame: &[u8]) -> Result<(), LogError> {
        let position = self.position();
        let written = self.file.write_at(position.offset, frame);
        written.map_err(|error| self.newest_failed("writing", &error))?;
        self.lengths.insert(position.segment, position.offset + frame.len() as u64);
        Ok(())
    }

    pub(super) fn sync_newest(&self) -> Result<(), LogError> {
        self.file.sync_data().map_err(|error| self.newest_failed("syncing", &error))
    }

    /// Begins the segment after the newest, which the caller has synced.
    pub(super) fn begin_next(&mut self, first: u64) -> Result<(), LogError> {
        let position = self.position();
        let number = position.segment + 1;
        let header = SegmentHeader {
            store: self.identity.store,
            number,
            salt: segment::salt_of(self.identity.seed, number),
            previous_end: position.offset,
            first,
        };
        let begun = begin(&*self.disk, &self.directory, &header, self.skip_sync);
        let file = begun.map_err(|(operation, path, error)| failed(operation, path, &error))?;
        self.header = header;
        self.file = file;
        self.lengths.insert(number, HEADER_BYTES);
        Ok(())
    }

    /// The whole file of an older segment and its header, to copy from.
    pub(super) fn read(&self, number: u64) -> Result<(SegmentHeader, Bytes), LogError> {
        let path = segment::path_of(&self.directory, number);
        let read = self.disk.open(&path).and_then(|file| read_whole(&*file));
        let bytes = read.map_err(|error| failed("reading", path.clone(), &error))?;
        match SegmentHeader::decode(&bytes) {
            Ok(header) if header.number == number => Ok((header, bytes)),
            _ => Err(LogError::Corrupt { path, offset: 0 }),
        }
    }

    pub(super) fn length(&self, number: u64) -> u64 {
        self.lengths[&number]
    }

    pub(super) fn path(&self, number: u64) -> String {
        segment::path_of(&self.directory, number)
    }

    /// Removes every segment before `first`, the oldest first.
    pub(super) fn remove_before(&mut self, first: u64) -> Result<u64, LogError> {
        assert!(first <= self.header.number, "the newest segment is never removed");
        let kept = self.lengths.split_off(&first);
        let removed = std::mem::replace(&mut self.lengths, kept);
        for number in removed.keys() {
            let path = self.path(*number);
            let done = self.disk.remove(&path);
            done.map_err(|error| failed("removing", path, &error))?;
        }
        let done = self.disk.sync_directory(&self.directory);
        done.map_err(|error| failed("syncing", self.directory.clone(), &error))?;
        Ok(removed.len() as u64)
    }

    fn newest_failed(&self, operation: &'static str, error: &io::Error) -> LogError {
        failed(operation, self.path(self.header.number), error)
    }
}

/// What was tried, on which file, and what the operating system said.
pub(super) type Failure = (&'static str, String, io::Error);

/// Creates a segment. It gets its name only when its header is durable, and its name is durable
/// before this returns.
pub(super) fn begin(
    disk: &dyn Disk,
    directory: &str,
    header: &SegmentHeader,
    skip_sync: bool,
) -> Result<Arc<dyn DiskFile>, Failure> {
    let temporary = segment::temporary_path_of(directory, header.number);
    let failed = |operation, path: &str| {
        let path = path.to_owned();
        move |error| (operation, path, error)
    };
    let file = disk.create(&temporary).map_err(failed("creating", &temporary))?;
    file.write_at(0, &header.encode()).map_err(failed("writing", &temporary))?;
    if !skip_sync {
        file.sync_data().map_err(failed("syncing", &temporary))?;
    }
    let path = segment::path_of(directory, header.number);
    disk.rename(&temporary, &path).map_err(failed("renaming", &temporary))?;
    if !skip_sync {
        disk.sync_directory(directory).map_err(failed("syncing", directory))?;
    }
    Ok(file)
}

pub(super) fn read_whole(file: &dyn DiskFile) -> io::Result<Bytes> {
    let length = usize::try_from(file.length()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    file.read_at(0, length)
}

fn failed(operation: &'static str, path: String, error: &io::Error) -> LogError {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => LogError::Full { path },
        _ => LogError::Failed { operation, path, detail: error.to_string() },
    }
}
