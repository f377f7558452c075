//! Everything that waits for the core, from every side.
//!
//! Always holds: nobody who hands something in waits. Peers' messages are dropped over a named
//! bound; clients' requests are bounded where they come in; completions are bounded because each
//! answers something that the core began, and those that only move forward are kept as one number
//! a group.

use crate::limits::{INBOX_BYTES_MAX, INBOX_MESSAGES_MAX};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use synod_consensus::{GroupId, Instant, LogIndex, StoreId, WriteId};
use synod_group::{GroupMessage, Input, Proposal, RequestId};

/// A peer's message and what it weighed on the wire.
#[derive(Debug)]
pub(crate) struct PeerMessage {
    pub(crate) group: GroupId,
    pub(crate) from: StoreId,
    pub(crate) message: GroupMessage,
    pub(crate) bytes: usize,
}

/// What has come since the core last looked.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The highest durable write, by group.
    pub(crate) persisted: BTreeMap<GroupId, WriteId>,
    /// How far each group is applied.
    pub(crate) applied: BTreeMap<GroupId, LogIndex>,
    /// How far each group's applied state is durable.
    pub(crate) flushed: BTreeMap<GroupId, LogIndex>,
    /// Completions of snapshot work and questions, in order.
    pub(crate) completions: Vec<(GroupId, Input)>,
    /// Peers' messages, in order.
    pub(crate) messages: Vec<PeerMessage>,
    /// Clients' commands, all of a group together.
    pub(crate) proposals: BTreeMap<GroupId, Vec<Proposal>>,
    /// Clients' reads.
    pub(crate) reads: Vec<(GroupId, RequestId, Instant)>,
    /// Clients' questions.
    pub(crate) questions: Vec<(GroupId, RequestId, Bytes, Instant)>,
    /// The log failed for good.
    pub(crate) log_failed: bool,
    /// The core is to end.
    pub(crate) stop: bool,
    message_bytes: usize,
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.persisted.is_empty()
            && self.applied.is_empty()
            && self.flushed.is_empty()
            && self.completions.is_empty()
            && self.messages.is_empty()
            && self.proposals.is_empty()
            && self.reads.is_empty()
            && self.questions.is_empty()
            && !self.log_failed
            && !self.stop
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    gathered: Mutex<Gathered>,
    ready: Condvar,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, change: impl FnOnce(&mut Gathered)) {
        change(&mut self.lock());
        self.ready.notify_one();
    }

    /// A peer's message; `false` if it was dropped.
    pub(crate) fn message(&self, message: PeerMessage) -> bool {
        let mut gathered = self.lock();
        let bytes = gathered.message_bytes + message.bytes;
        if gathered.messages.len() >= INBOX_MESSAGES_MAX || bytes > INBOX_BYTES_MAX {
            return false;
        }
        gathered.message_bytes = bytes;
        gathered.messages.push(message);
        drop(gathered);
        self.ready.notify_one();
        true
    }

    pub(crate) fn propose(&self, group: GroupId, proposal: Proposal) {
        self.add(|gathered| gathered.proposals.entry(group).or_default().push(proposal));
    }

    pub(crate) fn read(&self, group: GroupId, request: RequestId, deadline: Instant) {
        self.add(|gathered| gathered.reads.push((group, request, deadline)));
    }

    pub(crate) fn ask(&self, group: GroupId, id: RequestId, question: Bytes, deadline: Instant) {
        self.add(|gathered| gathered.questions.push((group, id, question, deadline)));
    }

    /// The highest durable write of each group.
    pub(crate) fn persisted(&self, writes: &BTreeMap<GroupId, WriteId>) {
        self.add(|gathered| raise(&mut gathered.persisted, writes));
    }

    pub(crate) fn applied(&self, group: GroupId, index: LogIndex) {
        self.add(|gathered| raise(&mut gathered.applied, &BTreeMap::from([(group, index)])));
    }

    pub(crate) fn flushed(&self, indexes: &BTreeMap<GroupId, LogIndex>) {
        self.add(|gathered| raise(&mut gathered.flushed, indexes));
    }

    pub(crate) fn completion(&self, group: GroupId, input: Input) {
        self.add(|gathered| gathered.completions.push((group, input)));
    }

    pub(crate) fn log_failed(&self) {
        self.add(|gathered| gathered.log_failed = true);
    }

    pub(crate) fn stop(&self) {
        self.add(|gathered| gathered.stop = true);
    }

    /// Waits until something came or `patience` is over, and takes everything.
    pub(crate) fn take(&self, patience: Option<Duration>) -> Gathered {
        let gathered = self.lock();
        let mut gathered = match patience {
            None => self
                .ready
                .wait_while(gathered, |gathered| gathered.is_empty())
                .unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                self.ready
                    .wait_timeout_while(gathered, patience, |gathered| gathered.is_empty())
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
        std::mem::take(&mut gathered)
    }
}

fn raise<T: Copy + Ord>(kept: &mut BTreeMap<GroupId, T>, news: &BTreeMap<GroupId, T>) {
    for (group, value) in news {
        let kept = kept.entry(*group).or_insert(*value);
        *kept = (*kept).max(*value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> PeerMessage {
        let message = GroupMessage::SnapshotGone { session: 1 };
        PeerMessage { group: GroupId::META, from: StoreId(1), message, bytes }
    }

    #[test]
    fn messages_over_either_bound_are_dropped_and_room_comes_back() {
        let inbox = Inbox::default();
        assert!(inbox.message(message(INBOX_BYTES_MAX)));
        assert!(!inbox.message(message(1)));
        assert_eq!(inbox.take(None).messages.len(), 1);
        for _ in 0..INBOX_MESSAGES_MAX {
            assert!(inbox.message(message(1)));
        }
        assert!(!inbox.message(message(1)));
    }

    #[test]
    fn progress_is_one_number_a_group_and_never_falls() {
        let inbox = Inbox::default();
        for index in [3, 9, 4] {
            inbox.applied(GroupId::META, LogIndex(index));
        }
        let applied = inbox.take(None).applied;
        assert_eq!(applied, BTreeMap::from([(GroupId::META, LogIndex(9))]));
    }

    #[test]
    fn waiting_ends_with_patience() {
        assert!(Inbox::default().take(Some(Duration::ZERO)).is_empty());
    }
}
