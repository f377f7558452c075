//! What a range answers: filters, order and limit, as etcd has them.

use super::live::{LiveKeys, newest_at};
use crate::layout::Layout;
use crate::{
    Fatal, KeyRange, KeyValue, Range, RangeEnd, RangeReply, Revision, RevisionFilter, SortBy,
};
use bytes::Bytes;
use std::cmp::Ordering;
use synod_storage::View;

/// Where to read from.
pub(crate) struct Selection<'a> {
    pub(crate) view: &'a dyn View,
    pub(crate) layout: &'a Layout,
}

impl Selection<'_> {
    /// The answer to a range at a revision that can be read.
    pub(crate) fn read(&self, range: &Range, at: Revision) -> Result<RangeReply, Fatal> {
        if range.range.end == RangeEnd::Single {
            return Ok(select(self.single(&range.range, at)?, range));
        }
        if needs_everything(range) {
            return Ok(select(self.all(&range.range, at)?, range));
        }
        self.first(range, at)
    }

    /// The one key of a range, as a list.
    fn single(&self, range: &KeyRange, at: Revision) -> Result<Vec<KeyValue>, Fatal> {
        Ok(newest_at(self.view, self.layout, &range.start, at)?.into_iter().collect())
    }

    /// Every key of a range that is there at the revision.
    pub(crate) fn all(&self, range: &KeyRange, at: Revision) -> Result<Vec<KeyValue>, Fatal> {
        if range.end == RangeEnd::Single {
            return self.single(range, at);
        }
        LiveKeys::new(self.view, self.layout, range, at).map(|found| found?.key_value()).collect()
    }

    /// The first keys up to the limit; the rest is counted without being taken apart.
    fn first(&self, range: &Range, at: Revision) -> Result<RangeReply, Fatal> {
        let mut reply = RangeReply::default();
        for found in LiveKeys::new(self.view, self.layout, &range.range, at) {
            let found = found?;
            reply.count += 1;
            if range.count_only {
                continue;
            }
            if range.limit != 0 && reply.count > range.limit {
                reply.more = true;
            } else {
                reply.keys.push(found.key_value()?);
            }
        }
        strip_values(&mut reply.keys, range);
        Ok(reply)
    }
}

/// Whether a limit can be applied only after all keys are known.
pub(crate) fn needs_everything(range: &Range) -> bool {
    let filtered = range.mod_revision != RevisionFilter::default()
        || range.create_revision != RevisionFilter::default();
    !range.count_only && (filtered || range.descending || range.sort_by != SortBy::Key)
}

/// The answer, out of all keys of the range in their order.
pub(crate) fn select(mut keys: Vec<KeyValue>, range: &Range) -> RangeReply {
    let count = keys.len() as u64;
    if range.count_only {
        return RangeReply { keys: Vec::new(), more: false, count };
    }
    keys.retain(|kv| {
        range.mod_revision.holds(kv.mod_revision) && range.create_revision.holds(kv.create_revision)
    });
    sort(&mut keys, range);
    let limit = usize::try_from(range.limit).unwrap_or(usize::MAX);
    let more = limit != 0 && keys.len() > limit;
    if more {
        keys.truncate(limit);
    }
    strip_values(&mut keys, range);
    RangeReply { keys, more, count }
}

fn strip_values(keys: &mut [KeyValue], range: &Range) {
    if range.keys_only {
        for kv in keys {
            kv.value = Bytes::new();
        }
    }
}

/// Equal ones stay in the order of their keys, whichever way the sort goes.
fn sort(keys: &mut [KeyValue], range: &Range) {
    keys.sort_by(|a, b| {
        let order = compare_by(a, b, range.sort_by);
        if range.descending { order.reverse() } else { order }
    });
}

fn compare_by(a: &KeyValue, b: &KeyValue, sort_by: SortBy) -> Ordering {
    match sort_by {
        SortBy::Key => a.key.cmp(&b.key),
        SortBy::Version => a.version.cmp(&b.version),
        SortBy::Create => a.create_revision.cmp(&b.create_revision),
        SortBy::Mod => a.mod_revision.cmp(&b.mod_revision),
        SortBy::Value => a.value.cmp(&b.value),
    }
}

impl RevisionFilter {
    /// Whether `revision` lies within.
    #[must_use]
    pub fn holds(&self, revision: Revision) -> bool {
        self.min.is_none_or(|min| revision >= min) && self.max.is_none_or(|max| revision <= max)
    }
}
