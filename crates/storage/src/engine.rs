//! The ordered key-value store under every state machine.
//!
//! The engine has no log of its own: the replicated log is. What was written since the last
//! [`Engine::flush`] may be lost in a crash, but only as a whole suffix: after a restart the engine
//! holds the effect of a prefix of the batches that were written, in order. State machines keep
//! their applied index inside the same batches and replay the log from there.

mod lsm;
mod memory;

pub use lsm::{CACHE_BYTES_DEFAULT, LsmEngine, LsmOptions};
pub use memory::MemoryEngine;

use bytes::Bytes;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

/// The engine cannot go on: its disk failed or holds something else than it wrote. Final.
#[derive(Debug, Clone)]
pub struct EngineError(pub String);

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "storage engine: {}", self.0)
    }
}

impl std::error::Error for EngineError {}

/// Changes that become visible together and are lost together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteBatch {
    /// In order; a later change of the same key wins. `None` removes the key.
    pub changes: Vec<(Bytes, Option<Bytes>)>,
}

impl WriteBatch {
    /// Sets `key` to `value`.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.changes.push((key.into(), Some(value.into())));
    }

    /// Removes `key`, if it is there.
    pub fn remove(&mut self, key: impl Into<Bytes>) {
        self.changes.push((key.into(), None));
    }

    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// No key is longer, in bytes: the real engine writes a key's length in two bytes. What is built
/// above keeps its own, lower limits.
pub const KEY_BYTES_MAX: usize = u16::MAX as usize;

/// Refuses, before anything is written, what the real engine cannot hold.
fn check_batch(batch: &WriteBatch) -> Result<(), EngineError> {
    match batch.changes.iter().find(|(key, _)| key.len() > KEY_BYTES_MAX) {
        None => Ok(()),
        Some((key, _)) => Err(EngineError(format!(
            "a key of {} bytes is over the limit of {KEY_BYTES_MAX}; nothing was written",
            key.len()
        ))),
    }
}

/// Whether no key can lie within `bounds`, which may also be the wrong way round.
fn is_empty_range(bounds: &KeyBounds) -> bool {
    use Bound::{Excluded, Included};
    match bounds {
        (Included(start), Included(end)) => start > end,
        (Included(start) | Excluded(start), Excluded(end)) | (Excluded(start), Included(end)) => {
            start >= end
        }
        _ => false,
    }
}

/// A stretch of keys, as for `BTreeMap::range`, except that bounds the wrong way round hold nothing.
pub type KeyBounds = (Bound<Bytes>, Bound<Bytes>);

/// Items of a scan, in key order (or its reverse).
pub type Scan<'a> = Box<dyn Iterator<Item = Result<(Bytes, Bytes), EngineError>> + 'a>;

/// The state at one moment; later writes do not show in it.
pub trait View: Send + Sync {
    /// The value at `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError>;
    /// Keys within `bounds`, ascending.
    fn scan(&self, bounds: KeyBounds) -> Scan<'_>;
    /// Keys within `bounds`, descending.
    fn scan_back(&self, bounds: KeyBounds) -> Scan<'_>;
}

/// See the module's text for what survives a crash.
pub trait Engine: Send + Sync + fmt::Debug {
    /// The state now. Cheap; long-lived views keep old data from being reclaimed.
    fn view(&self) -> Arc<dyn View>;
    /// Writes a batch, visible to every view taken after it returns. One writer at a time.
    fn write(&self, batch: WriteBatch) -> Result<(), EngineError>;
    /// Makes everything written before the call durable. May run beside `write` and reads.
    fn flush(&self) -> Result<(), EngineError>;
    /// What has been written and is not durable yet, in bytes of memory.
    fn unflushed_bytes(&self) -> u64;
    /// What the durable part takes on disk, in bytes.
    fn disk_bytes(&self) -> u64;
}
