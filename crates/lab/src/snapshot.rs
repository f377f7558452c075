//! A simulated store's part in moving snapshots.

use crate::history::Told;
use crate::network::Place;
use crate::sim::Sim;
use crate::violation::Violation;
use bytes::Bytes;
use std::sync::Arc;
use synod_consensus::{GroupId, LogIndex, StoreId};
use synod_group::{Committed, Input, Outcome, SnapshotEffect, UnknownReason};
use synod_mvcc::{Dropped, Importer, KeySpace, drop_generation};
use synod_storage::{Engine, Generation};

/// Small chunks, so that a transfer takes many.
const CHUNK_BYTES: usize = 300;
/// How many records of an abandoned generation go in one step.
const DROP_RECORDS: usize = 64;

impl Sim {
    pub(crate) fn snapshot_effect(
        &mut self,
        place: Place,
        group: GroupId,
        effect: SnapshotEffect,
    ) -> Result<(), Violation> {
        match effect {
            SnapshotEffect::Open { session } => self.open_view(place, group, session),
            SnapshotEffect::ReadChunk { session, number, after } => {
                self.read_chunk(place, group, session, number, after)
            }
            SnapshotEffect::Close { session } => {
                self.with(place, group, |member| member.views.remove(&session));
                Ok(())
            }
            SnapshotEffect::Begin { from, session, .. } => {
                self.begin_import(place, group, from, session)
            }
            SnapshotEffect::WriteChunk { from, session, number, chunk } => {
                self.write_chunk(place, group, (from, session), number, chunk)
            }
            SnapshotEffect::Finish { from, session } => {
                self.finish_import(place, group, from, session)
            }
            SnapshotEffect::Abandon { .. } => {
                self.with(place, group, |member| member.importer = None);
                Ok(())
            }
            SnapshotEffect::Switch { generation, index } => {
                self.switch(place, group, generation, index)
            }
        }
    }

    fn with<T>(
        &mut self,
        place: Place,
        group: GroupId,
        act: impl FnOnce(&mut crate::member::Member) -> T,
    ) -> Option<T> {
        self.stores[place].process.as_mut().map(|process| act(process.member(group)))
    }

    fn tell(&mut self, place: Place, group: GroupId, input: Input) {
        let now = self.stores[place].now(self.now);
        self.with(place, group, |member| member.handle(now, input));
    }

    fn open_view(&mut self, place: Place, group: GroupId, session: u64) -> Result<(), Violation> {
        let index = self.with(place, group, |member| {
            let reader = member.keyspace.reader();
            let index = reader.applied();
            member.views.insert(session, reader);
            index
        });
        if let Some(index) = index {
            self.tell(place, group, Input::SnapshotOpened { session, index });
        }
        Ok(())
    }

    fn read_chunk(
        &mut self,
        place: Place,
        group: GroupId,
        session: u64,
        number: u64,
        after: Bytes,
    ) -> Result<(), Violation> {
        let after = Some(after).filter(|after| !after.is_empty());
        let read = self.with(place, group, |member| {
            member.views.get(&session).map(|view| view.export_chunk(after.as_ref(), CHUNK_BYTES))
        });
        let Some(Some(read)) = read else { return Ok(()) };
        let exported = read.map_err(|fatal| self.broken(fatal.to_string()))?;
        let last = exported.resume_after.is_none();
        let resume = exported.resume_after.unwrap_or_default();
        let chunk = exported.bytes;
        self.tell(place, group, Input::ChunkRead { session, number, chunk, resume, last });
        Ok(())
    }

    fn begin_import(
        &mut self,
        place: Place,
        group: GroupId,
        from: StoreId,
        session: u64,
    ) -> Result<(), Violation> {
        let engine: Arc<dyn Engine> = self.stores[place].engine.clone();
        let begun = self.with(place, group, |member| {
            member.importer = None;
            member.last_generation += 1;
            let generation = member.last_generation;
            // A crash may have left part of an earlier attempt under the same name.
            while drop_generation(&*engine, group, generation, DROP_RECORDS)? == Dropped::More {}
            Ok::<_, synod_mvcc::ImportError>((
                generation,
                Importer::new(engine, group, generation)?,
            ))
        });
        match begun {
            None => Ok(()),
            Some(Err(error)) => Err(self.broken(error.to_string())),
            Some(Ok((_, importer))) => {
                self.with(place, group, |member| member.importer = Some((from, session, importer)));
                Ok(())
            }
        }
    }

    fn write_chunk(
        &mut self,
        place: Place,
        group: GroupId,
        (from, session): (StoreId, u64),
        number: u64,
        chunk: Bytes,
    ) -> Result<(), Violation> {
        let written = self.with(place, group, |member| match &mut member.importer {
            Some((source, known, importer)) if (*source, *known) == (from, session) => {
                importer.add_chunk(chunk).is_ok()
            }
            _ => false,
        });
        if let Some(accepted) = written {
            self.tell(place, group, Input::ChunkWritten { from, session, number, accepted });
        }
        Ok(())
    }

    fn finish_import(
        &mut self,
        place: Place,
        group: GroupId,
        from: StoreId,
        session: u64,
    ) -> Result<(), Violation> {
        let taken =
            self.with(place, group, |member| (member.importer.take(), member.last_generation));
        let Some((Some((_, _, importer)), generation)) = taken else { return Ok(()) };
        let finished = importer.finish().map(|_| generation);
        let flushed = self.stores[place].engine.flush();
        flushed.map_err(|error| self.broken(error.to_string()))?;
        let generation = finished.map(Some).map_err(|error| self.broken(error.to_string()))?;
        self.tell(place, group, Input::InstallReady { from, session, generation });
        Ok(())
    }

    fn switch(
        &mut self,
        place: Place,
        group: GroupId,
        generation: Generation,
        index: LogIndex,
    ) -> Result<(), Violation> {
        let engine: Arc<dyn Engine> = self.stores[place].engine.clone();
        let options = self.scenario.key_space_options();
        let opened = KeySpace::open_with(engine.clone(), group, generation, options);
        let keyspace = opened.map_err(|fatal| self.broken(fatal.to_string()))?;
        if keyspace.applied() != index {
            let detail = format!("a snapshot of {index} holds {}", keyspace.applied());
            return Err(self.broken(detail));
        }
        let now = self.stores[place].now(self.now);
        let left = self.with(place, group, |member| {
            let left = std::mem::replace(&mut member.generation, generation);
            member.keyspace = keyspace;
            member.keeper.state_replaced(now);
            let queue = std::mem::take(&mut member.queue);
            let (overtaken, queue) = queue.into_iter().partition(|it| it.entry.index <= index);
            member.queue = queue;
            (left, Vec::<Committed>::from_iter(overtaken as std::collections::VecDeque<_>))
        });
        if let Some((left, overtaken)) = left {
            self.overtaken(place, overtaken)?;
            let dropped = drop_generation(&*engine, group, left, DROP_RECORDS);
            dropped.map_err(|fatal| self.broken(fatal.to_string()))?;
        }
        self.counters.snapshots += 1;
        self.tell(place, group, Input::Applied(index));
        Ok(())
    }

    /// What was handed out and is now covered by the snapshot: its effect is there, its result is
    /// not known.
    fn overtaken(&mut self, place: Place, overtaken: Vec<Committed>) -> Result<(), Violation> {
        let outcome = Outcome::Unknown(UnknownReason::BehindSnapshot);
        for request in overtaken.into_iter().filter_map(|committed| committed.request) {
            self.end(place, request, Told::Ended(outcome))?;
        }
        Ok(())
    }
}
