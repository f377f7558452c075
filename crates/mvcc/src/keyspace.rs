//! The writer: one key space, changed by one entry after another.
//!
//! **What always holds.** The effect of an entry and its index become visible, and durable, in one
//! batch, or not at all. What an entry does depends on the state and the entry alone. A command
//! takes exactly one revision if it changes a key and none if it does not; an expiry takes one for
//! each lease that had keys.

mod apply;
mod draft;
mod lease;
mod put;
mod scrub;
mod txn;

pub use scrub::Scrubbed;

use crate::latest::Latest;
use crate::layout::{Kind, Layout, LeaseRecord, State};
use crate::read::Cursor;
use crate::ring::EventRing;
use crate::{Applied, Command, Fatal, KeySpaceBug, KeySpaceOptions, LeaseId, Reader};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use synod_consensus::{Entry, EntryKind, GroupId, LogIndex};
use synod_storage::{Engine, Generation, View, WriteBatch};

/// See the module's text. It has one owner, which applies and scrubs; readers are taken from it.
pub struct KeySpace {
    engine: Arc<dyn Engine>,
    layout: Layout,
    state: State,
    leases: BTreeMap<LeaseId, LeaseRecord>,
    latest: Latest,
    recent: Arc<EventRing>,
    /// The next event that a scrub looks at.
    scrub_cursor: Cursor,
    options: KeySpaceOptions,
}

impl fmt::Debug for KeySpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySpace(applied {}, {:?})", self.state.applied, self.state.revision)
    }
}

impl KeySpace {
    /// Opens a generation of a group, with default options. A generation without any record is a
    /// new key space.
    pub fn open(
        engine: Arc<dyn Engine>,
        group: GroupId,
        generation: Generation,
    ) -> Result<Self, Fatal> {
        Self::open_with(engine, group, generation, KeySpaceOptions::default())
    }

    /// Opens a generation of a group. Reads all leases.
    pub fn open_with(
        engine: Arc<dyn Engine>,
        group: GroupId,
        generation: Generation,
        options: KeySpaceOptions,
    ) -> Result<Self, Fatal> {
        let layout = Layout::new(group, generation);
        let view = engine.view();
        let mut state = match read_state(&*view, &layout)? {
            Some(state) => state,
            None => create(&*engine, &*view, &layout, group, generation)?,
        };
        if options.planted_bug == Some(KeySpaceBug::ApplyTwiceAfterReplay) {
            state.applied = state.applied.previous();
        }
        let leases = read_leases(&*view, &layout)?;
        drop(view);
        let recent = Arc::new(EventRing::new(state.revision, options.recent_events_bytes_max));
        Ok(Self {
            engine,
            layout,
            state,
            leases,
            latest: Latest::new(options.latest_bytes_max),
            recent,
            scrub_cursor: Cursor::at(crate::Revision(0)),
            options,
        })
    }

    /// The last entry that was applied. The host applies the next one.
    #[must_use]
    pub fn applied(&self) -> LogIndex {
        self.state.applied
    }

    /// The state as it is now, to be read by any thread.
    #[must_use]
    pub fn reader(&self) -> Reader {
        let view = self.engine.view();
        Reader::new(view, self.layout.clone(), self.state, Arc::clone(&self.recent))
    }

    /// Applies the next entry of the log; `None` for entries that carry no command. After an error
    /// the replica stops: the state is as before the entry.
    ///
    /// # Panics
    /// If `entry` is not the one behind [`KeySpace::applied`].
    pub fn apply(&mut self, entry: &Entry) -> Result<Option<Applied>, Fatal> {
        assert_eq!(entry.index, self.state.applied.next(), "entries are applied in order, once");
        match entry.kind {
            EntryKind::Noop | EntryKind::Membership => {
                self.apply_nothing(entry.index)?;
                Ok(None)
            }
            EntryKind::Command => {
                let command = Command::decode(entry.payload.clone())
                    .map_err(|cause| Fatal::UnknownCommand { index: entry.index, cause })?;
                self.apply_command(entry.index, &command).map(Some)
            }
        }
    }

    fn has_bug(&self, bug: KeySpaceBug) -> bool {
        self.options.planted_bug == Some(bug)
    }
}

/// The state record; refuses a state that this version cannot read in full.
fn read_state(view: &dyn View, layout: &Layout) -> Result<Option<State>, Fatal> {
    let Some(raw) = view.get(&layout.state())? else { return Ok(None) };
    let state = State::decode(raw)?;
    if state.intents != 0 {
        return Err(Fatal::IntentsPresent { count: state.intents });
    }
    Ok(Some(state))
}

/// Writes a new state, unless there is anything: then its state record is missing.
fn create(
    engine: &dyn Engine,
    view: &dyn View,
    layout: &Layout,
    group: GroupId,
    generation: Generation,
) -> Result<State, Fatal> {
    if let Some(found) = view.scan(layout.everything()).next() {
        found?;
        return Err(Fatal::IncompleteGeneration { group, generation });
    }
    let mut batch = WriteBatch::default();
    batch.put(layout.state(), State::NEW.encode());
    engine.write(batch)?;
    Ok(State::NEW)
}

fn read_leases(view: &dyn View, layout: &Layout) -> Result<BTreeMap<LeaseId, LeaseRecord>, Fatal> {
    let scan = view.scan(layout.all_of(Kind::Lease));
    scan.map(|found| {
        let (key, value) = found?;
        Ok((Layout::split_lease(&key)?.0, LeaseRecord::decode(value)?))
    })
    .collect()
}
