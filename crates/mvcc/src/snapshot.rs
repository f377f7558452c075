//! Copying a whole state: an ordered stream of records in chunks, independent of the engine.
//!
//! **What always holds.** A stream is one state: every chunk names the group and the entry it stands
//! behind, what it follows, and carries a checksum. An importer takes chunks in order, each once,
//! and what it writes is a key space only after the last one was written: the state record comes
//! last. Until then the generation cannot be opened, and may be dropped at any time.

mod chunk;
mod drop;
mod export;
mod import;

pub use chunk::CHUNK_BYTES_MAX;
pub use drop::{Dropped, drop_generation};
pub use export::Exported;
pub use import::{ImportError, Importer};
