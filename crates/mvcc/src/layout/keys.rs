//! Where everything stands in the engine: `docs/mvcc.md` has the byte table.
//!
//! Always holds: every key of one generation of one group starts with the same 16 bytes, and no
//! key of another does. Numbers are big-endian, so that they sort as numbers.

use super::escape::{escape_into, unescape};
use crate::{Fatal, KEY_BYTES_MAX, KeyRange, LeaseId, RangeEnd, Revision};
use bytes::Bytes;
use std::ops::Bound;
use synod_consensus::GroupId;
use synod_storage::{Generation, KeyBounds};

/// Group and generation.
pub(crate) const PREFIX_BYTES: usize = 16;
/// A revision at a key's end.
const REVISION_BYTES: usize = 8;

/// What a record is; the byte after the prefix. The state record comes last on purpose: a
/// generation that was copied in order is complete only once it has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// (lease) → its time to live.
    Lease = 0x10,
    /// (lease, key) → nothing.
    Attachment = 0x11,
    /// (key, revision descending) → the value, or a tombstone.
    Version = 0x20,
    /// (revision, sub-revision) → put or delete, and the key.
    Event = 0x30,
    /// (key) → a prepared write. Reserved: nothing writes it yet.
    Intent = 0x40,
    /// () → applied index, revisions, lessor.
    State = 0x7f,
}

/// Builds and reads the keys of one generation of one group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    prefix: [u8; PREFIX_BYTES],
    state: Bytes,
}

impl Layout {
    pub(crate) fn new(group: GroupId, generation: Generation) -> Self {
        let mut prefix = [0; PREFIX_BYTES];
        prefix[..8].copy_from_slice(&group.0.to_be_bytes());
        prefix[8..].copy_from_slice(&generation.to_be_bytes());
        let state = Bytes::from([&prefix[..], &[Kind::State as u8]].concat());
        Self { prefix, state }
    }

    /// The group, as the prefix has it.
    pub(crate) fn group(&self) -> GroupId {
        GroupId(u64::from_be_bytes(self.prefix[..8].try_into().expect("eight of sixteen bytes")))
    }

    /// A key of this generation, out of one that left the prefix behind.
    pub(crate) fn with_prefix(&self, rest: &[u8]) -> Bytes {
        [&self.prefix[..], rest].concat().into()
    }

    /// Starts a key with room for `more` bytes behind the kind.
    fn start(&self, kind: Kind, more: usize) -> Vec<u8> {
        let mut key = Vec::with_capacity(PREFIX_BYTES + 1 + more);
        key.extend_from_slice(&self.prefix);
        key.push(kind as u8);
        key
    }

    /// The one state record.
    pub(crate) fn state(&self) -> Bytes {
        self.state.clone()
    }

    /// A lease's record.
    pub(crate) fn lease(&self, lease: LeaseId) -> Bytes {
        let mut key = self.start(Kind::Lease, 8);
        key.extend_from_slice(&ordered(lease));
        key.into()
    }

    /// That `user_key` is attached to `lease`.
    pub(crate) fn attachment(&self, lease: LeaseId, user_key: &[u8]) -> Bytes {
        let mut key = self.start(Kind::Attachment, 8 + user_key.len());
        key.extend_from_slice(&ordered(lease));
        key.extend_from_slice(user_key);
        key.into()
    }

    /// What all versions of `user_key` start with: everything but the revision.
    pub(crate) fn stem(&self, user_key: &[u8]) -> Vec<u8> {
        let mut key = self.start(Kind::Version, user_key.len() + 2 + REVISION_BYTES);
        escape_into(&mut key, user_key);
        key
    }

    /// `user_key` as written at `revision`.
    pub(crate) fn version(&self, user_key: &[u8], revision: Revision) -> Bytes {
        version_of_stem(self.stem(user_key), revision)
    }

    /// An event's record.
    pub(crate) fn event(&self, revision: Revision, sub_revision: u32) -> Bytes {
        let mut key = self.start(Kind::Event, 12);
        key.extend_from_slice(&unsigned(revision).to_be_bytes());
        key.extend_from_slice(&sub_revision.to_be_bytes());
        key.into()
    }

