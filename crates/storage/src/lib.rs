//! What a node keeps on its disk: the log of all its groups, the engine, snapshots.
mod disk;
mod engine;
mod record;
pub use disk::{Disk, DiskFile};
pub use engine::{Engine, EngineError, KeyBounds, Scan, View, WriteBatch};
pub use record::{Generation, GroupLog, Record};
