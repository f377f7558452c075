//! Who waits for which outcome.
//!
//! Always holds: a request is answered once, by whoever takes it out of the table first; a request
//! that nobody will answer any more ends when the table is closed.

use crate::failure::Failure;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use synod_group::{Outcome, RefusedReason, RequestId, UnknownReason};
use synod_mvcc::Applied;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Where an outcome goes.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// A client's command.
    Propose(oneshot::Sender<Result<Applied, Failure>>, OwnedSemaphorePermit),
    /// A client's read.
    Read(oneshot::Sender<Result<(), Failure>>, OwnedSemaphorePermit),
    /// A client's question.
    Ask(oneshot::Sender<Result<Bytes, Failure>>, OwnedSemaphorePermit),
    /// The lease keeper's own command: the apply thread looks after it.
    Keeper,
}

/// Requests under way.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    last: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    closed: bool,
    table: HashMap<RequestId, Waiter>,
}

impl Requests {
    /// A name for a request, and its place in the table. `None` when the node has stopped: the
    /// waiter is dropped, which its client takes as "stopped".
    pub(crate) fn add(&self, waiter: Waiter) -> Option<RequestId> {
        let id = RequestId(self.last.fetch_add(1, Ordering::Relaxed) + 1);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            return None;
        }
        waiting.table.insert(id, waiter);
        Some(id)
    }

    /// Takes a request out of the table, to be answered.
    pub(crate) fn take(&self, id: RequestId) -> Option<Waiter> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).table.remove(&id)
    }

    /// The group is done with a request. The lease keeper's own are given back.
    pub(crate) fn finish(&self, id: RequestId, outcome: Outcome) -> Option<RequestId> {
        match self.take(id)? {
            Waiter::Propose(sender, _permit) => {
                let _ = sender.send(Err(failure_of(outcome)));
            }
            Waiter::Read(sender, _permit) => {
                let _ = sender.send(read_result(outcome));
            }
            Waiter::Ask(sender, _permit) => {
                let _ = sender.send(Err(failure_of(outcome)));
            }
            Waiter::Keeper => return Some(id),
        }
        None
    }

    /// A question was answered.
    pub(crate) fn answer(&self, id: RequestId, answer: Bytes) {
        if let Some(Waiter::Ask(sender, _permit)) = self.take(id) {
            let _ = sender.send(Ok(answer));
        }
    }

    /// Nobody answers any more: drops every waiter, which tells its client.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.closed = true;
        waiting.table.clear();
    }
}

fn read_result(outcome: Outcome) -> Result<(), Failure> {
    match outcome {
        Outcome::ReadReady => Ok(()),
        other => Err(failure_of(other)),
    }
}

fn failure_of(outcome: Outcome) -> Failure {
    match outcome {
        // A group answers a proposal or a question with neither of these; to be told so is no
        // success that anyone could rely on.
        Outcome::ReadReady => Failure::Unknown(UnknownReason::Stopped),
        Outcome::Refused(reason) => Failure::Refused(reason),
        Outcome::Unknown(reason) => Failure::Unknown(reason),
    }
}

/// The client's side of a proposal: when its waiter was dropped, nothing is known.
pub(crate) async fn proposal_result<T>(
    receiver: oneshot::Receiver<Result<T, Failure>>,
) -> Result<T, Failure> {
    receiver.await.unwrap_or(Err(Failure::Unknown(UnknownReason::Stopped)))
}

/// The client's side of a read or a question, which change nothing.
pub(crate) async fn read_only_result<T>(
    receiver: oneshot::Receiver<Result<T, Failure>>,
) -> Result<T, Failure> {
    receiver.await.unwrap_or(Err(Failure::Refused(RefusedReason::Stopped)))
}
