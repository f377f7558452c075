//! The snapshot thread: reads states out for followers, writes received ones into new generations,
//! and drops generations that nobody uses.
//!
//! Always holds: a generation is reported ready only when it is whole and durable; the one in force
//! is never written or dropped here.

use crate::board::Board;
use crate::core::Inbox;
use crate::failure::StopReason;
use crate::limits::{DROP_RECORDS, GENERATIONS_SWEPT, SNAPSHOT_CHUNK_BYTES, SNAPSHOT_SESSIONS_MAX};
use crate::queue::{Queue, Taken};
use crate::stopping::Stopping;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_consensus::{GroupId, LogIndex, StoreId};
use synod_group::{Input, SnapshotEffect};
use synod_mvcc::{Dropped, Fatal, ImportError, Importer, Reader, drop_generation};
use synod_storage::{Engine, Generation};
use tracing::{info, warn};

/// What the thread is to do.
#[derive(Debug)]
pub(crate) enum SnapshotTask {
    /// Carry this out; it weighs so many bytes.
    Effect { group: GroupId, effect: SnapshotEffect, bytes: usize },
    /// This generation is used no more.
    Drop(GroupId, Generation),
}

/// A state that is being received.
#[derive(Debug)]
struct Receiving {
    from: StoreId,
    session: u64,
    index: LogIndex,
    generation: Generation,
    importer: Importer,
}

/// What the thread is given.
pub(crate) struct SnapshotThread {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) queue: Arc<Queue<SnapshotTask>>,
    pub(crate) board: Arc<Board>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) stopping: Stopping,
    /// The newest whole generation of each group: in force, or about to be.
    pub(crate) newest: BTreeMap<GroupId, Generation>,
}

/// The thread's own state.
struct Work {
    thread: SnapshotThread,
    /// States that are held to be read, by session; those of later sessions last.
    sending: BTreeMap<(GroupId, u64), Reader>,
    receiving: BTreeMap<GroupId, Receiving>,
}

impl SnapshotThread {
    /// Runs until the queue is closed or the engine fails.
    pub(crate) fn run(self) {
        let stopping = self.stopping.clone();
        let (sending, receiving) = (BTreeMap::new(), BTreeMap::new());
        let mut work = Work { thread: self, sending, receiving };
        if let Err(fatal) = work.run() {
            stopping.stop(StopReason::Disk(fatal.to_string()));
        }
    }
}

impl Work {
    fn run(&mut self) -> Result<(), Fatal> {
        self.sweep()?;
        while let Taken::Items(tasks) = self.thread.queue.take(None) {
            for task in tasks {
                match task {
                    SnapshotTask::Effect { group, effect, bytes } => {
                        self.effect(group, effect)?;
                        self.thread.queue.release(bytes);
                    }
                    SnapshotTask::Drop(group, generation) => self.drop_all(group, generation)?,
                }
            }
        }
        Ok(())
    }

    /// Drops what a crash may have left around the generations in force.
    fn sweep(&self) -> Result<(), Fatal> {
        for (&group, &newest) in &self.thread.newest {
            let first = newest.saturating_sub(GENERATIONS_SWEPT);
            for generation in (first..=newest + GENERATIONS_SWEPT).filter(|one| *one != newest) {
                self.drop_all(group, generation)?;
            }
        }
        Ok(())
    }

    fn drop_all(&self, group: GroupId, generation: Generation) -> Result<(), Fatal> {
        let engine = &*self.thread.engine;
        while drop_generation(engine, group, generation, DROP_RECORDS)? == Dropped::More {}
        Ok(())
    }

    fn effect(&mut self, group: GroupId, effect: SnapshotEffect) -> Result<(), Fatal> {
        match effect {
            SnapshotEffect::Open { session } => self.open(group, session),
            SnapshotEffect::ReadChunk { session, number, after } => {
                self.read_chunk(group, session, number, &after)?;
            }
            SnapshotEffect::Close { session } => {
                self.sending.remove(&(group, session));
            }
            SnapshotEffect::Begin { from, session, meta } => {
                self.begin(group, from, session, meta.index)?;
            }
            SnapshotEffect::WriteChunk { from, session, number, chunk } => {
                self.write_chunk(group, from, session, number, chunk)?;
            }
            SnapshotEffect::Finish { from, session } => self.finish(group, from, session)?,
            SnapshotEffect::Abandon { from, session } => self.abandon(group, from, session)?,
            // The apply thread's: the core sends it there.
            SnapshotEffect::Switch { .. } => {}
        }
        Ok(())
    }

