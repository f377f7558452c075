//! What one thread hands to another: taken whole, weighed in bytes.
//!
//! It never blocks the giver: the core must not wait for a disk. Whoever gives looks at
//! [`Queue::bytes`] and stops giving above a named bound.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A queue with one taker.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
    bytes: AtomicUsize,
}

#[derive(Debug)]
struct State<T> {
    items: Vec<T>,
    closed: bool,
}

/// What a taker got.
#[derive(Debug)]
pub(crate) enum Taken<T> {
    /// Everything that waited, in order; empty if the time ran out.
    Items(Vec<T>),
    /// The queue is closed; what still waited is dropped.
    Closed,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let state = State { items: Vec::new(), closed: false };
        Self { state: Mutex::new(state), ready: Condvar::new(), bytes: AtomicUsize::new(0) }
    }
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over an item that weighs `bytes`; the taker gives the weight back with
    /// [`Queue::release`] when it is done with it.
    pub(crate) fn push(&self, item: T, bytes: usize) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        state.items.push(item);
        drop(state);
        self.ready.notify_one();
    }

    /// What was handed over and not released.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The taker is done with items of this weight.
    pub(crate) fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Waits for items, at most for `patience` where one is given, and takes them all.
    pub(crate) fn take(&self, patience: Option<Duration>) -> Taken<T> {
        let mut state = self.lock();
        if state.items.is_empty() && !state.closed {
            state = match patience {
                None => self
                    .ready
                    .wait_while(state, |state| state.items.is_empty() && !state.closed)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    self.ready
                        .wait_timeout_while(state, patience, |state| {
                            state.items.is_empty() && !state.closed
                        })
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
        if state.closed { Taken::Closed } else { Taken::Items(std::mem::take(&mut state.items)) }
    }

    /// The taker gets no more items; what waits is dropped.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let dropped = std::mem::take(&mut state.items);
        drop(state);
        drop(dropped);
        self.ready.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_waits_is_taken_at_once_in_order() {
        let queue = Queue::default();
        (0..10).for_each(|number| queue.push(number, 3));
        assert_eq!(queue.bytes(), 30);
        let Taken::Items(items) = queue.take(None) else { panic!("closed") };
        assert_eq!(items, (0..10).collect::<Vec<_>>());
        queue.release(30);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn a_closed_queue_drops_what_waits_and_takes_nothing_more() {
        let queue = Queue::default();
        queue.push(1, 1);
        queue.close();
        queue.push(2, 1);
        assert!(matches!(queue.take(None), Taken::Closed));
    }

    #[test]
    fn patience_ends_without_items() {
        let queue: Queue<u8> = Queue::default();
        let taken = queue.take(Some(Duration::ZERO));
        assert!(matches!(taken, Taken::Items(items) if items.is_empty()));
    }
}
