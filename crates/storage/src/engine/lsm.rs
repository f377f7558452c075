//! The engine on a disk: one `lsm-tree` of the node, without a journal.
//!
//! Every batch has one sequence number; a view is one, too, and sees the batches below it. A batch
//! is written under the writer's lock, and the table in memory is turned under the same lock, so
//! what one flush makes durable always ends between two batches.
//!
//! Always holds: `visible` is above every batch that was written whole, and at most that of the
//! one being written; nothing that a view in `views` can see is dropped; after an error every later
//! write and flush fails.

mod compaction;
mod view;
mod views;

use super::{Engine, EngineError, View, WriteBatch, check_batch};
use bytes::Bytes;
use compaction::Compactor;
use lsm_tree::{AbstractTree, AnyTree, Cache, Config, SeqNo, SequenceNumberCounter};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use view::LsmView;
use views::Views;

/// Blocks that were read recently stay in memory up to this many bytes.
pub const CACHE_BYTES_DEFAULT: u64 = 64 << 20;

/// How the engine behaves.
#[derive(Clone, Debug)]
pub struct LsmOptions {
    /// See [`CACHE_BYTES_DEFAULT`].
    pub cache_bytes: u64,
}

impl Default for LsmOptions {
    fn default() -> Self {
        Self { cache_bytes: CACHE_BYTES_DEFAULT }
    }
}

/// See the module's text.
pub struct LsmEngine {
    shared: Arc<Shared>,
    compactor: Compactor,
}

/// What writers, readers and the compactor share.
struct Shared {
    tree: AnyTree,
    /// The next batch's number. The tree itself takes one for each version of its files.
    next: SequenceNumberCounter,
    views: Views,
    /// Held while a batch is written and while the table in memory is turned.
    writer: Mutex<()>,
    /// What was written and not flushed, in bytes.
    unflushed_bytes: AtomicU64,
    /// The first error: the engine is finished.
    stopped: Mutex<Option<EngineError>>,
}

impl LsmEngine {
    /// Opens the engine in `directory`, which is created if it is not there. It holds what the last
    /// complete flush made durable.
    pub fn open(directory: &Path, options: &LsmOptions) -> Result<Self, EngineError> {
        create_durably(directory).map_err(|error| failed("creating", &error.into()))?;
        let shared = Arc::new(Shared::open(directory, options)?);
        let compactor = Compactor::start(shared.clone())?;
        Ok(Self { shared, compactor })
    }

    /// How many tables nobody has merged yet, for reports: reads slow down as it grows.
    #[must_use]
    pub fn unmerged_runs(&self) -> usize {
        self.shared.tree.l0_run_count()
    }
}

impl Shared {
    fn open(directory: &Path, options: &LsmOptions) -> Result<Self, EngineError> {
        let next = SequenceNumberCounter::default();
        // The tree moves its idea of what is visible when it changes files, even while a batch is
        // being written; ours, in `views`, moves between batches only.
        let unused = SequenceNumberCounter::default();
        let cache = Arc::new(Cache::with_capacity_bytes(options.cache_bytes));
        let tree = Config::new(directory, next.clone(), unused)
            .use_cache(cache)
            .open()
            .map_err(|error| failed("opening", &error))?;
        // Zero is what the tree gives to entries that every view sees.
        let first = tree.get_highest_persisted_seqno().map_or(1, |highest| highest + 1);
        next.fetch_max(first);
        Ok(Self {
            tree,
            next,
            views: Views::new(first),
            writer: Mutex::new(()),
            unflushed_bytes: AtomicU64::new(0),
            stopped: Mutex::new(None),
        })
    }

    fn write(&self, changes: BTreeMap<Bytes, Option<Bytes>>) {
        let _writer = self.lock_writer();
        let sequence = self.next.next();
        for (key, value) in changes {
            // Copied: a key or value may be a small part of a large request, which would stay in
            // memory with it and be counted nowhere.
            let (added, _) = match value {
                Some(value) => self.tree.insert(&key[..], &value[..], sequence),
                None => self.tree.remove(&key[..], sequence),
            };
            self.unflushed_bytes.fetch_add(added, Ordering::Relaxed);
        }
        self.views.advance(sequence + 1);
    }

    fn flush(&self) -> Result<(), EngineError> {
        let flush = self.tree.get_flush_lock();
        let covered_bytes = {
            let _writer = self.lock_writer();
            self.tree.rotate_memtable();
            self.unflushed_bytes.load(Ordering::Relaxed)
        };
        let flushed = self.tree.flush(&flush, self.views.oldest());
        flushed.map_err(|error| failed("flushing", &error))?;
        self.unflushed_bytes.fetch_sub(covered_bytes, Ordering::Relaxed);
        self.advance_past_file_change();
        Ok(())
    }

    /// A view sees the tree's files as of its number. Between batches it may move past a change of
    /// files, so that new views read the new ones and the old can go.
    fn advance_past_file_change(&self) {
        let _writer = self.lock_writer();
        self.views.advance(self.next.get());
    }

    fn lock_writer(&self) -> MutexGuard<'_, ()> {
        // A panic in a batch leaves `visible` below it, so what follows is still consistent.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_running(&self) -> Result<(), EngineError> {
        self.stopped().clone().map_or(Ok(()), Err)
    }

    fn note<T>(&self, result: Result<T, EngineError>) -> Result<T, EngineError> {
        if let Err(error) = &result {
            self.stopped().get_or_insert_with(|| error.clone());
        }
        result
    }

    fn stopped(&self) -> MutexGuard<'_, Option<EngineError>> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LsmEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LsmEngine({} tables)", self.shared.tree.table_count())
    }
}

impl Engine for LsmEngine {
    fn view(&self) -> Arc<dyn View> {
        Arc::new(LsmView::new(self.shared.clone()))
    }

    fn write(&self, batch: WriteBatch) -> Result<(), EngineError> {
        check_batch(&batch)?;
        self.shared.check_running()?;
        // One number for the batch means one change for a key: the last one wins.
        self.shared.write(batch.changes.into_iter().collect());
        Ok(())
    }

    fn flush(&self) -> Result<(), EngineError> {
        self.shared.check_running()?;
        self.shared.note(self.shared.flush())?;
        self.compactor.wake();
        self.compactor.wait_while_behind();
        self.shared.check_running()
    }

    fn unflushed_bytes(&self) -> u64 {
        self.shared.unflushed_bytes.load(Ordering::Relaxed)
    }

    fn disk_bytes(&self) -> u64 {
        self.shared.tree.disk_space()
    }
}

/// The tree makes durable what is in its directory, but not the directory's own name.
fn create_durably(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

fn failed(operation: &str, error: &lsm_tree::Error) -> EngineError {
    EngineError(format!(
        "{operation} failed: {error}; the state may no longer be what was written; check the disk, \
         and restore this node from its peers if it does not start again"
    ))
}

/// A view's number, and what compaction must keep.
type Sequence = SeqNo;
