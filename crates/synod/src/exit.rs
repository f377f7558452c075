//! The exit codes of `start`, `dev` and `etcd`. They begin behind those of the client commands.

use std::process::ExitCode;
use synod_node::identity::IdentityError;
use synod_node::{StartError, StartErrorCause, StopReason};
use synod_storage::OpenError;

/// For the help of the commands that run nodes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  stopped on request
  1  something else failed
  2  the command line is wrong
  6  cannot start like this: a port is taken, or a data directory is in use or another's
  7  the disk failed or is full; everything acknowledged is safe
  8  the data is damaged, or of a release that this one cannot continue
  9  the cluster refuses this node: its disk was wiped, or is a copy";

/// How a node ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// 0.
    Requested,
    /// 1.
    Other,
    /// 2.
    Usage,
    /// 6.
    CannotStart,
    /// 7.
    Disk,
    /// 8.
    Data,
    /// 9.
    Refused,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Requested => 0,
            Self::Other => 1,
            Self::Usage => 2,
            Self::CannotStart => 6,
            Self::Disk => 7,
            Self::Data => 8,
            Self::Refused => 9,
        }
    }

    /// Why the node did not start.
    pub(crate) fn of_start_error(error: &StartError) -> Self {
        match &error.cause {
            StartErrorCause::Directory(_)
            | StartErrorCause::Lock(_)
            | StartErrorCause::Journal(_)
            | StartErrorCause::Listener(_) => Self::CannotStart,
            StartErrorCause::Identity(IdentityError::Io { .. })
            | StartErrorCause::Log(OpenError::Io { .. })
            | StartErrorCause::LogWrite(_)
            | StartErrorCause::Engine(_) => Self::Disk,
            StartErrorCause::Identity(IdentityError::Format(_))
            | StartErrorCause::Identity(IdentityError::DataWithoutIdentity)
            | StartErrorCause::Log(_)
            | StartErrorCause::LogLost(_)
            | StartErrorCause::EngineLost { .. }
            | StartErrorCause::State(_) => Self::Data,
            StartErrorCause::Identity(_) => Self::CannotStart,
            StartErrorCause::Founding(_) => Self::Refused,
            StartErrorCause::Stopped | StartErrorCause::System(_) => Self::Other,
        }
    }

    /// Why the node ended.
    pub(crate) fn of_stop(reason: &StopReason) -> Self {
        match reason {
            StopReason::Requested => Self::Requested,
            StopReason::Disk(_) => Self::Disk,
            StopReason::State(_) => Self::Data,
            StopReason::Founding(_) => Self::Refused,
            StopReason::Panicked(_) => Self::Other,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
