//! Walking over the keys that are there at a revision.

use crate::layout::{Layout, VersionRecord, last_of_stem};
use crate::{Fatal, KEY_BYTES_MAX, KeyRange, KeyValue, Revision};
use bytes::Bytes;
use std::ops::Bound;
use synod_storage::{KeyBounds, Scan, View};

/// A key value that was found and not taken apart yet.
pub(crate) struct LiveRecord {
    stem: Bytes,
    revision: Revision,
    record: VersionRecord,
}

impl LiveRecord {
    pub(crate) fn key_value(&self) -> Result<KeyValue, Fatal> {
        self.record.key_value(Layout::user_key_of_stem(&self.stem)?, self.revision)
    }
}

/// After so many versions of one key that are not wanted, seek behind them instead of stepping: a
/// seek costs about as much as a dozen steps.
const STEPS_BEFORE_SEEK: u32 = 16;

/// The keys of a range that are there at a revision, in order.
pub(crate) struct LiveKeys<'a> {
    view: &'a dyn View,
    scan: Scan<'a>,
    end: Bound<Bytes>,
    at: Revision,
    /// The last key whose fate at `at` is known; its older versions are passed over.
    decided: Bytes,
    steps: u32,
}

impl<'a> LiveKeys<'a> {
    pub(crate) fn new(
        view: &'a dyn View,
        layout: &Layout,
        range: &KeyRange,
        at: Revision,
    ) -> LiveKeys<'a> {
        let (start, end) = layout.versions_of(range);
        let scan = view.scan((start, end.clone()));
        Self { view, scan, end, at, decided: Bytes::new(), steps: 0 }
    }

    /// Counts a version that is not wanted; seeks to `target` after too many of them.
    fn pass_over(&mut self, target: impl FnOnce() -> Bound<Bytes>) {
        self.steps += 1;
        if self.steps > STEPS_BEFORE_SEEK {
            self.steps = 0;
            self.scan = self.view.scan((target(), self.end.clone()));
        }
    }

    /// The next record, if it decides its key and the key is there.
    fn visit(&mut self, key: &Bytes, value: Bytes) -> Result<Option<LiveRecord>, Fatal> {
        let (stem, revision) = Layout::split_version(key)?;
        if stem == self.decided {
            self.pass_over(|| Bound::Excluded(last_of_stem(&stem)));
            return Ok(None);
        }
        if revision > self.at {
            let at = self.at;
            self.pass_over(|| Layout::versions_up_to(&stem, at).0);
            return Ok(None);
        }
        self.steps = 0;
        self.decided = stem.clone();
        let record = VersionRecord::new(value)?;
        Ok((!record.is_tombstone()).then_some(LiveRecord { stem, revision, record }))
    }
}

impl Iterator for LiveKeys<'_> {
    type Item = Result<LiveRecord, Fatal>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let found = match self.scan.next()? {
                Ok((key, value)) => self.visit(&key, value),
                Err(error) => Err(error.into()),
            };
            if let Some(found) = found.transpose() {
                return Some(found);
            }
        }
    }
}

/// One key as it is at a revision.
pub(crate) fn newest_at(
    view: &dyn View,
    layout: &Layout,
    key: &[u8],
    at: Revision,
) -> Result<Option<KeyValue>, Fatal> {
    if key.len() > KEY_BYTES_MAX {
        return Ok(None);
    }
    let stem = layout.stem(key);
    let bounds: KeyBounds = Layout::versions_up_to(&stem, at);
    let Some(found) = view.scan(bounds).next() else { return Ok(None) };
    let (found_key, value) = found?;
    let record = VersionRecord::new(value)?;
    if record.is_tombstone() {
        return Ok(None);
    }
    let (stem, revision) = Layout::split_version(&found_key)?;
    record.key_value(Layout::user_key_of_stem(&stem)?, revision).map(Some)
}
