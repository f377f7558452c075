//! Whether what clients were told could have been told by one copy of the key space.
//!
//! The witness is the log that the cluster committed. Carried out one by one on the naive twin, it
//! says what every command did and what every state was. A history is linearizable if every
//! answer is what the twin says at the position that the answer names, and if the positions
//! respect time: what ended before a request was made stands before it. The log is then itself the
//! order that linearizability asks for (Herlihy and Wing, 1990), so no search is needed.

use crate::history::{Asked, History, Operation, Told};
use crate::time::Micros;
use crate::violation::{Property, Violation};
use crate::witness::{Chosen, Witness};
use std::collections::BTreeMap;
use synod_consensus::{EntryKind, LogIndex};
use synod_group::Outcome;
use synod_mvcc::twin::Twin;
use synod_mvcc::{Applied, Command, Event, LeaseId, Reply};

/// What the twin says happened.
#[derive(Debug)]
pub(crate) struct Account {
    /// The twin at the end.
    pub twin: Twin,
    /// Every event, in order.
    pub events: Vec<Event>,
}

type Checked = Result<(), Violation>;

fn violation(property: Property, operation: &Operation, detail: String) -> Violation {
    let detail = format!("{detail}; asked {:?}, told {:?}", operation.asked, operation.told);
    Violation { property, at: operation.ended.unwrap_or(operation.invoked), detail }
}

/// Checks a history against the witness, with clocks that run up to `drift_per_million` wrong.
///
/// # Errors
/// The first answer that is wrong.
pub(crate) fn check(
    history: &History,
    witness: &Witness,
    drift_per_million: i64,
) -> Result<Account, Violation> {
    let mut reads: BTreeMap<LogIndex, Vec<&Operation>> = BTreeMap::new();
    let mut commands: BTreeMap<LogIndex, &Operation> = BTreeMap::new();
    for operation in history.operations() {
        check_fate(operation, witness)?;
        check_time(operation)?;
        match &operation.told {
            Told::Read { index, .. } => reads.entry(*index).or_default().push(operation),
            Told::Applied { index, .. } => _ = commands.insert(*index, operation),
            _ => {}
        }
    }
    let mut twin = Twin::new();
    let mut leases = Leases::new(history, drift_per_million);
    check_reads(&twin, reads.remove(&LogIndex::ZERO))?;
    for (place, chosen) in witness.chosen().iter().enumerate() {
        let index = LogIndex(place as u64 + 1);
        if let Some((command, applied)) = carry_out(&mut twin, chosen) {
            if let Some(operation) = commands.get(&index) {
                check_applied(operation, chosen, &applied)?;
            }
            leases.applied(&command, &applied, chosen.at)?;
        }
        check_reads(&twin, reads.remove(&index))?;
    }
    let events = twin.history().to_vec();
    Ok(Account { twin, events })
}

fn carry_out(twin: &mut Twin, chosen: &Chosen) -> Option<(Command, Applied)> {
    if chosen.kind != EntryKind::Command {
        return None;
    }
    let command = Command::decode(chosen.payload.clone()).expect("it was encoded by a client");
    let applied = twin.apply(&command);
    Some((command, applied))
}

/// "Refused" is certain: it never comes up.
fn check_fate(operation: &Operation, witness: &Witness) -> Checked {
    let Asked::Command { origin: Some(origin), .. } = &operation.asked else { return Ok(()) };
    if matches!(operation.told, Told::Ended(Outcome::Refused(_))) && witness.holds(*origin) {
        let detail = "it was refused and is committed".to_owned();
        return Err(violation(Property::ProposalFate, operation, detail));
    }
    Ok(())
}

