//! Records as bytes, and back: `docs/format/log.md` has the table.
//!
//! Always holds: `decode(encode(x)) == x`; whatever the bytes are, decoding neither panics nor
//! allocates much more than the input is long.

use super::Record;
use synod_codec::{DecodeError, Reader, Writer};
use synod_consensus::{
    Ballot, Entry, EntryKind, GroupId, HardState, LogIndex, Membership, Origin, SnapshotMeta,
    StoreId,
};

const TAG_ENTRIES: u8 = 1;
const TAG_HARD_STATE: u8 = 2;
const TAG_TRUNCATE: u8 = 3;
const TAG_INSTALL: u8 = 4;
const TAG_COMPACT: u8 = 5;

/// An encoded entry is at least this long: what a count of entries is checked against before room
/// is made for them.
const ENTRY_BYTES_MIN: usize = 21;

/// No log has a position beyond: a million entries a second would take a hundred thousand years.
const INDEX_MAX: u64 = 1 << 62;

/// Beside its payload an entry takes at most this much: four varints of ten bytes, two store ids of
/// eight, the kind, and the payload's length.
const ENTRY_HEADER_BYTES_MAX: usize = 57;

/// Beside its entries a record takes at most this much: a tag, a few varints, two store ids, and the
/// largest membership.
const RECORD_HEADER_BYTES_MAX: usize = 1_700;

impl Record {
    /// Appends the record's bytes.
    ///
    /// # Panics
    /// If entries are not consecutive.
    pub fn encode(&self, out: &mut Writer) {
        match self {
            Self::Entries(group, entries) => {
                out.u8(TAG_ENTRIES).varint(group.0);
                encode_entries(entries, out);
            }
            Self::HardState(group, state) => {
                out.u8(TAG_HARD_STATE).varint(group.0);
                encode_ballot(state.promised, out);
                out.varint(state.committed.0);
            }
            Self::Truncate(group, from) => {
                out.u8(TAG_TRUNCATE).varint(group.0).varint(from.0);
            }
            Self::Install(group, meta, generation) => {
                out.u8(TAG_INSTALL).varint(group.0).varint(*generation);
                encode_meta(meta, out);
            }
            Self::Compact(group, meta) => {
                out.u8(TAG_COMPACT).varint(group.0);
                encode_meta(meta, out);
            }
        }
    }

    /// Reads one record from the front of `input`.
    pub fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        let tag = input.u8()?;
        let group = GroupId(input.varint()?);
        match tag {
            TAG_ENTRIES => Ok(Self::Entries(group, decode_entries(input)?)),
            TAG_HARD_STATE => {
                let promised = decode_ballot(input)?;
                let committed = decode_index(input)?;
                Ok(Self::HardState(group, HardState { promised, committed }))
            }
            TAG_TRUNCATE => Ok(Self::Truncate(group, decode_index(input)?)),
            TAG_INSTALL => {
                let generation = input.varint()?;
                Ok(Self::Install(group, decode_meta(input)?, generation))
            }
            TAG_COMPACT => Ok(Self::Compact(group, decode_meta(input)?)),
            other => Err(DecodeError::UnknownTag("record", u64::from(other))),
        }
    }

    /// An upper bound of what the encoded record takes, in bytes, without encoding it.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        match self {
            Self::Entries(_, entries) => {
                let payloads: usize = entries.iter().map(entry_weight_bytes).sum();
                RECORD_HEADER_BYTES_MAX + payloads
            }
            _ => RECORD_HEADER_BYTES_MAX,
        }
    }

    /// Whose log the record changes.
    #[must_use]
    pub fn group(&self) -> GroupId {
        match self {
            Self::Entries(group, _)
            | Self::HardState(group, _)
            | Self::Truncate(group, _)
            | Self::Install(group, _, _)
            | Self::Compact(group, _) => *group,
        }
    }
}

/// An upper bound of one entry's bytes in the log.
pub(crate) fn entry_weight_bytes(entry: &Entry) -> usize {
    ENTRY_HEADER_BYTES_MAX + entry.payload.len()
}

fn encode_entries(entries: &[Entry], out: &mut Writer) {
    let first = entries.first().map_or(LogIndex::ZERO, |entry| entry.index);
    out.varint(entries.len() as u64).varint(first.0);
    for (entry, position) in entries.iter().zip(first.0..) {
        assert_eq!(entry.index.0, position, "the entries of a record are consecutive");
        encode_entry(entry, out);
    }
}

fn decode_entries(input: &mut Reader) -> Result<Vec<Entry>, DecodeError> {
    let count = input.varint()?;
    let first = decode_index(input)?.0;
    let room = input.remaining() / ENTRY_BYTES_MIN;
    if count > room as u64 {
        return Err(DecodeError::OverLimit("count of entries", count));
    }
    (first..first + count).map(|index| decode_entry(LogIndex(index), input)).collect()
}

/// An index that no log reaches is not one: arithmetic on those below it never overflows.
fn decode_index(input: &mut Reader) -> Result<LogIndex, DecodeError> {
    match input.varint()? {
        index if index <= INDEX_MAX => Ok(LogIndex(index)),
        _ => Err(DecodeError::Invalid("a log index is beyond any log")),
    }
}

fn encode_entry(entry: &Entry, out: &mut Writer) {
    encode_ballot(entry.ballot, out);
    out.u64(entry.origin.store.0).varint(entry.origin.incarnation).varint(entry.origin.sequence);
    out.u8(kind_tag(entry.kind)).bytes(&entry.payload);
}

fn decode_entry(index: LogIndex, input: &mut Reader) -> Result<Entry, DecodeError> {
    Ok(Entry {
        index,
        ballot: decode_ballot(input)?,
        origin: Origin {
            store: StoreId(input.u64()?),
            incarnation: input.varint()?,
            sequence: input.varint()?,
        },
        kind: decode_kind(input.u8()?)?,
        payload: input.bytes()?,
    })
}

