//! Removing the oldest segments, after what is still needed of them was copied to the head.
//!
//! Always holds: a segment is removed only after a durable batch says that it is not needed. That
//! batch comes behind the copies, so it is durable only if they are.

use super::contents::Contents;
use super::frame;
use super::item::{self, Item};
use super::scan::scan;
use super::{Log, LogBug, LogError, RECLAIM_BATCH_BYTES, RECLAIM_MULTIPLE, RECLAIM_SLACK_SEGMENTS};
use crate::Record;
use crate::record::entry_weight_bytes;
use synod_codec::Writer;
use synod_consensus::{Entry, GroupId, LogIndex};

/// What one call of [`Log::reclaim`] did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Reclaimed {
    /// How many segments were removed.
    pub segments: u64,
    /// What was copied forward for it, in bytes of the log.
    pub copied_bytes: u64,
    /// Whether the log is still longer than its bound, so that another call would do more.
    pub more: bool,
}

impl Log {
    /// Removes the oldest segments if nothing in them is needed, and copies one segment's needed
    /// part forward if the log is over its bound ([`RECLAIM_MULTIPLE`]). Reads and writes at most
    /// about one segment and syncs at most a few times, so that appends need not wait long; call it
    /// again while [`Reclaimed::more`] says so.
    pub fn reclaim(&mut self) -> Result<Reclaimed, LogError> {
        self.check_running()?;
        let mut reclaimed = Reclaimed::default();
        let mut first = self.skip_unneeded(self.first);
        if self.is_over_bound(first) && first < self.segments.newest().number {
            let before = self.segments.bytes_from(0);
            self.copy_forward(first)?;
            reclaimed.copied_bytes = self.segments.bytes_from(0) - before;
            first = self.skip_unneeded(first);
        }
        if self.planted_bug == Some(LogBug::ReclaimTooEarly) {
            first = (first + 1).min(self.segments.newest().number);
        }
        if first > self.first {
            reclaimed.segments = self.remove_before(first)?;
        }
        reclaimed.more = self.is_over_bound(self.first);
        Ok(reclaimed)
    }

    /// The oldest segment from `first` on that is needed, or the newest.
    fn skip_unneeded(&self, mut first: u64) -> u64 {
        while first < self.segments.newest().number && !self.index.needs(first) {
            first += 1;
        }
        first
    }

    /// Whether the log from `first` on is longer than it may be for what it retains.
    fn is_over_bound(&self, first: u64) -> bool {
        let slack_bytes = RECLAIM_SLACK_SEGMENTS * self.segments.segment_bytes();
        let bound_bytes = RECLAIM_MULTIPLE * self.index.retained_bytes() + slack_bytes;
        self.segments.bytes_from(first) > bound_bytes
    }

    /// Says durably that the log begins at `first`, and only then removes what is before it.
    fn remove_before(&mut self, first: u64) -> Result<u64, LogError> {
        let marker = frame::begin();
        self.make_room(&marker)?;
        self.first = first;
        self.write_frame(marker, 0)?;
        self.sync()?;
        let removed = self.segments.remove_before(first);
        self.note(removed)
    }

    /// Copies what is needed of `segment` to the head of the log. Afterwards nothing is placed in it.
    fn copy_forward(&mut self, segment: u64) -> Result<(), LogError> {
        let read = self.read_back(segment);
        let contents = self.note(read)?;
        let mut batch = Batch::default();
        for item in self.small_items(segment) {
            self.copy(&mut batch, item)?;
        }
        for (group, entries) in contents.groups {
            let needed =
                |index: &LogIndex| self.index.entry_segment(group, *index) == Some(segment);
            let entries = entries.into_iter().filter(|(index, _)| needed(index));
            let entries: Vec<Entry> = entries.map(|(_, entry)| entry).collect();
            for run in runs(group, entries) {
                self.copy(&mut batch, Item::Record(run))?;
            }
        }
        self.write_copies(&mut batch)?;
        assert!(!self.index.needs(segment), "everything that was needed of it was copied");
        Ok(())
    }

