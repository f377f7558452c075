//! One group's state machine: its key space, and its lease keeper.

use crate::core::Inbox;
use crate::limits::REQUEST_TIMEOUT_DEFAULT;
use crate::requests::{Requests, Waiter};
use bytes::Bytes;
use std::sync::Arc;
use synod_consensus::{Entry, GroupId, Instant, LogIndex, Role, SoftState};
use synod_group::{Evaluate, Proposal, RequestId};
use synod_mvcc::{Applied, Fatal, KeySpace, LeaseKeeper, Reader, Scrubbed};
use synod_storage::{Engine, Generation};

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Machine {
    group: GroupId,
    generation: Generation,
    key_space: KeySpace,
    keeper: LeaseKeeper,
    /// The keeper's command under way.
    own_request: Option<RequestId>,
}

impl Machine {
    /// Opens the generation in force.
    pub(crate) fn open(
        engine: Arc<dyn Engine>,
        group: GroupId,
        generation: Generation,
        keeper: LeaseKeeper,
    ) -> Result<Self, Fatal> {
        let key_space = KeySpace::open(engine, group, generation)?;
        Ok(Self { group, generation, key_space, keeper, own_request: None })
    }

    /// What it has applied.
    pub(crate) fn applied(&self) -> LogIndex {
        self.key_space.applied()
    }

    /// Its state now.
    pub(crate) fn reader(&self) -> Reader {
        self.key_space.reader()
    }

    /// Applies the next entry. `None` when the entry carries no command, or when a snapshot had
    /// its effect already.
    pub(crate) fn apply(
        &mut self,
        now: Instant,
        entry: &Entry,
        request: Option<RequestId>,
    ) -> Result<Option<Applied>, Fatal> {
        if entry.index <= self.applied() {
            return Ok(None);
        }
        let applied = self.key_space.apply(entry)?;
        if let Some(applied) = &applied {
            let own = request.is_some() && request == self.own_request;
            if own {
                self.own_request = None;
            }
            self.keeper.applied(now, applied, own, || self.key_space.reader())?;
        }
        Ok(applied)
    }

    /// Goes on from another generation; gives back the one before it.
    pub(crate) fn switch(
        &mut self,
        now: Instant,
        engine: Arc<dyn Engine>,
        generation: Generation,
    ) -> Result<Generation, Fatal> {
        self.own_request = None;
        self.keeper.state_replaced(now);
        self.key_space = KeySpace::open(engine, self.group, generation)?;
        Ok(std::mem::replace(&mut self.generation, generation))
    }

    /// Whether this node leads the group changed, or the ballot it leads with.
    pub(crate) fn role_changed(&mut self, soft_state: SoftState) {
        let leads = (soft_state.role == Role::Leader).then_some(soft_state.ballot);
        self.keeper.leadership(leads);
        if leads.is_none() {
            self.own_request = None;
        }
    }

    /// The keeper's command was refused, or nobody knows what became of it.
    pub(crate) fn keeper_failed(&mut self, now: Instant, request: RequestId) {
        if self.own_request == Some(request) {
            self.own_request = None;
            self.keeper.failed(now);
        }
    }

    /// The answer to a question, if this node is the lessor in force.
    pub(crate) fn answer(&mut self, now: Instant, evaluate: &Evaluate) -> Option<Bytes> {
        self.keeper.answer(now, evaluate.confirmed_at, evaluate.question.clone())
    }

    /// When the keeper has something to do next.
    pub(crate) fn next_timeout(&self) -> Instant {
        self.keeper.next_timeout()
    }

    /// Proposes what the keeper wants proposed by now.
    pub(crate) fn poll_keeper(&mut self, now: Instant, requests: &Requests, inbox: &Inbox) {
        let Some(command) = self.keeper.poll(now) else { return };
        // Nothing is given out while a command is under way, and a stopping node proposes nothing.
        self.own_request = requests.add(Waiter::Keeper);
        if let Some(request) = self.own_request {
            let deadline = now.after(REQUEST_TIMEOUT_DEFAULT);
            inbox.propose(self.group, Proposal { request, payload: command.encode(), deadline });
        }
    }

    /// Deletes what nobody can see any more; whether more is left.
    pub(crate) fn scrub(&mut self, steps: usize) -> Result<bool, Fatal> {
        Ok(self.key_space.scrub(steps)? == Scrubbed::More)
    }
}
