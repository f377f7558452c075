//! The thread that merges flushed tables, so that reads need not look into many.
//!
//! Always holds: it works only when a flush woke it; [`Compactor::wait_while_behind`] holds a
//! flusher back rather than let unmerged tables pile up; dropping it waits for the thread.

use super::super::EngineError;
use super::{Shared, failed};
use lsm_tree::AbstractTree;
use lsm_tree::compaction::{CompactionStrategy, Leveled};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Flushes wait while more runs than this are unmerged. The strategy starts merging at four; three
/// times as many still read fast enough.
const UNMERGED_RUNS_MAX: usize = 12;

/// One waking does at most so many merges; the next flush wakes again. Each level can need one
/// after the level above it, and there are seven.
const MERGES_PER_WAKING_MAX: usize = 16;

pub(super) struct Compactor {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    has_work: bool,
    is_merging: bool,
    is_stopping: bool,
    /// How many unmerged runs there were when the thread last looked.
    unmerged: usize,
    /// The thread failed, or ended: nobody waits for it any more.
    has_ended: bool,
}

impl Compactor {
    pub(super) fn start(shared: Arc<Shared>) -> Result<Self, EngineError> {
        let signal = Arc::new(Signal::default());
        let for_thread = signal.clone();
        let thread = std::thread::Builder::new()
            .name("engine-compaction".to_owned())
            .spawn(move || work(&shared, &for_thread))
            .map_err(|error| EngineError(format!("cannot start the compaction thread: {error}")))?;
        Ok(Self { signal, thread: Some(thread) })
    }

    /// Something was flushed.
    pub(super) fn wake(&self) {
        let mut state = self.signal.lock();
        state.has_work = true;
        state.unmerged += 1;
        self.signal.changed.notify_all();
    }

    /// Returns once no more than [`UNMERGED_RUNS_MAX`] runs are unmerged.
    pub(super) fn wait_while_behind(&self) {
        let behind = |state: &mut State| {
            let may_shrink = (state.has_work || state.is_merging) && !state.has_ended;
            state.unmerged > UNMERGED_RUNS_MAX && may_shrink
        };
        let state = self.signal.lock();
        drop(self.signal.changed.wait_while(state, behind).unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Compactor {
    fn drop(&mut self) {
        self.signal.lock().is_stopping = true;
        self.signal.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the thread itself, and ended only the merging.
            let _ = thread.join();
        }
    }
}

impl Signal {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work and takes it; false when the engine closes.
    fn take_work(&self) -> bool {
        let idle = |state: &mut State| !state.has_work && !state.is_stopping;
        let waited = self.changed.wait_while(self.lock(), idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.has_work = false;
        state.is_merging = true;
        !state.is_stopping
    }

    fn finish_work(&self) {
        self.lock().is_merging = false;
        self.changed.notify_all();
    }

    fn report(&self, unmerged: usize) {
        let mut state = self.lock();
        state.unmerged = unmerged;
        self.changed.notify_all();
    }

    fn is_stopping(&self) -> bool {
        self.lock().is_stopping
    }
}

/// Says that the thread has ended, however it ends.
struct Ending<'a>(&'a Signal);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.lock().has_ended = true;
        self.0.changed.notify_all();
    }
}

fn work(shared: &Shared, signal: &Signal) {
    let _ending = Ending(signal);
    let strategy: Arc<dyn CompactionStrategy> = Arc::new(Leveled::default());
    while signal.take_work() {
        if shared.note(merge(shared, signal, &strategy)).is_err() {
            return;
        }
        signal.finish_work();
    }
}

/// Merges until the tree finds nothing more to do.
fn merge(
    shared: &Shared,
    signal: &Signal,
    strategy: &Arc<dyn CompactionStrategy>,
) -> Result<(), EngineError> {
    for _ in 0..MERGES_PER_WAKING_MAX {
        let before = shared.tree.current_version().id();
        let merged = shared.tree.compact(strategy.clone(), shared.views.oldest());
        merged.map_err(|error| failed("compacting", &error))?;
        shared.advance_past_file_change();
        signal.report(shared.tree.l0_run_count());
        if shared.tree.current_version().id() == before || signal.is_stopping() {
            break;
        }
    }
    Ok(())
}
