//! Numbers by which replicas are compared.
//!
//! Always holds: equal visible states have equal hashes, however far each replica has scrubbed.

use super::{ReadError, Reader};
use crate::layout::{Kind, Layout, VersionRecord};
use crate::{Fatal, Revision};
use bytes::Bytes;
use synod_codec::{checksum, extend_checksum};
use synod_storage::KeyBounds;

/// A hash of the keys up to a revision. Comparable between replicas with the same compact revision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateHash {
    /// CRC-32C over every visible version.
    pub hash: u32,
    /// Up to which revision.
    pub revision: Revision,
    /// What was forgotten when it was taken.
    pub compact_revision: Revision,
}

impl Reader {
    /// Hashes every version that can be read at `revision` (`None` is the newest) or between it and
    /// the compaction. Reads everything: for checks, not for every request.
    pub fn hash(&self, revision: Option<Revision>) -> Result<StateHash, ReadError> {
        self.check_revision(revision)?;
        let revision = super::read_revision(self.state(), revision);
        let compact_revision = self.compact_revision();
        let hash = self.hash_versions(revision)?;
        Ok(StateHash { hash, revision, compact_revision })
    }

    /// Hashes everything replicated: keys, events that watchers may still ask for, leases, lessor,
    /// and the applied index. Reads everything.
    pub fn hash_everything(&self) -> Result<u32, Fatal> {
        let mut hash = self.hash_versions(self.revision())?;
        hash = extend_checksum(hash, &self.state().encode());
        let first_event = self.layout().event(self.compact_revision(), 0);
        let events = (std::ops::Bound::Included(first_event), self.layout().all_of(Kind::Event).1);
        hash = self.hash_records(hash, events)?;
        for kind in [Kind::Lease, Kind::Attachment, Kind::Intent] {
            hash = self.hash_records(hash, self.layout().all_of(kind))?;
        }
        Ok(hash)
    }

    fn hash_versions(&self, revision: Revision) -> Result<u32, Fatal> {
        let mut hash = checksum(&[]);
        // The last key of which a version at or before the compaction was met: only the newest of
        // those is visible, and only if it is not a deletion.
        let mut settled = Bytes::new();
        for found in self.view().scan(self.layout().all_of(Kind::Version)) {
            let (key, value) = found?;
            let (stem, written) = Layout::split_version(&key)?;
            if written > revision || stem == settled {
                continue;
            }
            if written <= self.compact_revision() {
                settled = stem;
                if VersionRecord::new(value.clone())?.is_tombstone() {
                    continue;
                }
            }
            hash = extend_record(hash, &key, &value);
        }
        Ok(hash)
    }

    fn hash_records(&self, mut hash: u32, bounds: KeyBounds) -> Result<u32, Fatal> {
        for found in self.view().scan(bounds) {
            let (key, value) = found?;
            hash = extend_record(hash, &key, &value);
        }
        Ok(hash)
    }
}

/// Lengths go in as well, so that no two different sequences of records read alike. The prefix does
/// not: replicas keep different generations of the same state.
fn extend_record(hash: u32, key: &[u8], value: &[u8]) -> u32 {
    let key = &key[crate::layout::PREFIX_BYTES..];
    let hash = extend_checksum(hash, &(key.len() as u64).to_le_bytes());
    let hash = extend_checksum(hash, key);
    let hash = extend_checksum(hash, &(value.len() as u64).to_le_bytes());
    extend_checksum(hash, value)
}
