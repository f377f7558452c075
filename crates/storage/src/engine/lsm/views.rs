//! Which sequence numbers are being read, so that nothing they see is dropped.

use super::Sequence;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// See the module's text.
pub(super) struct Views {
    state: Mutex<State>,
}

struct State {
    /// What a new view gets: it sees every batch below.
    visible: Sequence,
    /// How many views there are of each number.
    open: BTreeMap<Sequence, usize>,
}

impl Views {
    pub(super) fn new(visible: Sequence) -> Self {
        Self { state: Mutex::new(State { visible, open: BTreeMap::new() }) }
    }

    /// Every batch below `visible` is written whole.
    pub(super) fn advance(&self, visible: Sequence) {
        let mut state = self.lock();
        assert!(visible >= state.visible, "what was visible stays so");
        state.visible = visible;
    }

    /// Takes a view of everything that is visible, and keeps it until [`Views::close`].
    pub(super) fn open(&self) -> Sequence {
        let mut state = self.lock();
        let sequence = state.visible;
        *state.open.entry(sequence).or_insert(0) += 1;
        sequence
    }

    pub(super) fn close(&self, sequence: Sequence) {
        let mut state = self.lock();
        let count = state.open.get_mut(&sequence).expect("a view is closed once");
        *count -= 1;
        if *count == 0 {
            state.open.remove(&sequence);
        }
    }

    /// Nobody reads, nor will read, below this number.
    pub(super) fn oldest(&self) -> Sequence {
        let state = self.lock();
        state.open.keys().next().copied().unwrap_or(state.visible)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
