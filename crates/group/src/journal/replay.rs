//! Making the calls of a recording again.

use super::{Fingerprint, Opening, Step, read_step};
use crate::{Group, GroupEffects};
use bytes::Bytes;
use std::fmt;
use synod_codec::{DecodeError, Reader};

/// A replay that came to its end.
#[derive(Debug)]
pub struct Replayed {
    /// The group as it was at the recording's end.
    pub group: Group,
    /// How many steps there were.
    pub steps: u64,
    /// How many fingerprints were compared, and were equal.
    pub compared: u64,
    /// Why the recording ends, if it was cut short.
    pub cut_short: Option<DecodeError>,
}

/// Why a recording cannot be replayed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplayError {
    /// It does not begin as a recording does.
    Opening(DecodeError),
    /// The group gave back something else than it did when it was recorded.
    Differs {
        /// Between the fingerprint before this step and it.
        step: u64,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening(error) => write!(f, "this is not a recording that can be read: {error}"),
            Self::Differs { step } => write!(
                f,
                "the replay parts from the recording before step {step}: it was made by another \
                 release, or the group is not deterministic"
            ),
        }
    }
}

impl std::error::Error for ReplayError {}

/// Replays a recording from its bytes.
///
/// # Errors
/// See [`ReplayError`]. A recording that was cut short replays up to there.
pub fn replay(recording: Bytes) -> Result<Replayed, ReplayError> {
    let mut input = Reader::new(recording);
    let opening = Opening::read(&mut input).map_err(ReplayError::Opening)?;
    let mut fingerprint = Fingerprint::default();
    let mut replayed = Replayed { group: opening.begin(), steps: 0, compared: 0, cut_short: None };
    loop {
        match read_step(&mut input) {
            Ok(Some(step)) => take(step, &mut replayed, &mut fingerprint)?,
            Ok(None) => return Ok(replayed),
            Err(error) => {
                replayed.cut_short = Some(error);
                return Ok(replayed);
            }
        }
    }
}

fn take(
    step: Step,
    replayed: &mut Replayed,
    fingerprint: &mut Fingerprint,
) -> Result<(), ReplayError> {
    replayed.steps += 1;
    let group = &mut replayed.group;
    match step {
        Step::Handle(now, input) => group.handle(now, input),
        Step::TakeEffects => {
            let mut effects = GroupEffects::default();
            group.take_effects(&mut effects);
            *fingerprint = fingerprint.with(&effects);
        }
        Step::TakeCommitted(bytes_max) => {
            let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
            *fingerprint = fingerprint.with(&group.take_committed(bytes_max));
        }
        Step::Expect(expected) if expected != *fingerprint => {
            return Err(ReplayError::Differs { step: replayed.steps });
        }
        Step::Expect(_) => replayed.compared += 1,
    }
    Ok(())
}
