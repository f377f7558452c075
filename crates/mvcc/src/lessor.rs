//! What the leader alone knows of leases: until when each of them lasts.
//!
//! **What it is.** The volatile half of leases. That a lease exists is replicated; when it was last
//! renewed is not, so that renewals cost no log entry. A store becomes lessor by committing an epoch
//! of its own ([`Command::LessorEpoch`]); the expiries it proposes carry that epoch and are refused
//! once another one has begun.
//!
//! **What always holds.** No lease is proposed for expiry before its full time to live has passed
//! since the last renewal that any lessor granted: a new lessor gives every lease its full time from
//! the moment its epoch is applied, which is later than anything its predecessor may have confirmed.
//! A lease is never renewed once its expiry was proposed, whatever became of the proposal.
//!
//! **What it assumes.** Clocks of stores and clients run at about the same rate; where they stand
//! does not matter.

use crate::{Applied, Command, LeaseId, LeaseInfo, Reply};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use synod_consensus::Instant;

/// One expiry ends at most so many leases: an entry stays small, and so does the batch that deletes
/// their keys.
pub const EXPIRE_BATCH_MAX: usize = 1000;

/// After a failed proposal the expiry is proposed again only after this time, in milliseconds, so
/// that a group that cannot commit is not flooded.
const RETRY_DELAY_MS: u64 = 500;

/// See the module's text. Empty unless this store is the lessor.
#[derive(Clone, Debug, Default)]
pub struct Lessor {
    reign: Option<Reign>,
}

#[derive(Clone, Debug)]
struct Reign {
    epoch: u64,
    /// The last grant that was seen.
    granted_through: u64,
    leases: BTreeMap<LeaseId, Held>,
    /// Leases whose expiry was not proposed, by deadline.
    deadlines: BTreeSet<(Instant, LeaseId)>,
    /// Leases whose expiry was proposed in vain and must be proposed again.
    overdue: BTreeSet<LeaseId>,
    /// The expiry under way.
    proposed: Option<Vec<LeaseId>>,
    /// No proposal before.
    not_before: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    ttl_seconds: i64,
    /// `None` once its expiry was proposed.
    deadline: Option<Instant>,
}

/// What became of a renewal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Renewal {
    /// The lease lasts another so many seconds.
    Renewed {
        /// Its time to live.
        ttl_seconds: i64,
    },
    /// There is no such lease.
    NotFound,
    /// It ran out and is being ended: to the client as good as gone, once that is applied.
    ExpiryProposed,
    /// This store is not the lessor.
    NotLessor,
}

/// How long a lease still lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remaining {
    /// Whole seconds left; 0 once it ran out.
    pub ttl_seconds: i64,
    /// What each renewal grants, in seconds.
    pub granted_seconds: i64,
}

impl Lessor {
    /// Nobody's lessor yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The reign begins: this store's own epoch was applied, and `leases` and `granted_through` are
    /// the state ([`crate::Reader::leases`], [`crate::Reader::grants`]) right behind that entry.
    pub fn become_lessor(
        &mut self,
        now: Instant,
        epoch: u64,
        granted_through: u64,
        leases: &[LeaseInfo],
    ) {
        let mut reign = Reign::new(now, epoch);
        for info in leases {
            reign.hold(now, info.lease, info.ttl_seconds);
        }
        reign.granted_through = granted_through;
        self.reign = Some(reign);
    }

    /// The reign is over: leadership was lost, or is not certain any more.
    pub fn resign(&mut self) {
        self.reign = None;
    }

