//! What waits to be written to one peer: bounded, in order, dropped rather than grown.

use crate::limits::{OUTBOX_BYTES_MAX, OUTBOX_FRAMES_MAX, WRITE_BYTES_TARGET};
use crate::{FRAME_HEADER_BYTES, Frame};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What became of a frame that was to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pushed {
    /// It waits to be written.
    Queued,
    /// Too much waits already; it is gone.
    Full,
    /// There is no connection; it is gone.
    Closed,
}

/// The queue of one peer. Open while there is a connection: what was meant for a broken one is
/// stale by the time of the next.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    open: bool,
    frames: VecDeque<Frame>,
    bytes: usize,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held, and its content is valid at every step.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to accept frames, with an empty queue.
    pub(crate) fn open(&self) {
        *self.lock() = Waiting { open: true, ..Waiting::default() };
    }

    /// Drops what waits and accepts nothing more.
    pub(crate) fn close(&self) {
        *self.lock() = Waiting::default();
    }

    /// Takes a frame to be written, if there is room.
    pub(crate) fn push(&self, frame: Frame) -> Pushed {
        let mut waiting = self.lock();
        if !waiting.open {
            return Pushed::Closed;
        }
        let bytes = waiting.bytes + frame.wire_bytes();
        if waiting.frames.len() >= OUTBOX_FRAMES_MAX || bytes > OUTBOX_BYTES_MAX {
            return Pushed::Full;
        }
        waiting.bytes = bytes;
        waiting.frames.push_back(frame);
        drop(waiting);
        self.ready.notify_one();
        Pushed::Queued
    }

    /// Waits until something may have been pushed. One task at a time.
    pub(crate) async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Encodes waiting frames behind `out`, until it has about [`WRITE_BYTES_TARGET`] bytes.
    /// Whether anything was moved.
    pub(crate) fn drain_into(&self, out: &mut Vec<u8>) -> bool {
        let batch = self.take_batch();
        batch.iter().for_each(|frame| frame.encode_into(out));
        !batch.is_empty()
    }

    /// Encoding happens outside the lock, so that it delays no sender.
    fn take_batch(&self) -> Vec<Frame> {
        let mut waiting = self.lock();
        let mut batch = Vec::new();
        let mut bytes = 0;
        while bytes < WRITE_BYTES_TARGET {
            let Some(frame) = waiting.frames.pop_front() else { break };
            bytes += FRAME_HEADER_BYTES + frame.body.len();
            batch.push(frame);
        }
        waiting.bytes -= bytes;
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FrameKind;
    use bytes::Bytes;

    fn frame(bytes: usize) -> Frame {
        Frame::of_connection(FrameKind::Group, Bytes::from(vec![7; bytes]))
    }

    #[test]
    fn nothing_is_queued_without_a_connection() {
        let outbox = Outbox::default();
        assert_eq!(outbox.push(frame(1)), Pushed::Closed);
    }

    #[test]
    fn frames_over_either_bound_are_dropped() {
        let outbox = Outbox::default();
        outbox.open();
        for _ in 0..OUTBOX_FRAMES_MAX {
            assert_eq!(outbox.push(frame(0)), Pushed::Queued);
        }
        assert_eq!(outbox.push(frame(0)), Pushed::Full);
        outbox.open();
        let quarter = frame(OUTBOX_BYTES_MAX / 4);
        for _ in 0..3 {
            assert_eq!(outbox.push(quarter.clone()), Pushed::Queued);
        }
        assert_eq!(outbox.push(quarter), Pushed::Full);
        assert_eq!(outbox.push(frame(9)), Pushed::Queued);
    }

    #[test]
    fn many_frames_leave_in_one_write_in_order() {
        let outbox = Outbox::default();
        outbox.open();
        (0..100).for_each(|size| assert_eq!(outbox.push(frame(size)), Pushed::Queued));
        let mut raw = Vec::new();
        assert!(outbox.drain_into(&mut raw));
        assert!(!outbox.drain_into(&mut raw));
        let mut reader = crate::FrameReader::new(1024);
        reader.buffer().extend_from_slice(&raw);
        for size in 0..100 {
            assert_eq!(reader.next_frame(), Ok(Some(frame(size))));
        }
    }
}
