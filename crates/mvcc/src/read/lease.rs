//! Reading leases.

use super::Reader;
use crate::layout::{Kind, Layout, LeaseRecord};
use crate::{Fatal, LeaseId};
use bytes::Bytes;
use synod_storage::View;

/// What the replicated state knows of a lease; how long it still lasts is the lessor's alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LeaseInfo {
    /// Which.
    pub lease: LeaseId,
    /// What each renewal grants, in seconds.
    pub ttl_seconds: i64,
    /// Which grant of the key space it was, from 1.
    pub grant: u64,
}

impl Reader {
    /// All leases, by id.
    pub fn leases(&self) -> Result<Vec<LeaseInfo>, Fatal> {
        let scan = self.view().scan(self.layout().all_of(Kind::Lease));
        scan.map(|found| {
            let (key, value) = found?;
            let (lease, _) = Layout::split_lease(&key)?;
            Ok(info(lease, LeaseRecord::decode(value)?))
        })
        .collect()
    }

    /// One lease, if it exists.
    pub fn lease(&self, lease: LeaseId) -> Result<Option<LeaseInfo>, Fatal> {
        match self.view().get(&self.layout().lease(lease))? {
            Some(record) => Ok(Some(info(lease, LeaseRecord::decode(record)?))),
            None => Ok(None),
        }
    }

    /// The keys attached to a lease, in order; none if it does not exist.
    pub fn lease_keys(&self, lease: LeaseId) -> Result<Vec<Bytes>, Fatal> {
        attached_keys(self.view(), self.layout(), lease)
    }
}

fn info(lease: LeaseId, record: LeaseRecord) -> LeaseInfo {
    LeaseInfo { lease, ttl_seconds: record.ttl_seconds, grant: record.grant }
}

/// The keys attached to a lease, in order.
pub(crate) fn attached_keys(
    view: &dyn View,
    layout: &Layout,
    lease: LeaseId,
) -> Result<Vec<Bytes>, Fatal> {
    let scan = view.scan(layout.attachments(lease));
    scan.map(|found| Ok(Layout::split_lease(&found?.0)?.1)).collect()
}
