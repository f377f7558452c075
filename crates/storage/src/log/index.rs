//! Which segment holds what is still needed of each group.
//!
//! Always holds: an item is *placed* in the segment that holds the last record that set it, so the
//! log from some segment on is enough exactly if nothing is placed before it. `live` is the weight
//! of what is placed in each segment. Replaying needs no beginning, as in `Contents`.

use crate::record::entry_weight_bytes;
use crate::{Generation, Record};
use std::collections::BTreeMap;
use synod_consensus::{Entry, GroupId, HardState, LogIndex, SnapshotMeta};

/// What a hard state weighs, in bytes: about its encoded length.
const HARD_STATE_WEIGHT_BYTES: u32 = 32;

/// What the meta-data that a log starts behind weighs: about its encoded length with five voters.
const BASE_WEIGHT_BYTES: u32 = 96;

/// Where something is, and what it weighs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) segment: u64,
    bytes: u32,
}

/// A small value that is kept in memory with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// One group's part of the index.
#[derive(Clone, Default, Debug)]
pub(super) struct GroupIndex {
    /// What the log starts behind; `None` only while a replay has not reached it.
    pub(super) base: Option<Placed<SnapshotMeta>>,
    pub(super) generation: Option<Placed<Generation>>,
    pub(super) hard_state: Option<Placed<HardState>>,
    pub(super) entries: BTreeMap<LogIndex, Place>,
}

impl GroupIndex {
    fn base_index(&self) -> LogIndex {
        self.base.as_ref().map_or(LogIndex::ZERO, |base| base.value.index)
    }

    /// The last position of the group's log.
    fn last(&self) -> LogIndex {
        self.entries.keys().next_back().copied().unwrap_or_default().max(self.base_index())
    }
}

/// The weight of what is placed in each segment, in bytes.
#[derive(Clone, Default, Debug)]
struct Live {
    by_segment: BTreeMap<u64, u64>,
    total: u64,
}

impl Live {
    fn add(&mut self, place: Place) {
        *self.by_segment.entry(place.segment).or_insert(0) += u64::from(place.bytes);
        self.total += u64::from(place.bytes);
    }

    fn remove(&mut self, place: Place) {
        let bytes = self.by_segment.get_mut(&place.segment).expect("what is placed was added");
        *bytes -= u64::from(place.bytes);
        self.total -= u64::from(place.bytes);
        if *bytes == 0 {
            self.by_segment.remove(&place.segment);
        }
    }

    fn remove_all<'a>(&mut self, places: impl Iterator<Item = &'a Place>) {
        places.for_each(|place| self.remove(*place));
    }
}

/// See the module's text.
#[derive(Clone, Default, Debug)]
pub(super) struct Index {
    groups: BTreeMap<GroupId, GroupIndex>,
    live: Live,
}

impl Index {
    pub(super) fn groups(&self) -> impl Iterator<Item = (GroupId, &GroupIndex)> {
        self.groups.iter().map(|(group, index)| (*group, index))
    }

    /// The weight of everything that is needed, in bytes.
    pub(super) fn retained_bytes(&self) -> u64 {
        self.live.total
    }

    /// Whether something that is needed is placed in `segment`.
    pub(super) fn needs(&self, segment: u64) -> bool {
        self.live.by_segment.contains_key(&segment)
    }

    /// Where the entry is placed, if there is one.
    pub(super) fn entry_segment(&self, group: GroupId, index: LogIndex) -> Option<u64> {
        Some(self.groups.get(&group)?.entries.get(&index)?.segment)
    }

    /// Takes note of a record in `segment`.
    pub(super) fn apply(&mut self, record: &Record, segment: u64) {
        let group = self.groups.entry(record.group()).or_default();
        match record {
            Record::Entries(_, entries) => {
                entries.iter().for_each(|entry| place_entry(group, &mut self.live, entry, segment));
            }
            Record::HardState(_, state) => {
                let place = Place { segment, bytes: HARD_STATE_WEIGHT_BYTES };
                place_value(&mut group.hard_state, &mut self.live, *state, place);
            }
            Record::Truncate(_, from) => {
                self.live.remove_all(group.entries.split_off(from).values());
            }
            Record::Install(_, meta, generation) => {
                self.live.remove_all(std::mem::take(&mut group.entries).values());
                place_base(group, &mut self.live, meta, segment);
                place_generation(group, &mut self.live, *generation, segment);
            }
            Record::Compact(_, meta) => {
                drop_prefix(group, &mut self.live, meta.index);
                place_base(group, &mut self.live, meta, segment);
            }
        }
    }

    /// Takes note of what the log starts behind, said again in `segment`.
    pub(super) fn apply_base(
        &mut self,
        group: GroupId,
        meta: &SnapshotMeta,
        generation: Generation,
        segment: u64,
    ) {
        let group = self.groups.entry(group).or_default();
        drop_prefix(group, &mut self.live, meta.index);
        place_base(group, &mut self.live, meta, segment);
        place_generation(group, &mut self.live, generation, segment);
    }

    /// Holds a caller to its word before anything is written.
    ///
    /// # Panics
    /// If the record does not fit what the log holds: a bug above, which must not reach the disk.
    pub(super) fn check(&self, record: &Record) {
        let group = record.group();
        if matches!(record, Record::Install(..)) {
            return;
        }
        let Some(index) = self.groups.get(&group) else {
            panic!("the first record of group {group} is not an Install: {record:?}");
        };
        let (base, last) = (index.base_index(), index.last());
        match record {
            Record::Entries(_, entries) => {
                let Some(first) = entries.first().map(|entry| entry.index) else { return };
                assert!(first > base, "group {group}: entry {first} is not behind {base}");
                assert!(first <= last.next(), "group {group}: a gap before entry {first}");
            }
            Record::Truncate(_, from) => {
                assert!(*from > base, "group {group}: truncated at {from}, not behind {base}");
            }
            Record::Compact(_, meta) => {
                let fits = (base..=last).contains(&meta.index);
                assert!(fits, "group {group}: compacted to {}, not {base}..={last}", meta.index);
            }
            Record::HardState(..) | Record::Install(..) => {}
        }
    }
}

fn place_value<T>(slot: &mut Option<Placed<T>>, live: &mut Live, value: T, place: Place) {
    live.add(place);
    if let Some(old) = slot.replace(Placed { value, place }) {
        live.remove(old.place);
    }
}

fn place_base(group: &mut GroupIndex, live: &mut Live, meta: &SnapshotMeta, segment: u64) {
    let place = Place { segment, bytes: BASE_WEIGHT_BYTES };
    place_value(&mut group.base, live, meta.clone(), place);
}

fn place_generation(group: &mut GroupIndex, live: &mut Live, value: Generation, segment: u64) {
    let place = Place { segment, bytes: BASE_WEIGHT_BYTES };
    place_value(&mut group.generation, live, value, place);
}

fn place_entry(group: &mut GroupIndex, live: &mut Live, entry: &Entry, segment: u64) {
    let bytes = u32::try_from(entry_weight_bytes(entry)).expect("BATCH_BYTES_MAX bounds an entry");
    let place = Place { segment, bytes };
    live.add(place);
    if let Some(old) = group.entries.insert(entry.index, place) {
        live.remove(old);
    }
}

fn drop_prefix(group: &mut GroupIndex, live: &mut Live, upto: LogIndex) {
    let kept = group.entries.split_off(&upto.next());
    let dropped = std::mem::replace(&mut group.entries, kept);
    live.remove_all(dropped.values());
}
