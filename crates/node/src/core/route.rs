//! Where a group's effects go.

use crate::apply::ApplyTask;
use crate::board::Board;
use crate::log_thread::LogTask;
use crate::queue::Queue;
use crate::requests::Requests;
use crate::sender::Sender;
use crate::snapshot_thread::SnapshotTask;
use std::sync::Arc;
use synod_consensus::GroupId;
use synod_group::{Committed, GroupEffects, LogWrite, SnapshotEffect};

/// What an item without a payload counts for in a queue, in bytes.
const TASK_BYTES: usize = 64;

/// The ways out of the core. None of them blocks.
pub(crate) struct Outlets {
    pub(crate) sender: Sender,
    pub(crate) log: Arc<Queue<LogTask>>,
    pub(crate) apply: Arc<Queue<ApplyTask>>,
    pub(crate) snapshots: Arc<Queue<SnapshotTask>>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) board: Arc<Board>,
}

impl Outlets {
    /// Empties `effects`.
    pub(crate) fn route(&self, group: GroupId, effects: &mut GroupEffects) {
        for effect in effects.snapshots.drain(..) {
            self.snapshot(group, effect);
        }
        for outgoing in effects.messages.drain(..) {
            self.sender.send(group, &outgoing);
        }
        for write in effects.writes.drain(..) {
            self.log_write(group, write);
        }
        if let Some(soft_state) = effects.soft_state.take() {
            self.apply.push(ApplyTask::Role(group, soft_state), 0);
        }
        for evaluate in effects.evaluate.drain(..) {
            self.apply.push(ApplyTask::Evaluate(group, evaluate), 0);
        }
        for (request, answer) in effects.answers.drain(..) {
            self.requests.answer(request, answer);
        }
        for (request, outcome) in effects.outcomes.drain(..) {
            if let Some(request) = self.requests.finish(request, outcome) {
                self.apply.push(ApplyTask::KeeperFailed(group, request), 0);
            }
        }
        effects.clear();
    }

    fn snapshot(&self, group: GroupId, effect: SnapshotEffect) {
        match effect {
            SnapshotEffect::Switch { generation, index } => {
                self.apply.push(ApplyTask::Switch(group, generation, index), 0);
            }
            SnapshotEffect::WriteChunk { ref chunk, .. } => {
                let bytes = chunk.len();
                self.snapshots.push(SnapshotTask::Effect { group, effect, bytes }, bytes);
            }
            effect => self.snapshots.push(SnapshotTask::Effect { group, effect, bytes: 0 }, 0),
        }
    }

    fn log_write(&self, group: GroupId, write: LogWrite) {
        let bytes = crate::log_thread::weight_bytes(&write);
        self.log.push(LogTask { group, write, bytes }, bytes);
    }

    pub(crate) fn apply_committed(&self, group: GroupId, committed: Vec<Committed>) {
        let weigh = |committed: &Committed| committed.entry.weight_bytes() + TASK_BYTES;
        let bytes = committed.iter().map(weigh).sum();
        self.apply.push(ApplyTask::Committed(group, committed, bytes), bytes);
    }
}
