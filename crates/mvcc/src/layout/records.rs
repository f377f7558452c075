//! The values in the engine: versions, events, leases, and the state record.
//!
//! Always holds: a record's first byte tells its form, and a form that this version does not know
//! is an error, never a guess.

use crate::{Fatal, KeyValue, LeaseId, Revision};
use bytes::Bytes;
use synod_codec::{DecodeError, Reader, Writer};
use synod_consensus::{LogIndex, Origin, StoreId};

const PUT: u8 = 1;
const DELETE: u8 = 2;

/// The version of everything below the prefix; part of the state record.
pub(crate) const FORMAT_VERSION: u64 = 1;

/// A version's record: what a key became at a revision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct VersionRecord {
    raw: Bytes,
}

impl VersionRecord {
    pub(crate) fn new(raw: Bytes) -> Result<Self, Fatal> {
        match raw.first() {
            Some(&PUT | &DELETE) => Ok(Self { raw }),
            _ => Err(Fatal::corrupt("a version is neither a put nor a delete")),
        }
    }

    /// Whether the key was deleted here.
    pub(crate) fn is_tombstone(&self) -> bool {
        self.raw[0] == DELETE
    }

    /// The key value of a put; shares the record's bytes.
    pub(crate) fn key_value(&self, key: Bytes, revision: Revision) -> Result<KeyValue, Fatal> {
        assert!(!self.is_tombstone(), "a tombstone has no value");
        let read = || -> Result<KeyValue, DecodeError> {
            let mut reader = Reader::new(self.raw.slice(1..));
            let create_revision = Revision(reader.signed()?);
            let version = reader.signed()?;
            let lease = LeaseId(reader.signed()?);
            let value = reader.rest();
            Ok(KeyValue { key, value, create_revision, mod_revision: revision, version, lease })
        };
        read().map_err(|error| Fatal::corrupt(format!("a version of a key: {error}")))
    }
}

/// A put's record. On return the key value's bytes are the record's own, so that whoever keeps
/// them does not keep a whole network buffer alive.
pub(crate) fn put_record(kv: &mut KeyValue) -> Bytes {
    let mut writer = Writer::with_capacity(1 + 3 * 10 + kv.value.len());
    writer.u8(PUT).signed(kv.create_revision.0).signed(kv.version).signed(kv.lease.0);
    let start = writer.len();
    writer.raw(&kv.value);
    let record = writer.into_bytes();
    kv.value = record.slice(start..);
    record
}

/// A deletion's record.
pub(crate) fn tombstone_record() -> Bytes {
    Bytes::from_static(&[DELETE])
}

/// Which of the two an event is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EventKind {
    Put,
    Delete,
}

/// An event's record: what happened to which key. The value is in the version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct EventRecord {
    pub(crate) kind: EventKind,
    /// When the key was written before, if it was there: which version this event superseded.
    pub(crate) previous: Option<Revision>,
    pub(crate) key: Bytes,
}

impl EventRecord {
    /// The record, and the key within it, so that whoever keeps the key keeps nothing larger.
    pub(crate) fn encode(
        kind: EventKind,
        previous: Option<Revision>,
        key: &[u8],
    ) -> (Bytes, Bytes) {
        let mut writer = Writer::with_capacity(1 + 10 + key.len());
        writer.u8(match kind {
            EventKind::Put => PUT,
            EventKind::Delete => DELETE,
        });
        writer.signed(previous.map_or(0, |revision| revision.0));
        let start = writer.len();
        writer.raw(key);
        let record = writer.into_bytes();
        let key = record.slice(start..);
        (record, key)
    }

    pub(crate) fn decode(raw: Bytes) -> Result<Self, Fatal> {
        let read = || -> Result<Self, DecodeError> {
            let mut reader = Reader::new(raw);
            let kind = match reader.u8()? {
                PUT => EventKind::Put,
                DELETE => EventKind::Delete,
                other => return Err(DecodeError::UnknownTag("event", other.into())),
            };
            let previous = Some(Revision(reader.signed()?)).filter(|revision| revision.0 != 0);
            Ok(Self { kind, previous, key: reader.rest() })
        };
        read().map_err(|error| Fatal::corrupt(format!("an event: {error}")))
    }
}

/// A lease's record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LeaseRecord {
    /// What each renewal grants.
    pub(crate) ttl_seconds: i64,
    /// Which grant of the key space it was.
    pub(crate) grant: u64,
}

const LEASE_FORM: u8 = 1;

impl LeaseRecord {
    pub(crate) fn encode(self) -> Bytes {
        let mut writer = Writer::with_capacity(24);
        writer.u8(LEASE_FORM).signed(self.ttl_seconds).varint(self.grant);
        writer.into_bytes()
    }