    /// The epoch of the reign, if this store is the lessor.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        self.reign.as_ref().map(|reign| reign.epoch)
    }

    /// Hands in what every entry of the log did, in order, from the entry behind the epoch's own.
    pub fn observe(&mut self, now: Instant, applied: &Applied) {
        let Some(reign) = &mut self.reign else { return };
        match &applied.result {
            Ok(Reply::LeaseGrant { lease, ttl_seconds, grant }) => {
                reign.granted_through = *grant;
                reign.hold(now, *lease, *ttl_seconds);
            }
            Ok(Reply::LeaseEnd { leases }) => leases.iter().for_each(|lease| reign.forget(*lease)),
            Ok(Reply::LessorEpoch { epoch }) if *epoch != reign.epoch => self.resign(),
            _ => {}
        }
    }

    /// Renews a lease. `confirmed` is an instant at which this store was certainly the leader, not
    /// before the client asked: the start of a confirmed read, say.
    pub fn renew(&mut self, confirmed: Instant, lease: LeaseId) -> Renewal {
        let Some(reign) = &mut self.reign else { return Renewal::NotLessor };
        match reign.leases.get(&lease).copied() {
            None => Renewal::NotFound,
            Some(Held { deadline: None, .. }) => Renewal::ExpiryProposed,
            Some(Held { ttl_seconds, deadline: Some(deadline) }) => {
                // Confirmations may come out of order; a deadline never moves back.
                let renewed = deadline.max(end_of(confirmed, ttl_seconds));
                reign.set_deadline(lease, ttl_seconds, renewed);
                Renewal::Renewed { ttl_seconds }
            }
        }
    }

    /// How long a lease still lasts; `None` if there is no such lease or this is not the lessor.
    #[must_use]
    pub fn remaining(&self, now: Instant, lease: LeaseId) -> Option<Remaining> {
        let held = self.reign.as_ref()?.leases.get(&lease)?;
        let left = held.deadline.map_or(Duration::ZERO, |deadline| deadline.since(now));
        let ttl_seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
        Some(Remaining { ttl_seconds, granted_seconds: held.ttl_seconds })
    }

    /// The next expiry to propose, if one is due. Until [`Lessor::expiry_done`] tells its fate there
    /// is no other.
    pub fn poll(&mut self, now: Instant) -> Option<Command> {
        let reign = self.reign.as_mut()?;
        if reign.proposed.is_some() || now < reign.not_before {
            return None;
        }
        let leases = reign.take_due(now);
        if leases.is_empty() {
            return None;
        }
        reign.proposed = Some(leases.clone());
        let (epoch, granted_through) = (reign.epoch, reign.granted_through);
        Some(Command::LeaseExpire { epoch, granted_through, leases })
    }

    /// Tells that the fate of the expiry that [`Lessor::poll`] gave last is known: applied (and
    /// [`Lessor::observe`] has seen it), refused, or unknown for ever. Leases that are still there
    /// are proposed again after a pause, which does no harm if they end after all meanwhile.
    pub fn expiry_done(&mut self, now: Instant) {
        let Some(reign) = &mut self.reign else { return };
        let Some(leases) = reign.proposed.take() else { return };
        reign.overdue.extend(leases.into_iter().filter(|lease| reign.leases.contains_key(lease)));
        if !reign.overdue.is_empty() {
            reign.not_before = now.after(Duration::from_millis(RETRY_DELAY_MS));
        }
    }

    /// When to poll next; [`Instant::NEVER`] while nothing can become due by time alone.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        match &self.reign {
            Some(reign) if reign.proposed.is_none() => reign.next_due(),
            _ => Instant::NEVER,
        }
    }
}

fn end_of(from: Instant, ttl_seconds: i64) -> Instant {
    from.after(Duration::from_secs(u64::try_from(ttl_seconds).unwrap_or(0)))
}

impl Reign {
    fn new(now: Instant, epoch: u64) -> Self {
        Self {
            epoch,
            granted_through: 0,
            leases: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            overdue: BTreeSet::new(),
            proposed: None,
            not_before: now,
        }
    }

    fn hold(&mut self, now: Instant, lease: LeaseId, ttl_seconds: i64) {
        self.forget(lease);
        self.set_deadline(lease, ttl_seconds, end_of(now, ttl_seconds));
    }

    fn set_deadline(&mut self, lease: LeaseId, ttl_seconds: i64, deadline: Instant) {
        let held = Held { ttl_seconds, deadline: Some(deadline) };
        if let Some(Held { deadline: Some(old), .. }) = self.leases.insert(lease, held) {
            self.deadlines.remove(&(old, lease));
        }
        self.deadlines.insert((deadline, lease));
    }

    fn forget(&mut self, lease: LeaseId) {
        if let Some(Held { deadline: Some(deadline), .. }) = self.leases.remove(&lease) {
            self.deadlines.remove(&(deadline, lease));
        }
        self.overdue.remove(&lease);
        // A lease granted again under the same name must not inherit its predecessor's expiry.
        if let Some(proposed) = &mut self.proposed {
            proposed.retain(|other| *other != lease);
        }
    }

    /// Takes up to a batch of leases that ran out, ascending; they can no longer be renewed.
    fn take_due(&mut self, now: Instant) -> Vec<LeaseId> {
        let mut due = BTreeSet::new();
        while due.len() < EXPIRE_BATCH_MAX {
            let Some(lease) = self.take_one_due(now) else { break };
            due.insert(lease);
        }
        due.into_iter().collect()
    }

    fn take_one_due(&mut self, now: Instant) -> Option<LeaseId> {
        if let Some(lease) = self.overdue.pop_first() {
            return Some(lease);
        }
        let (deadline, lease) = *self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        self.deadlines.pop_first();
        let held = self.leases.get_mut(&lease).expect("every deadline is of a lease held");
        held.deadline = None;
        Some(lease)
    }

    fn next_due(&self) -> Instant {
        let deadline = match self.deadlines.first() {
            _ if !self.overdue.is_empty() => Instant::default(),
            Some((deadline, _)) => *deadline,
            None => Instant::NEVER,
        };
        deadline.max(self.not_before)
    }
}

#[cfg(test)]
mod tests;