    /// A prepared write on `user_key`. Reserved.
    #[cfg(test)]
    pub(crate) fn intent(&self, user_key: &[u8]) -> Bytes {
        let mut key = self.start(Kind::Intent, user_key.len() + 2);
        escape_into(&mut key, user_key);
        key.into()
    }

    /// All keys of the generation.
    pub(crate) fn everything(&self) -> KeyBounds {
        let first = Bytes::copy_from_slice(&self.prefix);
        (Bound::Included(first), Bound::Included(self.state.clone()))
    }

    /// All keys of a kind.
    pub(crate) fn all_of(&self, kind: Kind) -> KeyBounds {
        let end = Bytes::from([&self.prefix[..], &[kind as u8 + 1]].concat());
        (Bound::Included(self.start(kind, 0).into()), Bound::Excluded(end))
    }

    /// All attachments of a lease.
    pub(crate) fn attachments(&self, lease: LeaseId) -> KeyBounds {
        let first = self.attachment(lease, &[]);
        let end = match lease.0.checked_add(1) {
            Some(next) => Bound::Excluded(self.attachment(LeaseId(next), &[])),
            None => self.all_of(Kind::Attachment).1,
        };
        (Bound::Included(first), end)
    }

    /// All versions of a stem from `newest` down to the oldest.
    pub(crate) fn versions_up_to(stem: &[u8], newest: Revision) -> KeyBounds {
        let first = version_of_stem(stem.to_vec(), newest);
        (Bound::Included(first), Bound::Included(last_of_stem(stem)))
    }

    /// All versions of all keys of a range. Bounds longer than any key are cut, so that the engine
    /// never sees a key that is too long for it.
    pub(crate) fn versions_of(&self, range: &KeyRange) -> KeyBounds {
        let start = self.starting_at(&range.start);
        match &range.end {
            RangeEnd::Single => (start, Bound::Included(last_of_stem(&self.stem(&range.start)))),
            RangeEnd::Before(end) => (start, self.ending_before(end)),
            RangeEnd::Unbounded => (start, self.all_of(Kind::Version).1),
        }
    }

    /// At or behind `user_key`. A key cut to the limit is a prefix of a longer one and below it.
    fn starting_at(&self, user_key: &[u8]) -> Bound<Bytes> {
        match user_key.get(..KEY_BYTES_MAX) {
            Some(cut) if user_key.len() > KEY_BYTES_MAX => {
                Bound::Excluded(last_of_stem(&self.stem(cut)))
            }
            _ => Bound::Included(self.stem(user_key).into()),
        }
    }

    /// Before `user_key`.
    fn ending_before(&self, user_key: &[u8]) -> Bound<Bytes> {
        match user_key.get(..KEY_BYTES_MAX) {
            Some(cut) if user_key.len() > KEY_BYTES_MAX => {
                Bound::Included(last_of_stem(&self.stem(cut)))
            }
            _ => Bound::Excluded(self.stem(user_key).into()),
        }
    }

    /// Splits a version's key into its stem and its revision.
    pub(crate) fn split_version(key: &Bytes) -> Result<(Bytes, Revision), Fatal> {
        let bad = || Fatal::corrupt("the key of a version is too short");
        let at = key.len().checked_sub(REVISION_BYTES).ok_or_else(bad)?;
        let raw = key[at..].try_into().expect("eight bytes are left behind `at`");
        Ok((key.slice(..at), signed(u64::MAX - u64::from_be_bytes(raw))))
    }

    /// The user key in a stem.
    pub(crate) fn user_key_of_stem(stem: &Bytes) -> Result<Bytes, Fatal> {
        let bad = || Fatal::corrupt("the key of a version is not escaped as it should be");
        if stem.len() < PREFIX_BYTES + 1 {
            return Err(bad());
        }
        unescape(&stem.slice(PREFIX_BYTES + 1..)).ok_or_else(bad)
    }

    /// The revision and sub-revision in an event's key.
    pub(crate) fn split_event(key: &Bytes) -> Result<(Revision, u32), Fatal> {
        let raw: [u8; 12] = behind_prefix(key)?
            .as_ref()
            .try_into()
            .map_err(|_| Fatal::corrupt("the key of an event has the wrong length"))?;
        let (revision, sub_revision) = raw.split_at(8);
        let revision = u64::from_be_bytes(revision.try_into().expect("split at eight bytes"));
        let sub_revision = u32::from_be_bytes(sub_revision.try_into().expect("four of twelve"));
        Ok((signed(revision), sub_revision))
    }

