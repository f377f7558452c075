//! The one door through which the log and the snapshots reach a disk.
//!
//! Paths are relative to the data directory, with `/` between parts. Two implementations: the real
//! file system, and a simulated disk that loses, tears and reorders what was not synced.

mod real;
mod sim;

pub use real::RealDisk;
pub use sim::{CrashPolicy, SimDisk};

use bytes::Bytes;
use std::io;
use std::sync::Arc;

/// A directory tree on one disk.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Creates an empty file; fails with `AlreadyExists` if there is one. Durable in its directory
    /// only after [`Disk::sync_directory`].
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file for reading and writing; fails with `NotFound` if there is none.
    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Removes a file. Durable only after [`Disk::sync_directory`].
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Renames a file within its directory, replacing what stood there, atomically. Durable only
    /// after [`Disk::sync_directory`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// The names of the files in a directory, sorted.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;
    /// Creates a directory and those above it; succeeds if it exists. Durable on return.
    fn create_directory(&self, directory: &str) -> io::Result<()>;
    /// Makes creations, removals and renames in a directory durable.
    fn sync_directory(&self, directory: &str) -> io::Result<()>;
}

/// An open file. Writers coordinate among themselves: an object has one writer at a time.
pub trait DiskFile: Send + Sync + std::fmt::Debug {
    /// Exactly `length` bytes from `offset`; fails with `UnexpectedEof` if there are fewer.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes>;
    /// Writes all of `bytes` at `offset`, extending the file with zeros if needed. Durable only
    /// after [`DiskFile::sync_data`].
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes everything written durable (contents and length). A failure is final: what was
    /// written before it may be lost whatever a later sync says.
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts or extends with zeros. Durable only after [`DiskFile::sync_data`].
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// The current length in bytes.
    fn length(&self) -> io::Result<u64>;
}
