//! The one table from our reasons to etcd's codes and texts.
//!
//! Clients compare these texts, so they are an interface: a text changes only if etcd's does. Beside
//! code and text every error carries, under [`OUTCOME_KEY`], whether the request was certainly
//! refused or may have been carried out; etcd's texts alone tell that only to those who know them.

use crate::backend::{Failure, Refused, Unknown};
use synod_mvcc::{Fatal, ReadError, Refusal};
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

/// The metadata key of an error's outcome.
pub const OUTCOME_KEY: &str = "synod-outcome";
/// The outcome of a request that was certainly not carried out.
pub const OUTCOME_REFUSED: &str = "refused";
/// The outcome of a request that may have been carried out, or may still be.
pub const OUTCOME_UNKNOWN: &str = "unknown";

/// Every error of the face that has a fixed text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The key is empty.
    EmptyKey,
    /// `ignore_value` or `ignore_lease` of a missing key; also an empty operation of a transaction.
    KeyNotFound,
    /// `ignore_value` beside a value.
    ValueProvided,
    /// `ignore_lease` beside a lease.
    LeaseProvided,
    /// More operations in a transaction than allowed.
    TooManyOperations,
    /// A key twice in one transaction.
    DuplicateKey,
    /// An order or target that this protocol does not have.
    InvalidSortOption,
    /// A key longer than the key space takes; etcd has no such limit.
    KeyTooLong,
    /// A request over the limit.
    TooLarge,
    /// History that is gone.
    Compacted,
    /// History that is not yet.
    FutureRevision,
    /// No room.
    NoSpace,
    /// Too much is waiting.
    TooManyRequests,
    /// No such lease.
    LeaseNotFound,
    /// A lease of that id is there.
    LeaseExists,
    /// A lease longer than [`synod_mvcc::LEASE_TTL_SECONDS_MAX`].
    LeaseTtlTooLarge,
    /// The stream was ended by its client.
    WatchCanceled,
    /// No leader.
    NoLeader,
    /// Another leader.
    LeaderChanged,
    /// This member stops.
    Stopped,
    /// Time ran out.
    Timeout,
    /// The leader failed on the way.
    TimeoutLeaderLost,
    /// The connection failed on the way.
    TimeoutConnectionLost,
    /// A learner does not serve this.
    Learner,
}

impl Error {
    /// Every error, for tests that go through all.
    pub const ALL: [Self; 24] = [
        Self::EmptyKey,
        Self::KeyNotFound,
        Self::ValueProvided,
        Self::LeaseProvided,
        Self::TooManyOperations,
        Self::DuplicateKey,
        Self::InvalidSortOption,
        Self::KeyTooLong,
        Self::TooLarge,
        Self::Compacted,
        Self::FutureRevision,
        Self::NoSpace,
        Self::TooManyRequests,
        Self::LeaseNotFound,
        Self::LeaseExists,
        Self::LeaseTtlTooLarge,
        Self::WatchCanceled,
        Self::NoLeader,
        Self::LeaderChanged,
        Self::Stopped,
        Self::Timeout,
        Self::TimeoutLeaderLost,
        Self::TimeoutConnectionLost,
        Self::Learner,
    ];

