//! The flush thread: makes the engine durable from time to time, so that the log can be reclaimed
//! and a restart is short.
//!
//! Always holds: what is reported flushed was applied before the flush began.

use crate::board::Board;
use crate::core::Inbox;
use crate::failure::StopReason;
use crate::limits::{FLUSH_BYTES, FLUSH_CHECK_INTERVAL};
use crate::stopping::Stopping;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use synod_storage::{Engine, EngineError};

/// Wakes the flush thread, and those that wait for it.
#[derive(Debug, Default)]
pub(crate) struct FlushSignal {
    state: Mutex<SignalState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct SignalState {
    asked: bool,
    ended: bool,
}

impl FlushSignal {
    /// Asks for a flush and waits a moment for it.
    pub(crate) fn ask_and_wait(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asked = true;
        self.changed.notify_all();
        let waiting = self
            .changed
            .wait_timeout_while(state, FLUSH_CHECK_INTERVAL, |state| state.asked && !state.ended);
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
    }

    /// Ends the thread.
    pub(crate) fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.changed.notify_all();
    }

    /// Waits until the next look at the engine is due: whether a flush was asked for, and whether
    /// the thread is to end.
    fn wait(&self) -> (bool, bool) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = self
            .changed
            .wait_timeout_while(state, FLUSH_CHECK_INTERVAL, |state| !state.asked && !state.ended);
        let state = waiting.unwrap_or_else(PoisonError::into_inner).0;
        (state.asked, state.ended)
    }

    fn done(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).asked = false;
        self.changed.notify_all();
    }
}

/// What the thread is given.
pub(crate) struct FlushThread {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) board: Arc<Board>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) signal: Arc<FlushSignal>,
    pub(crate) stopping: Stopping,
    pub(crate) interval: Duration,
}

impl FlushThread {
    /// Runs until the signal ends it or the engine fails.
    pub(crate) fn run(self) {
        let mut flushed_at = Instant::now();
        loop {
            let (asked, ended) = self.signal.wait();
            if ended {
                return;
            }
            let bytes = self.engine.unflushed_bytes();
            let late = flushed_at.elapsed() >= self.interval && bytes > 0;
            if asked || late || bytes >= FLUSH_BYTES {
                if let Err(error) = self.flush() {
                    self.stopping.stop(StopReason::Disk(error.to_string()));
                    return;
                }
                flushed_at = Instant::now();
                self.signal.done();
            }
        }
    }

    fn flush(&self) -> Result<(), EngineError> {
        let applied = self.board.applied();
        self.engine.flush()?;
        self.inbox.flushed(&applied);
        Ok(())
    }
}