    /// The lease in a lease's or attachment's key, and what follows it.
    pub(crate) fn split_lease(key: &Bytes) -> Result<(LeaseId, Bytes), Fatal> {
        let rest = behind_prefix(key)?;
        let raw = rest.get(..8).ok_or_else(|| Fatal::corrupt("the key of a lease is too short"))?;
        let raw = u64::from_be_bytes(raw.try_into().expect("the slice has eight bytes"));
        Ok((LeaseId((raw ^ SIGN) as i64), rest.slice(8..)))
    }
}

/// Turns signed numbers into unsigned ones of the same order.
const SIGN: u64 = 1 << 63;

fn ordered(lease: LeaseId) -> [u8; 8] {
    ((lease.0 as u64) ^ SIGN).to_be_bytes()
}

/// Revisions in keys are never negative; a negative bound stands for 0, below all of them.
fn unsigned(revision: Revision) -> u64 {
    u64::try_from(revision.0).unwrap_or(0)
}

fn signed(revision: u64) -> Revision {
    Revision(i64::try_from(revision).unwrap_or(i64::MAX))
}

fn behind_prefix(key: &Bytes) -> Result<Bytes, Fatal> {
    if key.len() <= PREFIX_BYTES {
        return Err(Fatal::corrupt("a key is shorter than its prefix"));
    }
    Ok(key.slice(PREFIX_BYTES + 1..))
}

fn version_of_stem(mut stem: Vec<u8>, revision: Revision) -> Bytes {
    stem.extend_from_slice(&(u64::MAX - unsigned(revision)).to_be_bytes());
    stem.into()
}

/// At or behind every version of the stem, before every version of the next key.
pub(crate) fn last_of_stem(stem: &[u8]) -> Bytes {
    Bytes::from([stem, &[0xff; REVISION_BYTES]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::new(GroupId(7), 9)
    }

    #[test]
    fn newer_versions_of_a_key_come_first() {
        let old = layout().version(b"k", Revision(2));
        let new = layout().version(b"k", Revision(300));
        assert!(new < old);
        assert!(old < layout().version(b"l", Revision(1000)));
        let (stem, revision) = Layout::split_version(&new).unwrap();
        assert_eq!(revision, Revision(300));
        assert_eq!(Layout::user_key_of_stem(&stem).unwrap(), b"k".as_ref());
    }

    #[test]
    fn leases_sort_as_signed_numbers() {
        let ids = [i64::MIN, -2, -1, 1, 2, i64::MAX];
        for pair in ids.windows(2) {
            assert!(layout().lease(LeaseId(pair[0])) < layout().lease(LeaseId(pair[1])));
        }
        for id in ids {
            let (lease, key) =
                Layout::split_lease(&layout().attachment(LeaseId(id), b"k")).unwrap();
            assert_eq!((lease, key.as_ref()), (LeaseId(id), b"k".as_ref()));
        }
    }

    #[test]
    fn the_state_comes_last_and_intents_lie_within_the_generation() {
        let (first, last) = layout().everything();
        for key in [
            layout().lease(LeaseId(i64::MAX)),
            layout().version(&[0xff; 40], Revision(1)),
            layout().event(Revision(i64::MAX), u32::MAX),
            layout().intent(b"k"),
        ] {
            assert!(key < layout().state());
            assert!(matches!(&first, Bound::Included(first) if *first < key));
            assert!(matches!(&last, Bound::Included(last) if *last > key));
        }
    }

    #[test]
    fn bounds_longer_than_any_key_are_cut_without_changing_what_lies_between() {
        let longest = vec![b'a'; KEY_BYTES_MAX];
        let longer = Bytes::from(vec![b'a'; KEY_BYTES_MAX + 1]);
        let stored = layout().version(&longest, Revision(5));
        let from = KeyRange { start: longer.clone(), end: RangeEnd::Unbounded };
        let before = KeyRange { start: Bytes::new(), end: RangeEnd::Before(longer) };
        assert!(!std::ops::RangeBounds::contains(&layout().versions_of(&from), &stored));
        assert!(std::ops::RangeBounds::contains(&layout().versions_of(&before), &stored));
    }
}
