//! An ordered map that keeps, for each key, the versions that someone may still read.
//!
//! Always holds: a key's versions ascend by sequence; `bytes` is what they weigh together; a
//! version that a later one shadows is queued once, to be swept when no reader can need it.

use super::super::{KeyBounds, is_empty_range};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

/// Numbers the batches of one engine, from 1.
pub(super) type Sequence = u64;

#[derive(Clone, Debug)]
struct Version {
    sequence: Sequence,
    /// `None`: the key was removed.
    value: Option<Bytes>,
}

#[derive(Default)]
pub(super) struct Versions {
    keys: BTreeMap<Bytes, Vec<Version>>,
    /// Keys with something to sweep, and since when: ascending.
    dying: VecDeque<(Sequence, Bytes)>,
    bytes: u64,
}

/// Items of one chunk of a scan, and the bounds that are still to be read.
type Chunk = (Vec<(Bytes, Bytes)>, Option<KeyBounds>);

impl Versions {
    pub(super) fn put(&mut self, key: Bytes, sequence: Sequence, value: Option<Bytes>) {
        let versions = self.keys.entry(key.clone()).or_default();
        if versions.last().is_some_and(|last| last.sequence == sequence) {
            // The same batch changes the key again: the later change wins.
            let replaced = versions.pop().expect("there is a last version");
            self.bytes -= weight(&key, &replaced);
        }
        let shadows = !versions.is_empty() || value.is_none();
        let version = Version { sequence, value };
        self.bytes += weight(&key, &version);
        versions.push(version);
        if shadows {
            self.dying.push_back((sequence, key));
        }
    }

    pub(super) fn get(&self, key: &[u8], at: Sequence) -> Option<Bytes> {
        visible(self.keys.get(key)?, at)
    }

    /// At most `limit` keys, so that one chunk's work is bounded even where every key is dead.
    pub(super) fn chunk(&self, bounds: KeyBounds, at: Sequence, limit: usize) -> Chunk {
        if is_empty_range(&bounds) {
            return (Vec::new(), None);
        }
        let end = bounds.1.clone();
        let (items, last) = collect(self.keys.range(bounds), at, limit);
        (items, last.map(|last| (Bound::Excluded(last), end)))
    }

    /// As [`Versions::chunk`], from the end.
    pub(super) fn chunk_back(&self, bounds: KeyBounds, at: Sequence, limit: usize) -> Chunk {
        if is_empty_range(&bounds) {
            return (Vec::new(), None);
        }
        let start = bounds.0.clone();
        let (items, last) = collect(self.keys.range(bounds).rev(), at, limit);
        (items, last.map(|last| (start, Bound::Excluded(last))))
    }

    /// Drops what no state from `horizon` on shows.
    pub(super) fn sweep(&mut self, horizon: Sequence) {
        while self.dying.front().is_some_and(|(since, _)| *since <= horizon) {
            let (_, key) = self.dying.pop_front().expect("there is a front");
            self.sweep_key(&key, horizon);
        }
    }

    fn sweep_key(&mut self, key: &Bytes, horizon: Sequence) {
        let Some(versions) = self.keys.get_mut(key) else { return };
        let shadowed = versions.partition_point(|version| version.sequence <= horizon);
        // The newest version at or before the horizon is what a reader at the horizon sees.
        for version in versions.drain(..shadowed.saturating_sub(1)) {
            self.bytes -= weight(key, &version);
        }
        let only_removed = versions.len() == 1 && versions[0].value.is_none();
        if only_removed && versions[0].sequence <= horizon {
            self.bytes -= weight(key, &versions[0]);
            self.keys.remove(key);
        }
    }

    /// Drops every version behind `flushed`: they were never durable.
    pub(super) fn forget_after(&mut self, flushed: Sequence) {
        let mut bytes = 0;
        self.keys.retain(|key, versions| {
            versions.retain(|version| version.sequence <= flushed);
            bytes += versions.iter().map(|version| weight(key, version)).sum::<u64>();
            !versions.is_empty()
        });
        self.bytes = bytes;
        self.dying.retain(|(since, _)| *since <= flushed);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.keys.values().map(Vec::len).sum()
    }
}

fn weight(key: &Bytes, version: &Version) -> u64 {
    (key.len() + version.value.as_ref().map_or(0, Bytes::len)) as u64
}

fn visible(versions: &[Version], at: Sequence) -> Option<Bytes> {
    let upto = versions.partition_point(|version| version.sequence <= at);
    versions[..upto].last()?.value.clone()
}

/// What is visible among the first `limit` keys, and the last key looked at if there may be more.
fn collect<'a>(
    keys: impl Iterator<Item = (&'a Bytes, &'a Vec<Version>)>,
    at: Sequence,
    limit: usize,
) -> (Vec<(Bytes, Bytes)>, Option<Bytes>) {
    let mut items = Vec::new();
    let mut last = None;
    let mut looked_at = 0;
    for (key, versions) in keys.take(limit) {
        looked_at += 1;
        last = Some(key.clone());
        items.extend(visible(versions, at).map(|value| (key.clone(), value)));
    }
    (items, last.filter(|_| looked_at == limit))
}
