//! How requests fail, and why a node stops.

use crate::founding::FoundingError;
use std::fmt;
use synod_group::{RefusedReason, UnknownReason};

/// Why a request has no answer. The kinds differ in what is known of a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Certain: not done, and it will not be.
    Refused(RefusedReason),
    /// Certain: not done, because the data's quota is used up.
    QuotaExceeded,
    /// It may have been done, or may still be.
    Unknown(UnknownReason),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "refused: {reason:?}"),
            Self::QuotaExceeded => write!(f, "refused: the quota of data is used up"),
            Self::Unknown(reason) => write!(f, "outcome unknown: {reason:?}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Why a node no longer runs. All but the first need an operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StopReason {
    /// It was asked to.
    Requested,
    /// Its disk refused a write or a sync. Everything acknowledged is safe; nothing more can be.
    Disk(String),
    /// Its state cannot be read or continued.
    State(String),
    /// The cluster will not have it.
    Founding(FoundingError),
    /// One of its own threads panicked: a bug.
    Panicked(&'static str),
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => write!(f, "stopped on request"),
            Self::Disk(text) => write!(
                f,
                "stopped, because the disk failed: {text}. Everything acknowledged is safe; start \
                 the node again once the disk has room and works"
            ),
            Self::State(text) => write!(
                f,
                "stopped, because the state cannot be continued: {text}. The other nodes are not \
                 concerned; keep this data directory for a report"
            ),
            Self::Founding(error) => write!(f, "stopped, because it does not belong: {error}"),
            Self::Panicked(thread) => {
                write!(f, "stopped, because its {thread} thread panicked: this is a bug")
            }
        }
    }
}
