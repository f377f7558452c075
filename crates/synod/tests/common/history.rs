//! What clients were told, what the history says, and whether the two fit. Pure.

use std::collections::BTreeMap;
use std::time::Instant;

/// One attempt at one write. No two have the same value.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub key: String,
    pub value: String,
    pub outcome: Outcome,
    pub begun: Instant,
    pub ended: Instant,
}

/// What the client was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was done, as this revision.
    Acknowledged(i64),
    /// It was certainly not done, and will not be.
    Refused,
    /// Anything else: an error, a lost connection, no answer.
    Unknown,
}

/// One event as a watcher saw it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub revision: i64,
    pub key: String,
    pub value: String,
}

/// The revision of an empty key space.
pub const FIRST_REVISION: i64 = 1;

/// Everything in which a whole history, all of it puts, differs from what clients were told.
pub fn faults(attempts: &[Attempt], history: &[Seen]) -> Vec<String> {
    let mut faults = gaps(history);
    let mut by_value: BTreeMap<&str, &Seen> = BTreeMap::new();
    for seen in history {
        if let Some(first) = by_value.insert(&seen.value, seen) {
            faults.push(format!("done twice: {first:?} and {seen:?}"));
        }
    }
    for attempt in attempts {
        let seen = by_value.remove(attempt.value.as_str());
        faults.extend(fault(attempt, seen));
    }
    faults.extend(by_value.values().map(|seen| format!("nobody wrote {seen:?}")));
    faults.extend(reordered(attempts));
    faults
}

/// Each put is a revision of its own, and nothing else is.
fn gaps(history: &[Seen]) -> Vec<String> {
    let expected = FIRST_REVISION + 1..;
    let differs = |(seen, expected): &(&Seen, i64)| seen.revision != *expected;
    let gap = history.iter().zip(expected).find(differs);
    gap.map(|(seen, expected)| format!("not revision {expected}: {seen:?}")).into_iter().collect()
}

fn fault(attempt: &Attempt, seen: Option<&Seen>) -> Option<String> {
    match (attempt.outcome, seen) {
        (_, Some(seen)) if seen.key != attempt.key => Some(format!("{attempt:?} became {seen:?}")),
        (Outcome::Acknowledged(revision), Some(seen)) if seen.revision == revision => None,
        (Outcome::Acknowledged(_), Some(seen)) => Some(format!("{attempt:?} became {seen:?}")),
        (Outcome::Acknowledged(_), None) => Some(format!("lost: {attempt:?}")),
        (Outcome::Refused, Some(seen)) => Some(format!("refused, and yet done: {seen:?}")),
        (Outcome::Refused, None) | (Outcome::Unknown, _) => None,
    }
}

/// A write that begins after another was acknowledged comes behind it.
fn reordered(attempts: &[Attempt]) -> Option<String> {
    let acknowledged = |attempt: &'_ Attempt| match attempt.outcome {
        Outcome::Acknowledged(revision) => Some(revision),
        Outcome::Refused | Outcome::Unknown => None,
    };
    let mut done: Vec<_> =
        attempts.iter().filter_map(|one| acknowledged(one).map(|at| (at, one))).collect();
    done.sort_by_key(|(revision, _)| *revision);
    let mut last_begun: Option<&Attempt> = None;
    for (_, one) in done {
        if let Some(before) = last_begun.filter(|before| before.begun > one.ended) {
            return Some(format!("{before:?} has a lower revision than {one:?}"));
        }
        if last_begun.is_none_or(|before| before.begun < one.begun) {
            last_begun = Some(one);
        }
    }
    None
}
