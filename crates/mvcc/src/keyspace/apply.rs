//! One entry: decide, draft, write.

use super::KeySpace;
use super::draft::{Changes, Draft};
use crate::layout::{LeaseRecord, State};
use crate::read::ReadError;
use crate::{Applied, Command, DeleteReply, Fatal, KeySpaceBug, LeaseId, Refusal, Reply, Revision};
use std::collections::BTreeMap;
use synod_consensus::{LogIndex, Origin};

/// A refusal found while drafting, or a reason to stop. A draft that is refused is dropped.
pub(super) type Outcome<T> = Result<T, ReadError>;

/// What an entry does to the leases kept in memory.
pub(super) type LeaseChanges = BTreeMap<LeaseId, Option<LeaseRecord>>;

impl KeySpace {
    /// An entry without a command moves the applied index alone.
    pub(super) fn apply_nothing(&mut self, index: LogIndex) -> Result<(), Fatal> {
        let changes = self.draft().finish();
        self.commit(index, changes, LeaseChanges::new())
    }

    pub(super) fn apply_command(
        &mut self,
        index: LogIndex,
        command: &Command,
    ) -> Result<Applied, Fatal> {
        let mut draft = self.draft();
        let mut leases = LeaseChanges::new();
        let result = match self.carry_out(command, &mut draft, &mut leases) {
            Ok(reply) => Ok(reply),
            Err(ReadError::Refused(refusal)) => {
                (draft, leases) = (self.draft(), LeaseChanges::new());
                Err(refusal)
            }
            Err(ReadError::Fatal(fatal)) => return Err(fatal),
        };
        let changes = draft.finish();
        self.commit(index, changes, leases)?;
        Ok(Applied { revision: self.state.revision, result })
    }

    fn draft(&self) -> Draft<'_> {
        let detaches = !self.has_bug(KeySpaceBug::PutKeepsAttachment);
        Draft::new(&*self.engine, &self.layout, &self.state, &self.latest, detaches)
    }

    fn carry_out(
        &self,
        command: &Command,
        draft: &mut Draft<'_>,
        leases: &mut LeaseChanges,
    ) -> Outcome<Reply> {
        match command {
            Command::Put(put) => self.put(draft, put).map(Reply::Put),
            Command::Delete(delete) => Ok(Reply::Delete(Self::delete(draft, delete)?)),
            Command::Txn(txn) => self.txn(draft, txn).map(Reply::Txn),
            Command::Compact { revision } => self.compact(draft, *revision),
            Command::LeaseGrant { lease, ttl_seconds } => {
                self.grant(draft, leases, *lease, *ttl_seconds)
            }
            Command::LeaseRevoke { lease } => self.revoke(draft, leases, *lease),
            Command::LeaseExpire { epoch, granted_through, leases: expired } => {
                self.expire(draft, leases, (*epoch, *granted_through), expired)
            }
            Command::LessorEpoch { claimant } => Ok(claim_epoch(draft.state_mut(), *claimant)),
        }
    }

    pub(super) fn delete(
        draft: &mut Draft<'_>,
        delete: &crate::Delete,
    ) -> Result<DeleteReply, Fatal> {
        let keys = draft.deletable(&delete.range)?;
        let deleted = keys.len() as u64;
        let previous = if delete.want_previous { keys.clone() } else { Vec::new() };
        for kv in keys {
            draft.delete(kv);
        }
        Ok(DeleteReply { deleted, previous })
    }

    fn compact(&self, draft: &mut Draft<'_>, revision: Revision) -> Outcome<Reply> {
        if revision <= self.state.compact_revision {
            return Err(Refusal::Compacted { at: self.state.compact_revision }.into());
        }
        if revision > self.state.revision {
            return Err(Refusal::FutureRevision.into());
        }
        draft.state_mut().compact_revision = revision;
        if self.has_bug(KeySpaceBug::DropEventAtCompaction) {
            self.recent.forget_through(revision);
        }
        Ok(Reply::Compact)
    }

    /// Writes everything at once, and only then remembers it.
    fn commit(
        &mut self,
        index: LogIndex,
        changes: Changes,
        leases: LeaseChanges,
    ) -> Result<(), Fatal> {
        let Changes { mut state, mut batch, keys, revisions, .. } = changes;
        state.applied = index;
        batch.put(self.layout.state(), state.encode());
        self.engine.write(batch)?;
        if state.compact_revision != self.state.compact_revision {
            self.reopen_scrub(self.state.compact_revision);
        }
        self.state = state;
        for (key, value) in keys {
            self.latest.set(key, value);
        }
        for events in revisions {
            self.recent.push(events);
        }
        for (lease, record) in leases {
            match record {
                Some(record) => self.leases.insert(lease, record),
                None => self.leases.remove(&lease),
            };
        }
        Ok(())
    }
}

fn claim_epoch(state: &mut State, claimant: Origin) -> Reply {
    state.lessor_epoch += 1;
    state.lessor_claimant = claimant;
    Reply::LessorEpoch { epoch: state.lessor_epoch }
}
