//! Why a node did not start.

use crate::founding::FoundingError;
use crate::identity::IdentityError;
use std::fmt;
use std::io;
use std::path::PathBuf;
use synod_consensus::{GroupId, LogIndex};
use synod_mvcc::Fatal;
use synod_storage::{EngineError, LockError, LogError, OpenError};

/// Why a node did not start. Nothing acknowledged is lost by it.
#[derive(Debug)]
pub struct StartError {
    /// Where its data lies.
    pub data_directory: PathBuf,
    /// What is wrong.
    pub cause: StartErrorCause,
}

/// What is wrong with a start.
#[derive(Debug)]
pub enum StartErrorCause {
    /// The data directory cannot be made or read.
    Directory(io::Error),
    /// Another process uses the data directory.
    Lock(LockError),
    /// The data directory is not this node's.
    Identity(IdentityError),
    /// The cluster and this node do not fit.
    Founding(FoundingError),
    /// The log cannot be opened.
    Log(OpenError),
    /// The log cannot be written.
    LogWrite(LogError),
    /// The identity knows of groups that the log does not.
    LogLost(GroupId),
    /// The engine cannot be opened.
    Engine(EngineError),
    /// The engine lacks what the log has given up in its favour.
    EngineLost {
        /// Whose state.
        group: GroupId,
        /// How far the engine's goes.
        engine: LogIndex,
        /// Where the log begins.
        log: LogIndex,
    },
    /// A state cannot be continued.
    State(Fatal),
    /// The node was stopped before it was up.
    Stopped,
    /// A listening socket cannot be used.
    Listener(io::Error),
    /// The journal cannot be begun.
    Journal(io::Error),
    /// The operating system gave no randomness or no thread.
    System(io::Error),
}

impl StartError {
    /// Whether the disk or the operating system is the cause, rather than the data on it.
    #[must_use]
    pub fn is_io(&self) -> bool {
        use StartErrorCause as Cause;
        match &self.cause {
            Cause::Directory(_) | Cause::LogWrite(_) | Cause::Engine(_) => true,
            Cause::Listener(_) | Cause::Journal(_) | Cause::System(_) => true,
            Cause::Lock(error) => matches!(error, LockError::Io { .. }),
            Cause::Identity(error) => matches!(error, IdentityError::Io { .. }),
            Cause::Log(error) => matches!(error, OpenError::Io { .. }),
            Cause::Founding(_) | Cause::LogLost(_) | Cause::EngineLost { .. } => false,
            Cause::State(_) | Cause::Stopped => false,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use StartErrorCause as Cause;
        let directory = self.data_directory.display();
        match &self.cause {
            Cause::Directory(error) => write!(
                f,
                "cannot use the data directory {directory}: {error}; choose another with --data-dir"
            ),
            Cause::Lock(LockError::InUse { holder, .. }) => {
                write!(f, "the data directory {directory} is in use by ")?;
                match holder {
                    Some(pid) => write!(f, "process {pid}")?,
                    None => write!(f, "another process")?,
                }
                write!(f, ": stop it, or choose another directory with --data-dir")
            }
            Cause::Lock(error) => write!(f, "{error}; choose another directory with --data-dir"),
            Cause::Identity(error) => write!(f, "the data directory {directory}: {error}"),
            Cause::Founding(error) => write!(f, "{error} (data directory {directory})"),
            Cause::Log(error) => write!(f, "the log in {directory}: {error}"),
            Cause::LogWrite(error) => write!(f, "the log in {directory}: {error}"),
            Cause::LogLost(group) => write!(
                f,
                "the data directory {directory} has lost its log: group {group} was there and is \
                 not any more. With it this store forgot what it promised, so it must not go on \
                 under its name: restore the whole directory, or replace this member by one with \
                 a new name"
            ),
            Cause::Engine(error) => write!(f, "the data directory {directory}: {error}"),
            Cause::EngineLost { group, engine, log } => write!(
                f,
                "the data directory {directory} has lost part of its state: group {group}'s log \
                 begins behind entry {log}, and the engine holds no more than entry {engine}. \
                 Restore the whole directory, or replace this member by one with a new name"
            ),
            Cause::State(fatal) => write!(f, "the data directory {directory}: {fatal}"),
            Cause::Stopped => write!(f, "stopped before the node was up"),
            Cause::Listener(error) => write!(f, "cannot listen for peers: {error}"),
            Cause::Journal(error) => {
                write!(
                    f,
                    "cannot begin the journal: {error}; choose another directory with --journal"
                )
            }
            Cause::System(error) => write!(f, "the operating system refuses: {error}"),
        }
    }
}

impl std::error::Error for StartError {}
