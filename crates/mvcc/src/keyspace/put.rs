//! Writing one key.

use super::KeySpace;
use super::apply::Outcome;
use super::draft::Draft;
use crate::{Fatal, KEY_BYTES_MAX, KeyValue, LeaseId, Put, PutReply, Refusal};

impl KeySpace {
    /// A put on its own: the lease is looked at first, as etcd does.
    pub(super) fn put(&self, draft: &mut Draft<'_>, put: &Put) -> Outcome<PutReply> {
        check_key(put)?;
        self.check_lease(put)?;
        let previous = draft.current(&put.key)?;
        check_kept(put, previous.is_some())?;
        Ok(write(draft, put, previous))
    }

    /// What can refuse a put inside a transaction, judged by the state before it: the key is looked
    /// at first, as etcd does.
    pub(super) fn check_put(&self, draft: &mut Draft<'_>, put: &Put) -> Outcome<()> {
        check_key(put)?;
        if put.keep_value || put.keep_lease {
            check_kept(put, draft.current(&put.key)?.is_some())?;
        }
        self.check_lease(put)?;
        Ok(())
    }

    fn check_lease(&self, put: &Put) -> Result<(), Refusal> {
        let exists = put.lease == LeaseId::NONE || self.leases.contains_key(&put.lease);
        if exists { Ok(()) } else { Err(Refusal::LeaseNotFound) }
    }
}

/// A put whose conditions were checked.
pub(super) fn write_checked(draft: &mut Draft<'_>, put: &Put) -> Result<PutReply, Fatal> {
    let previous = draft.current(&put.key)?;
    Ok(write(draft, put, previous))
}

fn check_key(put: &Put) -> Result<(), Refusal> {
    if put.key.len() > KEY_BYTES_MAX { Err(Refusal::KeyTooLong) } else { Ok(()) }
}

fn check_kept(put: &Put, exists: bool) -> Result<(), Refusal> {
    let needs_key = put.keep_value || put.keep_lease;
    if needs_key && !exists { Err(Refusal::KeyNotFound) } else { Ok(()) }
}

fn write(draft: &mut Draft<'_>, put: &Put, previous: Option<KeyValue>) -> PutReply {
    let kept = previous.as_ref();
    let value = match kept {
        Some(kv) if put.keep_value => kv.value.clone(),
        _ => put.value.clone(),
    };
    let lease = match kept {
        Some(kv) if put.keep_lease => kv.lease,
        _ => put.lease,
    };
    let reply = PutReply { previous: previous.clone().filter(|_| put.want_previous) };
    draft.write(&put.key, value, lease, previous);
    reply
}
