//! The entries that a stretch of the log leaves behind, replayed in order.

use super::item::Item;
use crate::Record;
use bytes::Bytes;
use std::collections::BTreeMap;
use synod_consensus::{Entry, GroupId, LogIndex};

/// Entries of one group by their index.
pub(super) type Entries = BTreeMap<LogIndex, Entry>;

/// Replays items. Needs no beginning: what a stretch says about an index depends only on the last
/// item in it that touches that index.
#[derive(Default, Debug)]
pub(super) struct Contents {
    pub(super) groups: BTreeMap<GroupId, Entries>,
}

impl Contents {
    pub(super) fn apply(&mut self, item: Item) {
        match item {
            Item::Record(Record::Entries(group, entries)) => {
                let group = self.groups.entry(group).or_default();
                group.extend(entries.into_iter().map(|entry| (entry.index, detach(entry))));
            }
            Item::Record(Record::Truncate(group, from)) => {
                self.groups.entry(group).or_default().split_off(&from);
            }
            Item::Record(Record::Install(group, _, _)) => {
                self.groups.remove(&group);
            }
            Item::Record(Record::Compact(group, meta)) | Item::Base(group, meta, _) => {
                let entries = self.groups.entry(group).or_default();
                *entries = entries.split_off(&meta.index.next());
            }
            Item::Record(Record::HardState(..)) => {}
        }
    }

    /// Takes one group's entries out.
    pub(super) fn take(&mut self, group: GroupId) -> Entries {
        self.groups.remove(&group).unwrap_or_default()
    }
}

/// The entry with a payload of its own: one that shares the segment's buffer would keep all of it
/// in memory.
fn detach(entry: Entry) -> Entry {
    Entry { payload: Bytes::copy_from_slice(&entry.payload), ..entry }
}