    pub(crate) fn decode(raw: Bytes) -> Result<Self, Fatal> {
        let read = || -> Result<Self, DecodeError> {
            let mut reader = Reader::new(raw);
            match reader.u8()? {
                LEASE_FORM => {}
                other => return Err(DecodeError::UnknownTag("lease record", other.into())),
            }
            let record = Self { ttl_seconds: reader.signed()?, grant: reader.varint()? };
            reader.finish()?;
            Ok(record)
        };
        read().map_err(|error| Fatal::corrupt(format!("a lease: {error}")))
    }
}

/// The one record that changes with every entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct State {
    pub(crate) applied: LogIndex,
    pub(crate) revision: Revision,
    pub(crate) compact_revision: Revision,
    pub(crate) lessor_epoch: u64,
    pub(crate) lessor_claimant: Origin,
    /// How many leases were ever granted.
    pub(crate) grants: u64,
    /// How many intents there are; reads look for none while it is 0.
    pub(crate) intents: u64,
}

impl State {
    /// A new key space: revision 1, and a compact revision of -1, so that compacting at 0 succeeds
    /// once, as in etcd.
    pub(crate) const NEW: Self = Self {
        applied: LogIndex::ZERO,
        revision: Revision::FIRST,
        compact_revision: Revision(-1),
        lessor_epoch: 0,
        lessor_claimant: Origin { store: StoreId::NONE, incarnation: 0, sequence: 0 },
        grants: 0,
        intents: 0,
    };

    pub(crate) fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(48);
        writer.varint(FORMAT_VERSION).varint(self.applied.0).signed(self.revision.0);
        writer.signed(self.compact_revision.0).varint(self.lessor_epoch);
        let Origin { store, incarnation, sequence } = self.lessor_claimant;
        writer.u64(store.0).varint(incarnation).varint(sequence);
        writer.varint(self.grants).varint(self.intents);
        writer.into_bytes()
    }

    pub(crate) fn decode(raw: Bytes) -> Result<Self, Fatal> {
        let mut reader = Reader::new(raw);
        let bad = |error: DecodeError| Fatal::corrupt(format!("the state record: {error}"));
        let found = reader.varint().map_err(bad)?;
        if found != FORMAT_VERSION {
            return Err(Fatal::UnknownFormat { found });
        }
        Self::decode_fields(reader).map_err(bad)
    }

    fn decode_fields(mut reader: Reader) -> Result<Self, DecodeError> {
        let state = Self {
            applied: LogIndex(reader.varint()?),
            revision: Revision(reader.signed()?),
            compact_revision: Revision(reader.signed()?),
            lessor_epoch: reader.varint()?,
            lessor_claimant: Origin {
                store: StoreId(reader.u64()?),
                incarnation: reader.varint()?,
                sequence: reader.varint()?,
            },
            grants: reader.varint()?,
            intents: reader.varint()?,
        };
        reader.finish()?;
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_put_shares_its_record() {
        let mut kv = KeyValue {
            key: Bytes::from_static(b"k"),
            value: Bytes::from_static(b"value"),
            create_revision: Revision(3),
            mod_revision: Revision(300),
            version: 4,
            lease: LeaseId(-9),
        };
        let before = kv.clone();
        let record = put_record(&mut kv);
        assert_eq!(kv, before);
        assert!(record.as_ptr_range().contains(&kv.value.as_ptr()));
        let read = VersionRecord::new(record).unwrap().key_value(kv.key.clone(), kv.mod_revision);
        assert_eq!(read, Ok(kv));
    }

    #[test]
    fn an_event_survives_a_round_trip() {
        for (kind, previous) in [(EventKind::Put, None), (EventKind::Delete, Some(Revision(300)))] {
            let (record, key) = EventRecord::encode(kind, previous, b"key");
            assert_eq!(EventRecord::decode(record), Ok(EventRecord { kind, previous, key }));
        }
    }

    #[test]
    fn the_state_survives_a_round_trip_and_a_later_format_is_refused() {
        let origin = Origin { store: StoreId(u64::MAX), incarnation: 2, sequence: 3 };
        let state = State { applied: LogIndex(9), lessor_claimant: origin, ..State::NEW };
        assert_eq!(State::decode(state.encode()), Ok(state));
        let mut later = state.encode().to_vec();
        later[0] = 2;
        assert_eq!(State::decode(later.into()), Err(Fatal::UnknownFormat { found: 2 }));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
            let raw = Bytes::from(raw);
            let _ = State::decode(raw.clone());
            let _ = LeaseRecord::decode(raw.clone());
            let _ = EventRecord::decode(raw.clone());
            if let Ok(version) = VersionRecord::new(raw) && !version.is_tombstone() {
                let _ = version.key_value(Bytes::new(), Revision(1));
            }
        }
    }
}