    fn open(&mut self, group: GroupId, session: u64) {
        if self.sending.len() >= SNAPSHOT_SESSIONS_MAX {
            // Its receiver hears no more of it and asks anew.
            self.sending.pop_first();
        }
        let reader = self.thread.board.reader(group);
        let index = reader.applied();
        self.sending.insert((group, session), reader);
        info!(%group, session, %index, "holding a state for a follower that lags");
        self.complete(group, Input::SnapshotOpened { session, index });
    }

    fn read_chunk(
        &mut self,
        group: GroupId,
        session: u64,
        number: u64,
        after: &Bytes,
    ) -> Result<(), Fatal> {
        let Some(reader) = self.sending.get(&(group, session)) else { return Ok(()) };
        let after = Some(after).filter(|after| !after.is_empty());
        let exported = reader.export_chunk(after, SNAPSHOT_CHUNK_BYTES)?;
        let last = exported.resume_after.is_none();
        let resume = exported.resume_after.unwrap_or_default();
        let chunk = exported.bytes;
        self.complete(group, Input::ChunkRead { session, number, chunk, resume, last });
        Ok(())
    }

    fn begin(
        &mut self,
        group: GroupId,
        from: StoreId,
        session: u64,
        index: LogIndex,
    ) -> Result<(), Fatal> {
        self.receiving.remove(&group);
        let generation = self.thread.newest.get(&group).map_or(1, |newest| newest + 1);
        self.drop_all(group, generation)?;
        match Importer::new(Arc::clone(&self.thread.engine), group, generation) {
            Ok(importer) => {
                info!(%group, %from, %index, generation, "receiving a state");
                let receiving = Receiving { from, session, index, generation, importer };
                self.receiving.insert(group, receiving);
                Ok(())
            }
            Err(error) => note(group, error),
        }
    }

    /// The state that is being received in this session, if it still is.
    fn session(&mut self, group: GroupId, from: StoreId, session: u64) -> Option<&mut Receiving> {
        let current = |one: &&mut Receiving| one.from == from && one.session == session;
        self.receiving.get_mut(&group).filter(current)
    }

    fn write_chunk(
        &mut self,
        group: GroupId,
        from: StoreId,
        session: u64,
        number: u64,
        chunk: Bytes,
    ) -> Result<(), Fatal> {
        let Some(receiving) = self.session(group, from, session) else { return Ok(()) };
        let written = receiving.importer.add_chunk(chunk);
        let accepted = written.is_ok();
        if let Err(error) = written {
            note(group, error)?;
        }
        self.complete(group, Input::ChunkWritten { from, session, number, accepted });
        Ok(())
    }

    fn finish(&mut self, group: GroupId, from: StoreId, session: u64) -> Result<(), Fatal> {
        if self.session(group, from, session).is_none() {
            return Ok(());
        }
        let receiving = self.receiving.remove(&group).expect("the session was just found");
        let (generation, expected) = (receiving.generation, receiving.index);
        let whole = match receiving.importer.finish() {
            Ok(index) if index == expected => true,
            Ok(index) => {
                warn!(%group, %index, %expected, "a received state stands behind another entry");
                false
            }
            Err(error) => {
                note(group, error)?;
                false
            }
        };
        if whole {
            self.thread.engine.flush()?;
            self.thread.newest.insert(group, generation);
        } else {
            self.drop_all(group, generation)?;
        }
        let generation = whole.then_some(generation);
        self.complete(group, Input::InstallReady { from, session, generation });
        Ok(())
    }

    fn abandon(&mut self, group: GroupId, from: StoreId, session: u64) -> Result<(), Fatal> {
        if self.session(group, from, session).is_none() {
            return Ok(());
        }
        let receiving = self.receiving.remove(&group).expect("the session was just found");
        self.drop_all(group, receiving.generation)
    }

    fn complete(&self, group: GroupId, input: Input) {
        self.thread.inbox.completion(group, input);
    }
}

/// A stream that is not what it should be ends its session; an engine that fails ends the node.
fn note(group: GroupId, error: ImportError) -> Result<(), Fatal> {
    match error {
        ImportError::Fatal(fatal) => Err(fatal),
        other => {
            warn!(%group, "a received state cannot be used: {other}");
            Ok(())
        }
    }
}
