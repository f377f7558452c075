//! The log's thread: everything that has gathered goes into the log with one sync.
//!
//! Always holds: a response leaves, and a write is reported durable, only after the sync that
//! covers it. After a failure nothing is written, sent or reported any more.

use crate::core::Inbox;
use crate::failure::StopReason;
use crate::hop;
use crate::limits::LOG_APPEND_BYTES;
use crate::queue::{Queue, Taken};
use crate::sender::Sender;
use crate::stopping::Stopping;
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_consensus::{GroupId, WriteId};
use synod_group::{LogWrite, Outgoing};
use synod_storage::{Log, LogError, Record};
use tracing::debug;

/// What a record without entries counts for, in bytes.
const RECORD_BYTES: usize = 128;

/// One group's write.
#[derive(Debug)]
pub(crate) struct LogTask {
    pub(crate) group: GroupId,
    pub(crate) write: LogWrite,
    pub(crate) bytes: usize,
}

/// What a write counts for in the queue.
pub(crate) fn weight_bytes(write: &LogWrite) -> usize {
    write.records.iter().map(record_bytes).sum()
}

fn record_bytes(record: &Record) -> usize {
    let entries = match record {
        Record::Entries(_, entries) => entries.iter().map(|entry| entry.weight_bytes()).sum(),
        _ => 0,
    };
    RECORD_BYTES + entries
}

/// See the module's text.
pub(crate) struct LogThread {
    pub(crate) log: Log,
    pub(crate) queue: Arc<Queue<LogTask>>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) sender: Sender,
    pub(crate) stopping: Stopping,
}

/// What waits for the next sync.
#[derive(Default)]
struct Unsynced {
    persisted: BTreeMap<GroupId, WriteId>,
    responses: Vec<(GroupId, Outgoing)>,
    must_sync: bool,
    compacted: bool,
}

impl LogThread {
    /// Runs until the queue is closed or the log fails.
    pub(crate) fn run(mut self) {
        let mut unsynced = Unsynced::default();
        while let Taken::Items(tasks) = self.queue.take(None) {
            let worked = self.work(tasks, &mut unsynced);
            if let Err(error) = worked {
                // Responses that were waiting are dropped with `unsynced`: they assert what may
                // not be durable.
                // The reason first: whoever is told that the node stopped finds out why.
                self.stopping.stop(StopReason::Disk(error.to_string()));
                self.inbox.log_failed();
                return;
            }
        }
    }

    fn work(&mut self, tasks: Vec<LogTask>, unsynced: &mut Unsynced) -> Result<(), LogError> {
        let bytes = tasks.iter().map(|task| task.bytes).sum();
        hop::mark("log takes writes");
        self.append(tasks, unsynced)?;
        hop::mark("log has appended");
        if unsynced.must_sync {
            self.log.sync()?;
            hop::mark("log has synced");
            self.report(unsynced);
        }
        self.queue.release(bytes);
        if std::mem::take(&mut unsynced.compacted) {
            self.reclaim()?;
        }
        Ok(())
    }

    /// Appends in order, in batches of a bounded size.
    fn append(&mut self, tasks: Vec<LogTask>, unsynced: &mut Unsynced) -> Result<(), LogError> {
        let mut batch = Vec::new();
        let mut batch_bytes = 0;
        for LogTask { group, write, bytes } in tasks {
            if batch_bytes + bytes > LOG_APPEND_BYTES && !batch.is_empty() {
                self.log.append(&batch)?;
                batch.clear();
                batch_bytes = 0;
            }
            batch_bytes += bytes;
            unsynced.note(group, &write);
            batch.extend(write.records);
            unsynced
                .responses
                .extend(write.responses.into_iter().map(|response| (group, response)));
        }
        if batch.is_empty() { Ok(()) } else { self.log.append(&batch).map(|_| ()) }
    }

    fn report(&self, unsynced: &mut Unsynced) {
        self.inbox.persisted(&unsynced.persisted);
        for (group, response) in unsynced.responses.drain(..) {
            self.sender.send(group, &response);
        }
        unsynced.persisted.clear();
        unsynced.must_sync = false;
    }

    /// Gives back what is not needed any more, a step at a time; the next write goes first.
    fn reclaim(&mut self) -> Result<(), LogError> {
        loop {
            let reclaimed = self.log.reclaim()?;
            if reclaimed.segments > 0 {
                let (segments, bytes) = (reclaimed.segments, reclaimed.copied_bytes);
                debug!(segments, copied_bytes = bytes, "reclaimed log segments");
            }
            if !reclaimed.more || self.queue.bytes() > 0 {
                return Ok(());
            }
        }
    }
}

impl Unsynced {
    fn note(&mut self, group: GroupId, write: &LogWrite) {
        let last = self.persisted.insert(group, write.id);
        assert!(last.is_none_or(|last| last < write.id), "a group's writes come in order");
        // A response asserts its write, whatever the write says of itself.
        self.must_sync |= write.must_sync || !write.responses.is_empty();
        let forgets = |record: &Record| matches!(record, Record::Compact(..) | Record::Install(..));
        self.compacted |= write.records.iter().any(forgets);
    }
}

#[cfg(test)]
mod tests;