    /// etcd's code and text.
    #[must_use]
    pub const fn parts(self) -> (Code, &'static str) {
        match self {
            Self::EmptyKey => (Code::InvalidArgument, "etcdserver: key is not provided"),
            Self::KeyNotFound => (Code::InvalidArgument, "etcdserver: key not found"),
            Self::ValueProvided => (Code::InvalidArgument, "etcdserver: value is provided"),
            Self::LeaseProvided => (Code::InvalidArgument, "etcdserver: lease is provided"),
            Self::TooManyOperations => {
                (Code::InvalidArgument, "etcdserver: too many operations in txn request")
            }
            Self::DuplicateKey => {
                (Code::InvalidArgument, "etcdserver: duplicate key given in txn request")
            }
            Self::InvalidSortOption => (Code::InvalidArgument, "etcdserver: invalid sort option"),
            Self::KeyTooLong => {
                (Code::InvalidArgument, "etcdserver: key is longer than 32000 bytes")
            }
            Self::TooLarge => (Code::InvalidArgument, "etcdserver: request is too large"),
            Self::Compacted => {
                (Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted")
            }
            Self::FutureRevision => {
                (Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision")
            }
            Self::NoSpace => (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
            Self::TooManyRequests => (Code::ResourceExhausted, "etcdserver: too many requests"),
            Self::LeaseNotFound => (Code::NotFound, "etcdserver: requested lease not found"),
            Self::LeaseExists => (Code::FailedPrecondition, "etcdserver: lease already exists"),
            Self::LeaseTtlTooLarge => (Code::OutOfRange, "etcdserver: too large lease TTL"),
            Self::WatchCanceled => (Code::Cancelled, "etcdserver: watch canceled"),
            Self::NoLeader => (Code::Unavailable, "etcdserver: no leader"),
            Self::LeaderChanged => (Code::Unavailable, "etcdserver: leader changed"),
            Self::Stopped => (Code::Unavailable, "etcdserver: server stopped"),
            Self::Timeout => (Code::Unavailable, "etcdserver: request timed out"),
            Self::TimeoutLeaderLost => (
                Code::Unavailable,
                "etcdserver: request timed out, possibly due to previous leader failure",
            ),
            Self::TimeoutConnectionLost => (
                Code::Unavailable,
                "etcdserver: request timed out, possibly due to connection lost",
            ),
            Self::Learner => {
                (Code::FailedPrecondition, "etcdserver: rpc not supported for learner")
            }
        }
    }

    /// Whether the request was certainly not carried out.
    #[must_use]
    pub const fn is_certain(self) -> bool {
        !matches!(self, Self::Timeout | Self::TimeoutLeaderLost | Self::TimeoutConnectionLost)
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let (code, text) = error.parts();
        status(code, text, error.is_certain())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Compacted { .. } => Self::Compacted,
            Refusal::FutureRevision => Self::FutureRevision,
            Refusal::KeyNotFound => Self::KeyNotFound,
            Refusal::LeaseNotFound => Self::LeaseNotFound,
            Refusal::LeaseExists => Self::LeaseExists,
            Refusal::DuplicateKey => Self::DuplicateKey,
            Refusal::KeyTooLong => Self::KeyTooLong,
            // Only expiries are refused so, and no client sends one.
            Refusal::StaleLessor => Self::LeaderChanged,
        }
    }
}

impl From<Refused> for Error {
    fn from(reason: Refused) -> Self {
        match reason {
            Refused::NoLeader => Self::NoLeader,
            Refused::LeaderChanged => Self::LeaderChanged,
            Refused::TooManyRequests => Self::TooManyRequests,
            Refused::TooLarge => Self::TooLarge,
            Refused::Stopped => Self::Stopped,
            Refused::DiskFull => Self::NoSpace,
            Refused::Learner => Self::Learner,
        }
    }
}

impl From<Unknown> for Error {
    fn from(reason: Unknown) -> Self {
        match reason {
            Unknown::Timeout => Self::Timeout,
            Unknown::LeaderLost => Self::TimeoutLeaderLost,
            Unknown::ConnectionLost => Self::TimeoutConnectionLost,
        }
    }
}

/// A failure of the backend, for the client. What is fatal is for the operator: it goes to the log,
/// and the client is sent elsewhere without being told that nothing happened.
#[must_use]
pub fn failure(failure: Failure) -> Status {
    match failure {
        Failure::Refused(reason) => Error::from(reason).into(),
        Failure::Unknown(reason) => Error::from(reason).into(),
        Failure::Fatal(reason) => {
            tracing::error!(%reason, "the key space cannot go on; this member must be looked after");
            let (code, text) = Error::Stopped.parts();
            status(code, text, false)
        }
    }
}

/// A refusal of the key space, for the client.
#[must_use]
pub fn refusal(refusal: Refusal) -> Status {
    Error::from(refusal).into()
}

/// A read without an answer, for the client.
#[must_use]
pub fn read_error(error: ReadError) -> Status {
    match error {
        ReadError::Refused(reason) => refusal(reason),
        ReadError::Fatal(reason) => fatal(&reason),
    }
}

/// A read of damaged state, for the client.
#[must_use]
pub fn fatal(reason: &Fatal) -> Status {
    failure(Failure::Fatal(reason.to_string()))
}

/// The answer to what Synod does not do (yet): what, and what to do instead.
#[must_use]
pub fn unimplemented(what_and_instead: &str) -> Status {
    status(Code::Unimplemented, what_and_instead, true)
}

fn status(code: Code, text: &str, certain: bool) -> Status {
    let mut status = Status::new(code, text);
    let outcome = if certain { OUTCOME_REFUSED } else { OUTCOME_UNKNOWN };
    status.metadata_mut().insert(OUTCOME_KEY, MetadataValue::from_static(outcome));
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_outcome_is_always_unavailable_and_marked() {
        for error in Error::ALL.into_iter().filter(|error| !error.is_certain()) {
            let status = Status::from(error);
            assert_eq!(status.code(), Code::Unavailable);
            assert!(status.message().starts_with("etcdserver: request timed out"));
            assert_eq!(status.metadata().get(OUTCOME_KEY).unwrap(), OUTCOME_UNKNOWN);
        }
    }

    #[test]
    fn a_fatal_failure_never_claims_that_nothing_happened() {
        let status = failure(Failure::Fatal("the disk is gone".into()));
        assert_eq!(status.metadata().get(OUTCOME_KEY).unwrap(), OUTCOME_UNKNOWN);
    }

    #[test]
    fn the_longest_key_is_the_one_that_the_text_names() {
        let text = Error::KeyTooLong.parts().1;
        assert!(text.contains(&synod_mvcc::KEY_BYTES_MAX.to_string()));
    }

    #[test]
    fn texts_are_distinct_and_in_etcds_name() {
        let texts: std::collections::BTreeSet<_> = Error::ALL.map(|error| error.parts().1).into();
        assert_eq!(texts.len(), Error::ALL.len());
        assert!(texts.iter().all(|text| text.starts_with("etcdserver: ")));
    }
}