/// An answer shows at least what every answer before the request has shown; a command stands behind
/// all of it.
fn check_time(operation: &Operation) -> Checked {
    let in_time = match &operation.told {
        Told::Applied { index, .. } => *index > operation.not_before,
        Told::Read { index, .. } => *index >= operation.not_before,
        _ => true,
    };
    if in_time {
        return Ok(());
    }
    let detail =
        format!("it is older than {}, which was told before it was asked", operation.not_before);
    Err(violation(Property::Linearizability, operation, detail))
}

fn check_applied(operation: &Operation, chosen: &Chosen, expected: &Applied) -> Checked {
    let Asked::Command { origin, .. } = &operation.asked else { return Ok(()) };
    if *origin != Some(chosen.origin) {
        let detail = format!("it was told the result of {:?}", chosen.origin);
        return Err(violation(Property::Linearizability, operation, detail));
    }
    match &operation.told {
        Told::Applied { applied, .. } if applied != expected => {
            let detail = format!("the twin says {expected:?}");
            Err(violation(Property::Linearizability, operation, detail))
        }
        _ => Ok(()),
    }
}

fn check_reads(twin: &Twin, reads: Option<Vec<&Operation>>) -> Checked {
    for operation in reads.into_iter().flatten() {
        let (Asked::Read(range), Told::Read { revision, reply, .. }) =
            (&operation.asked, &operation.told)
        else {
            continue;
        };
        let expected = (twin.revision(), twin.range(range));
        if expected != (*revision, reply.clone()) {
            let detail = format!("the twin says {expected:?}");
            return Err(violation(Property::Linearizability, operation, detail));
        }
    }
    Ok(())
}

/// What clients were told of leases, against when leases expired.
struct Leases {
    /// For each lease, what was acknowledged: asked when, told when, for how many seconds.
    renewals: BTreeMap<LeaseId, Vec<(Micros, Micros, i64)>>,
    /// When each living lease was granted.
    granted: BTreeMap<LeaseId, Micros>,
    drift_per_million: i64,
}

impl Leases {
    fn new(history: &History, drift_per_million: i64) -> Self {
        let mut renewals: BTreeMap<LeaseId, Vec<_>> = BTreeMap::new();
        for operation in history.operations() {
            let Some(ended) = operation.ended else { continue };
            let (lease, seconds) = match (&operation.asked, &operation.told) {
                (Asked::Renew(lease), Told::Renewed(Some(seconds))) => (*lease, *seconds),
                (Asked::Command { .. }, Told::Applied { applied, .. }) => match applied.result {
                    Ok(Reply::LeaseGrant { lease, ttl_seconds, .. }) => (lease, ttl_seconds),
                    _ => continue,
                },
                _ => continue,
            };
            renewals.entry(lease).or_default().push((operation.invoked, ended, seconds));
        }
        Self { renewals, granted: BTreeMap::new(), drift_per_million }
    }

    fn applied(&mut self, command: &Command, applied: &Applied, at: Micros) -> Checked {
        match &applied.result {
            Ok(Reply::LeaseGrant { lease, .. }) => _ = self.granted.insert(*lease, at),
            Ok(Reply::LeaseEnd { leases, .. }) => {
                for lease in leases {
                    if matches!(command, Command::LeaseExpire { .. }) {
                        self.check_expiry(*lease, at)?;
                    }
                    self.granted.remove(lease);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Both the lessor's clock and the real one may err: the promise is short by twice the drift.
    fn check_expiry(&self, lease: LeaseId, at: Micros) -> Checked {
        let granted = self.granted.get(&lease).copied().unwrap_or_default();
        for (asked, told, seconds) in self.renewals.get(&lease).into_iter().flatten() {
            let full = *seconds * (1_000_000 - 2 * self.drift_per_million);
            let promised = asked.plus(u64::try_from(full).unwrap_or(0));
            if *told < at && *asked >= granted && at < promised {
                let detail = format!(
                    "{lease:?} was renewed at {asked:?} for {seconds} s and ended at {at:?}"
                );
                return Err(Violation { property: Property::LeaseSafety, at, detail });
            }
        }
        Ok(())
    }
}
