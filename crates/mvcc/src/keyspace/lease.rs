//! Leases as replicated state: that they exist, what they grant, what is attached to them.

use super::KeySpace;
use super::apply::{LeaseChanges, Outcome};
use super::draft::Draft;
use crate::layout::LeaseRecord;
use crate::{Fatal, KeySpaceBug, LEASE_TTL_SECONDS_MIN, LeaseId, Refusal, Reply};

impl KeySpace {
    pub(super) fn grant(
        &self,
        draft: &mut Draft<'_>,
        leases: &mut LeaseChanges,
        lease: LeaseId,
        ttl_seconds: i64,
    ) -> Outcome<Reply> {
        if self.leases.contains_key(&lease) {
            return Err(Refusal::LeaseExists.into());
        }
        let grant = draft.before().grants + 1;
        draft.state_mut().grants = grant;
        let ttl_seconds = ttl_seconds.max(LEASE_TTL_SECONDS_MIN);
        let record = LeaseRecord { ttl_seconds, grant };
        draft.batch_mut().put(self.layout.lease(lease), record.encode());
        leases.insert(lease, Some(record));
        Ok(Reply::LeaseGrant { lease, ttl_seconds, grant })
    }

    pub(super) fn revoke(
        &self,
        draft: &mut Draft<'_>,
        leases: &mut LeaseChanges,
        lease: LeaseId,
    ) -> Outcome<Reply> {
        if !self.leases.contains_key(&lease) {
            return Err(Refusal::LeaseNotFound.into());
        }
        self.end(draft, leases, lease)?;
        Ok(Reply::LeaseEnd { leases: vec![lease] })
    }

    /// Ends those of `expired` that the lessor can have judged.
    pub(super) fn expire(
        &self,
        draft: &mut Draft<'_>,
        leases: &mut LeaseChanges,
        (epoch, granted_through): (u64, u64),
        expired: &[LeaseId],
    ) -> Outcome<Reply> {
        let trusts_anybody = self.has_bug(KeySpaceBug::IgnoreLessorEpoch);
        if epoch != self.state.lessor_epoch && !trusts_anybody {
            return Err(Refusal::StaleLessor.into());
        }
        let mut ended = Vec::new();
        for lease in expired {
            let Some(record) = self.leases.get(lease) else { continue };
            let known = record.grant <= granted_through || trusts_anybody;
            if known && !leases.contains_key(lease) {
                self.end(draft, leases, *lease)?;
                ended.push(*lease);
            }
        }
        Ok(Reply::LeaseEnd { leases: ended })
    }

    /// Removes a lease, and the keys attached to it in one revision, in order.
    fn end(
        &self,
        draft: &mut Draft<'_>,
        leases: &mut LeaseChanges,
        lease: LeaseId,
    ) -> Result<(), Fatal> {
        for key in draft.attached(lease)? {
            if let Some(kv) = draft.current(&key)? {
                draft.delete(kv);
            }
        }
        draft.end_revision();
        draft.batch_mut().remove(self.layout.lease(lease));
        leases.insert(lease, None);
        Ok(())
    }
}
