//! The key space's naive twin: the same semantics with a map and a list, and nothing clever.
//!
//! Tests compare the [`crate::KeySpace`] with it, field by field; the laboratory's linearizability
//! checker uses it as the sequential model. It shares the types with the key space and the static
//! rule on duplicate keys, and not a line more, so that a mistake in one shows against the other.
//!
//! **What always holds.** It is never compacted in fact: it remembers everything and refuses what
//! a compacted key space refuses. Its cost grows with its history; it is no store.

mod query;
mod txn;

use crate::{
    Applied, Command, Delete, DeleteReply, Event, KEY_BYTES_MAX, KeyRange, KeyValue,
    LEASE_TTL_SECONDS_MIN, LeaseId, LeaseInfo, Put, PutReply, Refusal, Reply, Revision,
};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use synod_consensus::Origin;

/// See the module's text. Equal twins answer equally, for ever.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Twin {
    revision: Revision,
    compact_revision: Revision,
    live: BTreeMap<Bytes, KeyValue>,
    /// Every event ever, in order.
    history: Vec<Event>,
    leases: BTreeMap<LeaseId, LeaseInfo>,
    grants: u64,
    lessor_epoch: u64,
    lessor_claimant: Origin,
}

impl Default for Twin {
    fn default() -> Self {
        Self::new()
    }
}

impl Twin {
    /// An empty key space.
    #[must_use]
    pub fn new() -> Self {
        Self {
            revision: Revision(1),
            compact_revision: Revision(-1),
            live: BTreeMap::new(),
            history: Vec::new(),
            leases: BTreeMap::new(),
            grants: 0,
            lessor_epoch: 0,
            lessor_claimant: Origin::default(),
        }
    }

    /// The newest revision.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The last compaction's revision; -1 before the first.
    #[must_use]
    pub fn compact_revision(&self) -> Revision {
        self.compact_revision
    }

    /// The lessor's epoch.
    #[must_use]
    pub fn lessor_epoch(&self) -> u64 {
        self.lessor_epoch
    }

    /// Whose the epoch is.
    #[must_use]
    pub fn lessor_claimant(&self) -> Origin {
        self.lessor_claimant
    }

    /// All leases, by id.
    #[must_use]
    pub fn leases(&self) -> Vec<LeaseInfo> {
        self.leases.values().copied().collect()
    }

    /// The keys attached to a lease, in order.
    #[must_use]
    pub fn lease_keys(&self, lease: LeaseId) -> Vec<Bytes> {
        let attached = self.live.values().filter(|kv| lease.0 != 0 && kv.lease == lease);
        attached.map(|kv| kv.key.clone()).collect()
    }

    /// A number that is equal for equal twins, and hardly ever for others.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// Carries a command out.
    pub fn apply(&mut self, command: &Command) -> Applied {
        let before = self.clone();
        let result = self.carry_out(command);
        if result.is_err() {
            *self = before;
        }
        Applied { revision: self.revision, result }
    }

    fn carry_out(&mut self, command: &Command) -> Result<Reply, Refusal> {
        match command {
            Command::Put(put) => {
                check_length(put)?;
                self.check_lease(put)?;
                self.check_kept(put)?;
                Ok(self.in_one_revision(|twin| Reply::Put(twin.put(put))))
            }
            Command::Delete(delete) => {
                Ok(self.in_one_revision(|twin| Reply::Delete(twin.delete(delete))))
            }
            Command::Txn(txn) => {
                txn.check_duplicates()?;
                self.check_txn(txn)?;
                let before = self.clone();
                Ok(self.in_one_revision(|twin| Reply::Txn(twin.run(txn, &before))))
            }
            Command::Compact { revision } => self.compact(*revision),
            Command::LeaseGrant { lease, ttl_seconds } => self.grant(*lease, *ttl_seconds),
            Command::LeaseRevoke { lease } => {
                if !self.leases.contains_key(lease) {
                    return Err(Refusal::LeaseNotFound);
                }
                self.end_lease(*lease);
                Ok(Reply::LeaseEnd { leases: vec![*lease] })
            }
            Command::LeaseExpire { epoch, granted_through, leases } => {
                self.expire(*epoch, *granted_through, leases)
            }
            Command::LessorEpoch { claimant } => {
                self.lessor_epoch += 1;
                self.lessor_claimant = *claimant;
                Ok(Reply::LessorEpoch { epoch: self.lessor_epoch })
            }
        }
    }