fn kind_tag(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::Noop => 0,
        EntryKind::Command => 1,
        EntryKind::Membership => 2,
    }
}

fn decode_kind(tag: u8) -> Result<EntryKind, DecodeError> {
    match tag {
        0 => Ok(EntryKind::Noop),
        1 => Ok(EntryKind::Command),
        2 => Ok(EntryKind::Membership),
        other => Err(DecodeError::UnknownTag("entry kind", u64::from(other))),
    }
}

fn encode_ballot(ballot: Ballot, out: &mut Writer) {
    out.varint(ballot.round).u64(ballot.store.0);
}

fn decode_ballot(input: &mut Reader) -> Result<Ballot, DecodeError> {
    Ok(Ballot::new(input.varint()?, StoreId(input.u64()?)))
}

pub(crate) fn encode_meta(meta: &SnapshotMeta, out: &mut Writer) {
    out.varint(meta.index.0);
    encode_ballot(meta.ballot, out);
    out.bytes(&meta.membership.encode());
}

pub(crate) fn decode_meta(input: &mut Reader) -> Result<SnapshotMeta, DecodeError> {
    let index = decode_index(input)?;
    let ballot = decode_ballot(input)?;
    let membership =
        Membership::decode(&input.bytes()?).map_err(|invalid| DecodeError::Invalid(invalid.0))?;
    Ok(SnapshotMeta { index, ballot, membership })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn any_ballot() -> impl Strategy<Value = Ballot> {
        (any::<u64>(), any::<u64>()).prop_map(|(round, store)| Ballot::new(round, StoreId(store)))
    }

    fn any_meta() -> impl Strategy<Value = SnapshotMeta> {
        let voters = proptest::collection::btree_set(1u64.., 1..5);
        (0..=INDEX_MAX, any_ballot(), voters).prop_map(|(index, ballot, voters)| SnapshotMeta {
            index: LogIndex(index),
            ballot,
            membership: Membership::of_voters(voters.into_iter().map(StoreId)),
        })
    }

    fn any_entries() -> impl Strategy<Value = Vec<Entry>> {
        let one = (any_ballot(), any::<[u64; 3]>(), 0u8..3, any::<Vec<u8>>());
        (0..=INDEX_MAX, proptest::collection::vec(one, 0..5)).prop_map(|(first, parts)| {
            let entry = |(place, (ballot, origin, kind, payload))| {
                let [store, incarnation, sequence]: [u64; 3] = origin;
                Entry {
                    index: LogIndex(first + place as u64),
                    ballot,
                    origin: Origin { store: StoreId(store), incarnation, sequence },
                    kind: decode_kind(kind).unwrap(),
                    payload: Bytes::from(payload),
                }
            };
            parts.into_iter().enumerate().map(entry).collect()
        })
    }

    fn any_record() -> impl Strategy<Value = Record> {
        let group = any::<u64>().prop_map(GroupId);
        prop_oneof![
            (group.clone(), any_entries()).prop_map(|(g, entries)| Record::Entries(g, entries)),
            (group.clone(), any_ballot(), 0..=INDEX_MAX).prop_map(|(g, promised, committed)| {
                Record::HardState(g, HardState { promised, committed: LogIndex(committed) })
            }),
            (group.clone(), 0..=INDEX_MAX).prop_map(|(g, i)| Record::Truncate(g, LogIndex(i))),
            (group.clone(), any_meta(), any::<u64>())
                .prop_map(|(g, m, n)| Record::Install(g, m, n)),
            (group, any_meta()).prop_map(|(g, m)| Record::Compact(g, m)),
        ]
    }

    proptest! {
        #[test]
        fn a_record_survives_a_round_trip_within_its_weight(record in any_record()) {
            let mut writer = Writer::new();
            record.encode(&mut writer);
            prop_assert!(writer.len() <= record.weight_bytes());
            let mut reader = Reader::new(writer.into_bytes());
            prop_assert_eq!(Record::decode(&mut reader), Ok(record));
            prop_assert_eq!(reader.finish(), Ok(()));
        }

        #[test]
        fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
            let _ = Record::decode(&mut Reader::new(Bytes::from(raw)));
        }

        #[test]
        fn a_damaged_record_never_panics(record in any_record(), at: usize, bit in 0u8..8) {
            let mut writer = Writer::new();
            record.encode(&mut writer);
            let mut raw = writer.into_vec();
            let at = at % raw.len();
            raw[at] ^= 1 << bit;
            let _ = Record::decode(&mut Reader::new(Bytes::from(raw)));
        }
    }

    #[test]
    fn a_hostile_count_of_entries_is_refused_before_it_allocates() {
        let mut writer = Writer::new();
        writer.u8(TAG_ENTRIES).varint(1).varint(u64::MAX).varint(1); // group, count, first
        let decoded = Record::decode(&mut Reader::new(writer.into_bytes()));
        assert!(matches!(decoded, Err(DecodeError::OverLimit(_, u64::MAX))));
    }

    #[test]
    fn the_largest_membership_keeps_within_the_weight() {
        let stores = |from: u64| (from..from + 64).map(StoreId).collect();
        let membership =
            Membership { voters: stores(1), outgoing: stores(100), learners: stores(200) };
        let meta = SnapshotMeta { index: LogIndex(INDEX_MAX), ballot: Ballot::ZERO, membership };
        let record = Record::Install(GroupId(u64::MAX), meta, u64::MAX);
        let mut writer = Writer::new();
        record.encode(&mut writer);
        assert!(writer.len() <= record.weight_bytes(), "{}", writer.len());
    }
}
