//! What a node keeps on its disk: the log of all its groups, and the engine under their state machines.
//!
//! **What it is.** [`Log`], the one write-ahead log of a node, which many groups share so that many
//! writes share one sync; [`Engine`] with a real implementation and a twin in memory; [`Disk`], the
//! door to the file system, with a real implementation and a simulated one that loses, tears and
//! refuses; [`DirectoryLock`], which keeps a second process out of a data directory.
//!
//! **What it is not.** It knows nothing of protocols, clients, snapshots' contents or threads'
//! policy: who calls [`Log::sync`], and for how many at once, is the host's business.
//!
//! **What always holds.** Recovery returns everything that a successful [`Log::sync`] covered, in
//! order, or refuses to open; it never returns bytes that were not written as they stand. A failed
//! write or sync is final for the process. The engine holds a prefix of what was written to it.
//!
//! **Where its tests are.** `tests/log_crash.rs` (power loss at every operation), `tests/log_rot.rs`
//! (every byte flipped), `tests/log_format.rs` (golden files), `tests/engine_contract.rs` (both
//! engines against a model), and beside each module.

mod disk;
mod engine;
mod lock;
mod log;
mod record;

pub use disk::{CrashPolicy, Disk, DiskFile, RealDisk, SimDisk};
pub use engine::{
    CACHE_BYTES_DEFAULT, Engine, EngineError, KEY_BYTES_MAX, KeyBounds, LsmEngine, LsmOptions,
    MemoryEngine, Scan, View, WriteBatch,
};
pub use lock::{DirectoryLock, LockError};
pub use log::{
    BATCH_BYTES_MAX, LOG_FORMAT_VERSION, Log, LogBug, LogError, LogIdentity, LogOptions,
    LogPosition, LogStats, OpenError, RECLAIM_BATCH_BYTES, RECLAIM_MULTIPLE,
    RECLAIM_SLACK_SEGMENTS, Reclaimed, SECTOR_BYTES, SEGMENT_BYTES_DEFAULT,
};
pub use record::{Generation, GroupLog, Record};