    /// Everything within gets the next revision, which counts only if there was an event.
    fn in_one_revision<T>(&mut self, change: impl FnOnce(&mut Self) -> T) -> T {
        let count = self.history.len();
        self.revision = Revision(self.revision.0 + 1);
        let result = change(self);
        if self.history.len() == count {
            self.revision = Revision(self.revision.0 - 1);
        }
        result
    }

    fn put(&mut self, put: &Put) -> PutReply {
        let previous = self.live.get(&put.key).cloned();
        let mut kv = KeyValue {
            key: put.key.clone(),
            value: put.value.clone(),
            create_revision: self.revision,
            mod_revision: self.revision,
            version: 1,
            lease: put.lease,
        };
        if let Some(previous) = &previous {
            kv.create_revision = previous.create_revision;
            kv.version = previous.version + 1;
            if put.keep_value {
                kv.value = previous.value.clone();
            }
            if put.keep_lease {
                kv.lease = previous.lease;
            }
        }
        self.live.insert(kv.key.clone(), kv.clone());
        self.happen(Event::Put(kv));
        PutReply { previous: if put.want_previous { previous } else { None } }
    }

    fn delete(&mut self, delete: &Delete) -> DeleteReply {
        let gone = self.keys_within(&delete.range);
        for kv in &gone {
            self.delete_key(&kv.key);
        }
        let deleted = gone.len() as u64;
        DeleteReply { deleted, previous: if delete.want_previous { gone } else { Vec::new() } }
    }

    fn delete_key(&mut self, key: &Bytes) {
        self.live.remove(key);
        self.happen(Event::Delete { key: key.clone(), revision: self.revision });
    }

    fn happen(&mut self, event: Event) {
        let twice = self
            .history
            .iter()
            .rev()
            .take_while(|other| other.revision() == self.revision)
            .any(|other| other.key() == event.key());
        assert!(!twice, "a key has at most one event a revision");
        self.history.push(event);
    }

    fn keys_within(&self, range: &KeyRange) -> Vec<KeyValue> {
        self.live.values().filter(|kv| range.contains(&kv.key)).cloned().collect()
    }

    fn check_lease(&self, put: &Put) -> Result<(), Refusal> {
        if put.lease.0 != 0 && !self.leases.contains_key(&put.lease) {
            return Err(Refusal::LeaseNotFound);
        }
        Ok(())
    }

    fn check_kept(&self, put: &Put) -> Result<(), Refusal> {
        if (put.keep_value || put.keep_lease) && !self.live.contains_key(&put.key) {
            return Err(Refusal::KeyNotFound);
        }
        Ok(())
    }

    fn compact(&mut self, revision: Revision) -> Result<Reply, Refusal> {
        if revision <= self.compact_revision {
            return Err(Refusal::Compacted { at: self.compact_revision });
        }
        if revision > self.revision {
            return Err(Refusal::FutureRevision);
        }
        self.compact_revision = revision;
        Ok(Reply::Compact)
    }

    fn grant(&mut self, lease: LeaseId, ttl_seconds: i64) -> Result<Reply, Refusal> {
        if self.leases.contains_key(&lease) {
            return Err(Refusal::LeaseExists);
        }
        self.grants += 1;
        let ttl_seconds = ttl_seconds.max(LEASE_TTL_SECONDS_MIN);
        let grant = self.grants;
        self.leases.insert(lease, LeaseInfo { lease, ttl_seconds, grant });
        Ok(Reply::LeaseGrant { lease, ttl_seconds, grant })
    }

    fn expire(
        &mut self,
        epoch: u64,
        granted_through: u64,
        leases: &[LeaseId],
    ) -> Result<Reply, Refusal> {
        if epoch != self.lessor_epoch {
            return Err(Refusal::StaleLessor);
        }
        let mut ended = Vec::new();
        for lease in leases {
            if self.leases.get(lease).is_some_and(|info| info.grant <= granted_through) {
                self.end_lease(*lease);
                ended.push(*lease);
            }
        }
        Ok(Reply::LeaseEnd { leases: ended })
    }

    fn end_lease(&mut self, lease: LeaseId) {
        let keys = self.lease_keys(lease);
        self.in_one_revision(|twin| keys.iter().for_each(|key| twin.delete_key(key)));
        self.leases.remove(&lease);
    }
}

fn check_length(put: &Put) -> Result<(), Refusal> {
    if put.key.len() > KEY_BYTES_MAX { Err(Refusal::KeyTooLong) } else { Ok(()) }
}
