//! The apply thread: committed entries go into the key spaces, and whatever waits for them is told.
//!
//! Always holds: it alone changes key spaces; readers, and after them the answers, are published
//! only after the entries they speak of are in the engine; entries are applied in order, once.

mod machine;

pub(crate) use machine::Machine;

use crate::board::Board;
use crate::clock::Clock;
use crate::core::Inbox;
use crate::failure::StopReason;
use crate::flush_thread::FlushSignal;
use crate::hop;
use crate::limits::{ENGINE_MEMORY_BYTES_MAX, READER_REFRESH_INTERVAL, SCRUB_STEPS};
use crate::queue::{Queue, Taken};
use crate::requests::{Requests, Waiter};
use crate::snapshot_thread::SnapshotTask;
use crate::stopping::Stopping;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use synod_consensus::{GroupId, Instant, LogIndex, SoftState};
use synod_group::{Committed, Evaluate, Input, Outcome, RequestId, UnknownReason};
use synod_mvcc::Fatal;
use synod_storage::{Engine, Generation};

/// What the core hands over.
#[derive(Debug)]
pub(crate) enum ApplyTask {
    /// Apply these, which weigh so many bytes.
    Committed(GroupId, Vec<Committed>, usize),
    /// Answer a question.
    Evaluate(GroupId, Evaluate),
    /// The role or the leader changed.
    Role(GroupId, SoftState),
    /// Go on from another generation, which has applied this much.
    Switch(GroupId, Generation, LogIndex),
    /// The lease keeper's own command was not carried out, or perhaps not.
    KeeperFailed(GroupId, RequestId),
}

/// What the thread is given.
pub(crate) struct ApplyThread {
    pub(crate) clock: Clock,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) queue: Arc<Queue<ApplyTask>>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) board: Arc<Board>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) flush: Arc<FlushSignal>,
    pub(crate) snapshots: Arc<Queue<SnapshotTask>>,
    pub(crate) stopping: Stopping,
    pub(crate) machines: BTreeMap<GroupId, Machine>,
}

impl ApplyThread {
    /// Runs until the queue is closed or a state cannot be continued.
    pub(crate) fn run(mut self) {
        if let Err(fatal) = self.work() {
            self.stopping.stop(stop_reason(fatal));
        }
    }

    fn work(&mut self) -> Result<(), Fatal> {
        let mut scrubbing = true;
        let mut refresh_at = self.clock.now();
        loop {
            let patience = if scrubbing { Duration::ZERO } else { self.patience(refresh_at) };
            let Taken::Items(tasks) = self.queue.take(Some(patience)) else { return Ok(()) };
            let idle = tasks.is_empty();
            for task in tasks {
                self.task(task)?;
                scrubbing = true;
            }
            self.poll_keepers();
            if idle && scrubbing {
                scrubbing = self.scrub()?;
            }
            if self.clock.now() >= refresh_at {
                self.refresh();
                refresh_at = self.clock.now().after(READER_REFRESH_INTERVAL);
            }
        }
    }

    fn patience(&self, refresh_at: Instant) -> Duration {
        let keepers = self.machines.values().map(Machine::next_timeout);
        let next = keepers.fold(refresh_at, Instant::min);
        self.clock.until(next).unwrap_or(READER_REFRESH_INTERVAL)
    }

    fn task(&mut self, task: ApplyTask) -> Result<(), Fatal> {
        match task {
            ApplyTask::Committed(group, committed, bytes) => {
                self.wait_for_engine();
                self.apply(group, committed)?;
                self.queue.release(bytes);
            }
            ApplyTask::Evaluate(group, evaluate) => self.evaluate(group, &evaluate),
            ApplyTask::Role(group, soft_state) => self.machine(group).role_changed(soft_state),
            ApplyTask::Switch(group, generation, index) => self.switch(group, generation, index)?,
            ApplyTask::KeeperFailed(group, request) => {
                let now = self.clock.now();
                self.machine(group).keeper_failed(now, request);
            }
        }
        Ok(())
    }

    fn machine(&mut self, group: GroupId) -> &mut Machine {
        self.machines.get_mut(&group).expect("the core names hosted groups only")
    }

    /// A flush that cannot keep up slows applying down.
    fn wait_for_engine(&self) {
        while self.engine.unflushed_bytes() > ENGINE_MEMORY_BYTES_MAX {
            if self.stopping.reason().is_some() {
                return;
            }
            self.flush.ask_and_wait();
        }
    }

    /// Applies, publishes, answers, in this order.
    fn apply(&mut self, group: GroupId, committed: Vec<Committed>) -> Result<(), Fatal> {
        hop::mark("apply begins");
        let now = self.clock.now();
        let machine = self.machine(group);
        let mut answers = Vec::new();
        for Committed { entry, request } in committed {
            let applied = machine.apply(now, &entry, request)?;
            answers.extend(request.map(|request| (request, applied)));
        }
        let (reader, index) = (machine.reader(), machine.applied());
        self.board.set_reader(group, reader);
        hop::mark("apply has published");
        for (request, applied) in answers {
            self.answer(request, applied);
        }
        self.inbox.applied(group, index);
        Ok(())
    }

    /// The request behind an entry; `None` when a snapshot had its effect already.
    fn answer(&self, request: RequestId, applied: Option<synod_mvcc::Applied>) {
        match applied {
            Some(applied) => {
                if let Some(Waiter::Propose(sender, _permit)) = self.requests.take(request) {
                    let _ = sender.send(Ok(applied));
                }
            }
            None => {
                let behind = Outcome::Unknown(UnknownReason::BehindSnapshot);
                let _ = self.requests.finish(request, behind);
            }
        }
    }

    fn evaluate(&mut self, group: GroupId, evaluate: &Evaluate) {
        let now = self.clock.now();
        let answer = self.machine(group).answer(now, evaluate);
        self.inbox.completion(group, Input::Answered { ask: evaluate.ask, answer });
    }

    fn switch(
        &mut self,
        group: GroupId,
        generation: Generation,
        index: LogIndex,
    ) -> Result<(), Fatal> {
        let (now, engine) = (self.clock.now(), Arc::clone(&self.engine));
        let machine = self.machine(group);
        let before = machine.switch(now, engine, generation)?;
        assert!(machine.applied() >= index, "an installed generation holds what it was to hold");
        let (reader, index) = (machine.reader(), machine.applied());
        self.board.set_reader(group, reader);
        self.snapshots.push(SnapshotTask::Drop(group, before), 0);
        self.inbox.applied(group, index);
        Ok(())
    }

    /// Lets the lease keepers act on the time, and hands their commands to the core.
    fn poll_keepers(&mut self) {
        let now = self.clock.now();
        for machine in self.machines.values_mut() {
            machine.poll_keeper(now, &self.requests, &self.inbox);
        }
    }

    /// Deletes what nobody can see any more, a little at a time; whether more is left.
    fn scrub(&mut self) -> Result<bool, Fatal> {
        let mut more = false;
        for machine in self.machines.values_mut() {
            more |= machine.scrub(SCRUB_STEPS)?;
        }
        Ok(more)
    }

    /// A published reader keeps the engine from reclaiming what it sees: idle groups let go too.
    fn refresh(&mut self) {
        for (group, machine) in &self.machines {
            self.board.refresh_reader(*group, machine.reader());
        }
    }
}

fn stop_reason(fatal: Fatal) -> StopReason {
    match fatal {
        Fatal::Engine(_) => StopReason::Disk(fatal.to_string()),
        other => StopReason::State(other.to_string()),
    }
}
