//! The node's one clock: monotonic, from the process's start.

use std::time::{Duration, Instant as Monotonic};
use synod_consensus::Instant;

/// Gives instants to the parts that have no clock of their own. Copies agree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Monotonic,
}

impl Clock {
    /// Starts at zero.
    pub(crate) fn start() -> Self {
        Self { start: Monotonic::now() }
    }

    /// Now.
    pub(crate) fn now(&self) -> Instant {
        Instant::default().after(self.start.elapsed())
    }

    /// How long until `instant`; `None` if it never comes.
    pub(crate) fn until(&self, instant: Instant) -> Option<Duration> {
        (instant != Instant::NEVER).then(|| instant.since(self.now()))
    }
}
