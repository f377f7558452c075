//! What the twin answers to reads.

use super::Twin;
use crate::{Event, EventAndPrevious, KeyValue, Range, RangeReply, Refusal, Revision, SortBy};
use bytes::Bytes;
use std::collections::BTreeMap;

impl Twin {
    /// Reads keys.
    pub fn range(&self, range: &Range) -> Result<RangeReply, Refusal> {
        self.check_revision(range.revision)?;
        Ok(self.read(range))
    }

    /// Every event from `from` to `to`, both included, and what its key was before.
    pub fn events(&self, from: Revision, to: Revision) -> Result<Vec<EventAndPrevious>, Refusal> {
        if from < self.compact_revision {
            return Err(Refusal::Compacted { at: self.compact_revision });
        }
        let within = self.history.iter().filter(|e| e.revision() >= from && e.revision() <= to);
        Ok(within.map(|event| (event.clone(), self.previous(event))).collect())
    }

    /// Every event ever, in order, compacted or not.
    #[must_use]
    pub fn history(&self) -> &[Event] {
        &self.history
    }

    /// What the event's key was before it; nothing if that is compacted.
    #[must_use]
    pub fn previous(&self, event: &Event) -> Option<KeyValue> {
        let before = Revision(event.revision().0 - 1);
        if before < self.compact_revision {
            return None;
        }
        self.keys_at(before).remove(event.key())
    }

    /// Every key as it was at a revision, compacted or not.
    #[must_use]
    pub fn keys_at(&self, revision: Revision) -> BTreeMap<Bytes, KeyValue> {
        let mut keys = BTreeMap::new();
        for event in self.history.iter().take_while(|event| event.revision() <= revision) {
            match event {
                Event::Put(kv) => keys.insert(kv.key.clone(), kv.clone()),
                Event::Delete { key, .. } => keys.remove(key),
            };
        }
        keys
    }

    pub(super) fn check_revision(&self, revision: Option<Revision>) -> Result<(), Refusal> {
        let Some(Revision(asked @ 1..)) = revision else { return Ok(()) };
        if asked > self.revision.0 {
            return Err(Refusal::FutureRevision);
        }
        if asked < self.compact_revision.0 {
            return Err(Refusal::Compacted { at: self.compact_revision });
        }
        Ok(())
    }

    pub(super) fn read(&self, range: &Range) -> RangeReply {
        let mut keys: Vec<KeyValue> = match range.revision {
            Some(revision) if revision.0 > 0 => self.keys_at(revision).into_values().collect(),
            _ => self.live.values().cloned().collect(),
        };
        keys.retain(|kv| range.range.contains(&kv.key));
        let count = keys.len() as u64;
        if range.count_only {
            return RangeReply { keys: Vec::new(), more: false, count };
        }
        keys.retain(|kv| passes(range, kv));
        keys.sort_by(|a, b| {
            let (a, b) = if range.descending { (b, a) } else { (a, b) };
            rank(range.sort_by, a).cmp(&rank(range.sort_by, b))
        });
        let more = range.limit > 0 && keys.len() as u64 > range.limit;
        if more {
            keys.drain(range.limit as usize..);
        }
        if range.keys_only {
            keys.iter_mut().for_each(|kv| kv.value = Bytes::new());
        }
        RangeReply { keys, more, count }
    }
}

fn passes(range: &Range, kv: &KeyValue) -> bool {
    range.mod_revision.min.is_none_or(|min| min <= kv.mod_revision)
        && range.mod_revision.max.is_none_or(|max| kv.mod_revision <= max)
        && range.create_revision.min.is_none_or(|min| min <= kv.create_revision)
        && range.create_revision.max.is_none_or(|max| kv.create_revision <= max)
}

/// What keys are ordered by: a number, then bytes; one of them is always the same.
fn rank(sort_by: SortBy, kv: &KeyValue) -> (i64, Bytes) {
    match sort_by {
        SortBy::Key => (0, kv.key.clone()),
        SortBy::Version => (kv.version, Bytes::new()),
        SortBy::Create => (kv.create_revision.0, Bytes::new()),
        SortBy::Mod => (kv.mod_revision.0, Bytes::new()),
        SortBy::Value => (0, kv.value.clone()),
    }
}
