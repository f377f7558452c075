//! What can go wrong with a log, while it runs and while it is opened.

use std::fmt;
use std::io;
use synod_consensus::StoreId;

/// Why a call failed on an open log.
///
/// After [`LogError::TooLarge`] and [`LogError::Stopped`] nothing of the call was written. After the
/// others it is *unknown* whether what was appended since the last successful sync survives, and
/// the log is finished for this process: every later call is `Stopped`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogError {
    /// The records take more than [`crate::BATCH_BYTES_MAX`]. Refused; the log goes on.
    TooLarge {
        /// What they take, in bytes.
        bytes: usize,
    },
    /// The disk has no room. What was synced is safe; the log opens again once there is room.
    Full {
        /// The file that could not grow.
        path: String,
    },
    /// The disk refused an operation. A failed sync is final: a later one proves nothing.
    Failed {
        /// What was tried.
        operation: &'static str,
        /// On which file or directory.
        path: String,
        /// What the operating system said.
        detail: String,
    },
    /// Reclaiming read back a segment that no longer holds what was written to it.
    Corrupt {
        /// The segment's file.
        path: String,
        /// Where in it, in bytes.
        offset: u64,
    },
    /// An earlier failure ended the log.
    Stopped {
        /// That failure, in words.
        cause: String,
    },
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => write!(
                f,
                "a batch of {bytes} bytes is over the log's limit of {}; nothing was written; \
                 append it in parts",
                super::BATCH_BYTES_MAX
            ),
            Self::Full { path } => write!(
                f,
                "the disk is full: {path} cannot grow; writes have stopped; make room and restart \
                 the node"
            ),
            Self::Failed { operation, path, detail } => write!(
                f,
                "{operation} failed on {path}: {detail}; what was not yet synced may be lost, so \
                 the log has stopped; check the disk and restart the node"
            ),
            Self::Corrupt { path, offset } => {
                write!(f, "{path} is damaged at byte {offset}; {ADVICE}")
            }
            Self::Stopped { cause } => write!(f, "the log has stopped: {cause}"),
        }
    }
}

impl std::error::Error for LogError {}

/// What an operator does about a damaged log. Never "edit" or "skip": what is lost may have been
/// promised to the node's peers.
const ADVICE: &str = "do not edit or delete the file; restore this node from its peers: remove it \
                      from the cluster, wipe its data directory, and let it join as a new node";

/// Why a log cannot be opened. It was not changed.
#[derive(Debug)]
pub enum OpenError {
    /// The disk refused an operation; trying again may help.
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file or directory.
        path: String,
        /// What the operating system said.
        error: io::Error,
    },
    /// Something that was durable is no longer what was written.
    Corrupt {
        /// The segment's file.
        path: String,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// A segment that is still needed is not there.
    MissingSegment {
        /// The file that should be there.
        path: String,
        /// The oldest segment that the log needs.
        first: u64,
        /// The newest segment that was found.
        newest: u64,
    },
    /// The log belongs to another store.
    OtherStore {
        /// The segment's file.
        path: String,
        /// Whose it is.
        found: StoreId,
        /// Whose it should be.
        expected: StoreId,
    },
    /// The log is of a format that this program does not read.
    OtherVersion {
        /// The segment's file.
        path: String,
        /// The format's version.
        found: u32,
        /// The version that this program reads.
        supported: u32,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { operation, path, error } => {
                write!(f, "{operation} failed on {path}: {error}; check the disk and its rights")
            }
            Self::Corrupt { path, offset, what } => {
                write!(f, "{path} is damaged at byte {offset}: {what}; {ADVICE}")
            }
            Self::MissingSegment { path, first, newest } => write!(
                f,
                "{path} is missing, but segments {first} to {newest} are needed; put the file back \
                 if it was moved; otherwise: {ADVICE}"
            ),
            Self::OtherStore { path, found, expected } => write!(
                f,
                "{path} belongs to store {found}, not to {expected}; the directory of another node \
                 was mounted or copied here; give each node its own"
            ),
            Self::OtherVersion { path, found, supported } => write!(
                f,
                "{path} has log format {found}; this program reads format {supported}; start the \
                 version that wrote it"
            ),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
