//! What one entry is about to change: gathered first, written at once.
//!
//! Always holds: reads through a draft see the state before the entry and everything drafted since;
//! nothing of it is visible to anybody else until it is written, and dropping it changes nothing.

use crate::latest::Latest;
use crate::layout::{EventKind, EventRecord, Layout, State, put_record, tombstone_record};
use crate::read::{CompareSource, Selection, attached_keys, newest_at, read_revision, select};
use crate::ring::{KnownEvent, RevisionEvents};
use crate::{Event, Fatal, KeyRange, KeyValue, LeaseId, Range, RangeReply, Revision};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_storage::{Engine, View, WriteBatch};

/// See the module's text.
pub(super) struct Draft<'a> {
    engine: &'a dyn Engine,
    layout: &'a Layout,
    /// The state before the entry.
    before: &'a State,
    latest: &'a Latest,
    /// Taken when it is first needed; most puts of known keys never need it.
    view: Option<Arc<dyn View>>,
    changes: Changes,
    /// Whether a put without lease detaches: false only as a planted bug.
    detaches: bool,
}

/// What a draft has gathered.
pub(super) struct Changes {
    pub(super) state: State,
    pub(super) batch: WriteBatch,
    /// What changed keys are now.
    pub(super) keys: BTreeMap<Bytes, Option<KeyValue>>,
    /// Finished revisions, in order.
    pub(super) revisions: Vec<RevisionEvents>,
    /// Events of the revision being drafted.
    current: Vec<KnownEvent>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        engine: &'a dyn Engine,
        layout: &'a Layout,
        before: &'a State,
        latest: &'a Latest,
        detaches: bool,
    ) -> Self {
        let changes = Changes {
            state: *before,
            batch: WriteBatch::default(),
            keys: BTreeMap::new(),
            revisions: Vec::new(),
            current: Vec::new(),
        };
        Self { engine, layout, before, latest, view: None, changes, detaches }
    }

    /// The state before the entry.
    pub(super) fn before(&self) -> &State {
        self.before
    }

    /// The state after the entry.
    pub(super) fn state_mut(&mut self) -> &mut State {
        &mut self.changes.state
    }

    pub(super) fn batch_mut(&mut self) -> &mut WriteBatch {
        &mut self.changes.batch
    }

    /// The revision that drafted events belong to.
    pub(super) fn revision(&self) -> Revision {
        self.changes.state.revision.next()
    }

    /// Ends the revision being drafted; it counts only if something changed.
    pub(super) fn end_revision(&mut self) {
        if self.changes.current.is_empty() {
            return;
        }
        let revision = self.revision();
        let events = std::mem::take(&mut self.changes.current);
        self.changes.revisions.push(RevisionEvents { revision, events });
        self.changes.state.revision = revision;
    }

    /// Everything gathered, and nothing held of the engine.
    pub(super) fn finish(mut self) -> Changes {
        self.end_revision();
        self.changes
    }

    fn view(&mut self) -> &dyn View {
        &**self.view.get_or_insert_with(|| self.engine.view())
    }

    /// The key as it is now.
    pub(super) fn current(&mut self, key: &Bytes) -> Result<Option<KeyValue>, Fatal> {
        if let Some(drafted) = self.changes.keys.get(key) {
            return Ok(drafted.clone());
        }
        if let Some(known) = self.latest.get(key) {
            return Ok(known.clone());
        }
        let (layout, at) = (self.layout, self.before.revision);
        newest_at(self.view(), layout, key, at)
    }

    /// Every key of the range as it is now.
    fn current_range(&mut self, range: &KeyRange) -> Result<Vec<KeyValue>, Fatal> {
        let (layout, at) = (self.layout, self.before.revision);
        let stored = Selection { view: self.view(), layout }.all(range, at)?;
        if !self.changed_within(range) {
            return Ok(stored);
        }
        let mut keys: BTreeMap<Bytes, KeyValue> =
            stored.into_iter().map(|kv| (kv.key.clone(), kv)).collect();
        for (key, value) in self.changes.keys.iter().filter(|(key, _)| range.contains(key)) {
            match value {
                Some(kv) => keys.insert(key.clone(), kv.clone()),
                None => keys.remove(key),
            };
        }
        Ok(keys.into_values().collect())
    }

    fn changed_within(&self, range: &KeyRange) -> bool {
        self.changes.keys.keys().any(|key| range.contains(key))
    }

    /// The answer to a range whose revision was checked.
    pub(super) fn read(&mut self, range: &Range) -> Result<RangeReply, Fatal> {
        let newest = crate::read::asked_revision(range.revision).is_none();
        if newest && self.changed_within(&range.range) {
            return Ok(select(self.current_range(&range.range)?, range));
        }
        let (layout, at) = (self.layout, read_revision(self.before, range.revision));
        Selection { view: self.view(), layout }.read(range, at)
    }

    /// The keys attached to a lease before the entry.
    pub(super) fn attached(&mut self, lease: LeaseId) -> Result<Vec<Bytes>, Fatal> {
        let layout = self.layout;
        attached_keys(self.view(), layout, lease)
    }

    /// Writes a key whose present value is `previous`.
    pub(super) fn write(
        &mut self,
        key: &Bytes,
        value: Bytes,
        lease: LeaseId,
        previous: Option<KeyValue>,
    ) {
        let revision = self.revision();
        let (create_revision, version) = match &previous {
            Some(previous) => (previous.create_revision, previous.version + 1),
            None => (revision, 1),
        };
        let superseded = previous.as_ref().map(|kv| kv.mod_revision);
        let (event, key) = EventRecord::encode(EventKind::Put, superseded, key);
        let mut kv =
            KeyValue { key, value, create_revision, mod_revision: revision, version, lease };
        let record = put_record(&mut kv);
        self.attach(&kv.key, lease, previous.as_ref().map_or(LeaseId::NONE, |kv| kv.lease));
        let happened = KnownEvent { event: Event::Put(kv.clone()), previous };
        self.record(kv.key.clone(), record, event, happened, Some(kv));
    }

    /// Deletes a key that is there.
    pub(super) fn delete(&mut self, previous: KeyValue) {
        let revision = self.revision();
        let superseded = Some(previous.mod_revision);
        let (event, key) = EventRecord::encode(EventKind::Delete, superseded, &previous.key);
        self.attach(&key, LeaseId::NONE, previous.lease);
        let happened = KnownEvent {
            event: Event::Delete { key: key.clone(), revision },
            previous: Some(previous),
        };
        self.record(key, tombstone_record(), event, happened, None);
    }

    fn record(
        &mut self,
        key: Bytes,
        version: Bytes,
        event: Bytes,
        happened: KnownEvent,
        now: Option<KeyValue>,
    ) {
        let revision = self.revision();
        let sub_revision = u32::try_from(self.changes.current.len())
            .expect("a revision has fewer events than memory has bytes");
        self.changes.batch.put(self.layout.version(&key, revision), version);
        self.changes.batch.put(self.layout.event(revision, sub_revision), event);
        self.changes.current.push(happened);
        self.changes.keys.insert(key, now);
    }

    /// Moves a key from one lease to another; either may be none.
    fn attach(&mut self, key: &Bytes, to: LeaseId, from: LeaseId) {
        if from == to {
            return;
        }
        if from != LeaseId::NONE && (self.detaches || to != LeaseId::NONE) {
            self.changes.batch.remove(self.layout.attachment(from, key));
        }
        if to != LeaseId::NONE {
            self.changes.batch.put(self.layout.attachment(to, key), Bytes::new());
        }
    }

    /// Every key of a range that is to be deleted.
    pub(super) fn deletable(&mut self, range: &KeyRange) -> Result<Vec<KeyValue>, Fatal> {
        match range.end {
            crate::RangeEnd::Single => Ok(self.current(&range.start)?.into_iter().collect()),
            _ => self.current_range(range),
        }
    }
}

impl CompareSource for Draft<'_> {
    fn one(&mut self, key: &Bytes) -> Result<Option<KeyValue>, Fatal> {
        self.current(key)
    }

    fn all(&mut self, range: &KeyRange) -> Result<Vec<KeyValue>, Fatal> {
        self.current_range(range)
    }
}
