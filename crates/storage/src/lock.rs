//! Keeps a second process out of a data directory.
//!
//! Always holds: while a [`DirectoryLock`] lives, no other process on this machine gets one for the
//! same directory. The operating system releases it when the process ends, however it ends; the
//! file stays and means nothing by itself.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The file that is locked, in the data directory.
const LOCK_FILE: &str = "LOCK";

/// A process id has no more digits; what is longer was not written by us.
const HOLDER_BYTES_MAX: u64 = 20;

/// Exclusive use of one data directory; given back when dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

/// Why a data directory cannot be used. Nothing in it was changed.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds it.
    InUse {
        /// The data directory.
        directory: PathBuf,
        /// The process that took the lock, if it has already written its id.
        holder: Option<u32>,
    },
    /// The lock file cannot be opened or locked.
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { directory, holder } => {
                write!(f, "the data directory {} is in use by ", directory.display())?;
                match holder {
                    Some(pid) => write!(f, "process {pid}")?,
                    None => write!(f, "another process")?,
                }
                write!(f, "; stop that process or choose another directory")
            }
            Self::Io { path, error } => write!(
                f,
                "cannot lock {}: {error}; check that the directory exists and may be written",
                path.display()
            ),
        }
    }
}

impl std::error::Error for LockError {}

impl DirectoryLock {
    /// Takes the lock, without waiting.
    pub fn acquire(directory: &Path) -> Result<Self, LockError> {
        let path = directory.join(LOCK_FILE);
        let failed = |error| LockError::Io { path: path.clone(), error };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = read_holder(&mut file);
                return Err(LockError::InUse { directory: directory.to_owned(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        write_holder(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Only a help for the operator: the lock itself is the operating system's.
fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(std::process::id().to_string().as_bytes())
}

fn read_holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(HOLDER_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_and_told_who_holds_it() {
        let directory = tempfile::tempdir().unwrap();
        let first = DirectoryLock::acquire(directory.path()).unwrap();
        let refusal = DirectoryLock::acquire(directory.path()).unwrap_err();
        let own = std::process::id();
        assert!(matches!(refusal, LockError::InUse { holder: Some(pid), .. } if pid == own));
        assert!(refusal.to_string().contains(&format!("process {own}")));
        drop(first);
        DirectoryLock::acquire(directory.path()).unwrap();
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_io_error() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        assert!(matches!(DirectoryLock::acquire(&missing), Err(LockError::Io { .. })));
    }
}