    /// The entries that `segment` leaves behind, read back and verified.
    fn read_back(&self, segment: u64) -> Result<Contents, LogError> {
        let corrupt = |offset| LogError::Corrupt { path: self.segments.path(segment), offset };
        let (header, bytes) = self.segments.read(segment)?;
        let found = scan(&bytes, &header);
        if found.end != self.segments.length(segment) {
            return Err(corrupt(found.end));
        }
        let mut contents = Contents::default();
        for frame in &found.frames {
            let items = item::decode_all(frame).map_err(|_| corrupt(frame.offset))?;
            items.into_iter().for_each(|item| contents.apply(item));
        }
        Ok(contents)
    }

    /// What `segment` holds that is also in memory: hard states, and what logs start behind.
    fn small_items(&self, segment: u64) -> Vec<Item> {
        let mut items = Vec::new();
        for (group, index) in self.index.groups() {
            let base = index.base.as_ref().expect("the log checks that a group has a beginning");
            let generation = index.generation.as_ref().expect("a beginning has a generation");
            if base.place.segment == segment || generation.place.segment == segment {
                items.push(Item::Base(group, base.value.clone(), generation.value));
            }
            let state = index.hard_state.as_ref().filter(|state| state.place.segment == segment);
            items.extend(state.map(|state| Item::Record(Record::HardState(group, state.value))));
        }
        items
    }

    /// Adds an item to the copies, and writes them when they are many.
    fn copy(&mut self, batch: &mut Batch, item: Item) -> Result<(), LogError> {
        item.encode(batch.out.get_or_insert_with(frame::begin));
        batch.items.push(item);
        if batch.bytes() >= RECLAIM_BATCH_BYTES {
            self.write_copies(batch)?;
        }
        Ok(())
    }

    fn write_copies(&mut self, batch: &mut Batch) -> Result<(), LogError> {
        let Batch { out, items } = std::mem::take(batch);
        let Some(out) = out else { return Ok(()) };
        let segment = self.make_room(&out)?;
        for item in &items {
            match item {
                Item::Record(record) => self.index.apply(record, segment),
                Item::Base(group, meta, generation) => {
                    self.index.apply_base(*group, meta, *generation, segment);
                }
            }
        }
        let count = u32::try_from(items.len()).expect("a batch's items are bounded in bytes");
        self.write_frame(out, count)?;
        Ok(())
    }
}

/// Items to copy, and their bytes so far.
#[derive(Default)]
struct Batch {
    out: Option<Writer>,
    items: Vec<Item>,
}

impl Batch {
    fn bytes(&self) -> usize {
        self.out.as_ref().map_or(0, Writer::len)
    }
}

/// Entries in ascending order as records of consecutive ones, none much over the batch's size.
fn runs(group: GroupId, entries: Vec<Entry>) -> Vec<Record> {
    let mut runs: Vec<Vec<Entry>> = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        let weight = entry_weight_bytes(&entry);
        let follows = |last: &Entry| last.index.next() == entry.index;
        match runs.last_mut() {
            Some(run)
                if run.last().is_some_and(follows) && bytes + weight < RECLAIM_BATCH_BYTES =>
            {
                run.push(entry);
                bytes += weight;
            }
            _ => {
                runs.push(vec![entry]);
                bytes = weight;
            }
        }
    }
    runs.into_iter().map(|run| Record::Entries(group, run)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use synod_consensus::{Ballot, EntryKind, Origin};

    fn entry(index: u64, bytes: usize) -> Entry {
        let payload = Bytes::from(vec![1; bytes]);
        let (ballot, origin, kind) = (Ballot::ZERO, Origin::default(), EntryKind::Command);
        Entry { index: LogIndex(index), ballot, origin, kind, payload }
    }

    #[test]
    fn runs_break_at_gaps_and_at_the_batch_size() {
        let half = RECLAIM_BATCH_BYTES / 2;
        let entries = [entry(1, 1), entry(2, 1), entry(4, half), entry(5, half), entry(6, 1)];
        let lengths: Vec<usize> = runs(GroupId(1), entries.to_vec())
            .iter()
            .map(|record| match record {
                Record::Entries(_, entries) => entries.len(),
                _ => 0,
            })
            .collect();
        assert_eq!(lengths, [2, 1, 2]);
    }
}
