//! Why a command failed, in the terms that a script must know: was anything written?

use super::output::Format;
use serde_json::json;
use std::fmt;
use std::process::ExitCode;
use synod_coordination::errors::{OUTCOME_KEY, OUTCOME_UNKNOWN};
use tonic::{Code, Status};

/// Whether a request changes anything: what a lost answer means depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// It may be repeated, anywhere.
    Read,
    /// It must not be repeated unless it was certainly not done.
    Write,
}

/// Why a command failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Problem {
    /// The command line is wrong.
    Usage(String),
    /// No member could answer; nothing was written.
    Unavailable(String),
    /// A write may or may not have been done.
    Unknown(String),
    /// A member refused; nothing was written.
    Refused(String),
}

impl Problem {
    /// What a member's (or the transport's) error means for a request of this kind.
    pub(super) fn of(status: &Status, kind: Kind) -> Self {
        let text = status.message().to_owned();
        match (judge(status), kind) {
            (Judgement::Refused, _) => Self::Refused(text),
            (Judgement::NotDone, _) | (Judgement::MaybeDone, Kind::Read) => Self::Unavailable(text),
            (Judgement::MaybeDone, Kind::Write) => Self::Unknown(text),
        }
    }

    /// Time ran out while a request was with a member.
    pub(super) fn timeout(kind: Kind) -> Self {
        match kind {
            Kind::Read => Self::Unavailable("no answer in time; is the cluster up?".into()),
            Kind::Write => Self::Unknown("no answer in time".into()),
        }
    }

    /// The exit code; see [`super::EXIT_CODES`].
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Unavailable(_) => 3,
            Self::Unknown(_) => 4,
            Self::Refused(_) => 5,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Unavailable(_) => "unavailable",
            Self::Unknown(_) => "unknown",
            Self::Refused(_) => "refused",
        }
    }

    /// Prints to standard error; the exit code to end with.
    pub(super) fn print(&self, format: Format) -> ExitCode {
        match format {
            Format::Json => {
                eprintln!("{}", json!({ "error": self.name(), "message": self.to_string() }));
            }
            Format::Plain | Format::Table => eprintln!("synod: {self}"),
        }
        ExitCode::from(self.exit_code())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => write!(f, "{text}"),
            Self::Unavailable(text) => {
                write!(f, "no member could answer, and nothing was written: {text}")
            }
            Self::Unknown(text) => write!(
                f,
                "it is not known whether the write was done: {text}. Read before trying again"
            ),
            Self::Refused(text) => write!(f, "refused, and nothing was written: {text}"),
        }
    }
}

enum Judgement {
    Refused,
    NotDone,
    MaybeDone,
}

/// Synod says in metadata what is certain. An etcd does not: there, and for errors of the transport,
/// only what cannot have reached a log counts as not done.
fn judge(status: &Status) -> Judgement {
    let unavailable = status.code() == Code::Unavailable;
    if let Some(outcome) = status.metadata().get(OUTCOME_KEY) {
        return match (outcome == OUTCOME_UNKNOWN, unavailable) {
            (true, _) => Judgement::MaybeDone,
            (false, true) => Judgement::NotDone,
            (false, false) => Judgement::Refused,
        };
    }
    match status.code() {
        Code::Unavailable if status.message() == "etcdserver: no leader" => Judgement::NotDone,
        Code::Unavailable | Code::Unknown | Code::Internal => Judgement::MaybeDone,
        Code::Cancelled | Code::DeadlineExceeded | Code::Aborted => Judgement::MaybeDone,
        Code::DataLoss => Judgement::MaybeDone,
        _ => Judgement::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synod_coordination::backend::{Failure, Refused, Unknown};
    use synod_coordination::errors::{Error, failure};

    #[test]
    fn a_lost_answer_is_unknown_for_writes_and_unavailable_for_reads() {
        for reason in [Unknown::Timeout, Unknown::LeaderLost, Unknown::ConnectionLost] {
            let status = failure(Failure::Unknown(reason));
            assert_eq!(Problem::of(&status, Kind::Write).exit_code(), 4);
            assert_eq!(Problem::of(&status, Kind::Read).exit_code(), 3);
        }
        let broken = Status::unknown("transport error");
        assert_eq!(Problem::of(&broken, Kind::Write).exit_code(), 4);
        assert_eq!(Problem::of(&broken, Kind::Read).exit_code(), 3);
    }

    #[test]
    fn certain_refusals_never_read_as_unknown() {
        for error in Error::ALL.into_iter().filter(|error| error.is_certain()) {
            let code = Problem::of(&error.into(), Kind::Write).exit_code();
            assert!(code == 3 || code == 5, "{error:?}");
        }
        let status = failure(Failure::Refused(Refused::NoLeader));
        assert_eq!(Problem::of(&status, Kind::Write).exit_code(), 3);
    }
}
