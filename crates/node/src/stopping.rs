//! Why, and that, the node stops: the first reason counts, and everyone hears of it.

use crate::failure::StopReason;
use tokio::sync::watch;

/// Told by any thread, heard by all. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Stopping {
    reason: watch::Sender<Option<StopReason>>,
}

impl Stopping {
    pub(crate) fn new() -> Self {
        Self { reason: watch::Sender::new(None) }
    }

    /// The node must stop. Only the first reason is kept.
    pub(crate) fn stop(&self, reason: StopReason) {
        self.reason.send_if_modified(|kept| {
            let first = kept.is_none();
            if first {
                *kept = Some(reason);
            }
            first
        });
    }

    /// Why it stops, once it does.
    pub(crate) fn reason(&self) -> Option<StopReason> {
        self.reason.borrow().clone()
    }

    /// Waits until it stops.
    pub(crate) async fn stopped(&self) -> StopReason {
        let mut receiver = self.reason.subscribe();
        loop {
            if let Some(reason) = receiver.borrow_and_update().clone() {
                return reason;
            }
            receiver.changed().await.expect("this holds a sender");
        }
    }

    /// Reports the thread called `name` should it panic while the guard lives.
    pub(crate) fn watch_thread(&self, name: &'static str) -> PanicGuard {
        PanicGuard { stopping: self.clone(), name }
    }
}

/// See [`Stopping::watch_thread`].
#[derive(Debug)]
pub(crate) struct PanicGuard {
    stopping: Stopping,
    name: &'static str,
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.stopping.stop(StopReason::Panicked(self.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_counts() {
        let stopping = Stopping::new();
        stopping.stop(StopReason::Disk("full".to_owned()));
        stopping.stop(StopReason::Requested);
        assert_eq!(stopping.reason(), Some(StopReason::Disk("full".to_owned())));
    }

    #[test]
    fn a_panicking_thread_is_named() {
        let stopping = Stopping::new();
        let guarded = stopping.clone();
        let thread = std::thread::spawn(move || {
            let _guard = guarded.watch_thread("apply");
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert_eq!(stopping.reason(), Some(StopReason::Panicked("apply")));
    }
}
