//! A snapshot's stream refuses what is not its next chunk, resumes anywhere, and leaves nothing half
//! done that could be taken for a key space.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use bytes::Bytes;
use common::rig::{GROUP, Rig};
use std::sync::Arc;
use synod_consensus::GroupId;
use synod_mvcc::{
    Command, Dropped, Exported, Fatal, ImportError, Importer, KeySpace, KeySpaceOptions, Put,
    Reader, drop_generation,
};
use synod_storage::{Engine, MemoryEngine};

const CHUNK_BYTES: usize = 100;

fn filled() -> Rig {
    let mut rig = Rig::new(KeySpaceOptions::default());
    for number in 0..20u8 {
        let put = Put { key: Bytes::from(vec![number]), ..Put::default() };
        rig.apply(&Command::Put(put)).unwrap();
    }
    rig
}

fn chunks(reader: &Reader) -> Vec<Exported> {
    let mut chunks = vec![reader.export_chunk(None, CHUNK_BYTES).unwrap()];
    while let Some(after) = chunks.last().and_then(|chunk| chunk.resume_after.clone()) {
        chunks.push(reader.export_chunk(Some(&after), CHUNK_BYTES).unwrap());
    }
    assert!(chunks.len() > 3);
    chunks
}

fn importer(engine: &MemoryEngine) -> Importer {
    Importer::new(Arc::new(engine.clone()), GROUP, 2).unwrap()
}

fn open(engine: &MemoryEngine) -> Result<KeySpace, Fatal> {
    KeySpace::open(Arc::new(engine.clone()), GROUP, 2)
}

#[test]
fn a_chunk_that_is_not_the_next_one_is_refused_and_the_import_goes_on() {
    let chunks = chunks(&filled().reader());
    let engine = MemoryEngine::new();
    let mut importer = importer(&engine);
    assert_eq!(importer.add_chunk(chunks[1].bytes.clone()), Err(ImportError::OutOfOrder));
    for chunk in &chunks {
        let mut damaged = chunk.bytes.to_vec();
        damaged[chunk.bytes.len() / 2] ^= 1;
        let refused = importer.add_chunk(damaged.into());
        assert!(matches!(refused, Err(ImportError::Damaged(_))), "{refused:?}");
        importer.add_chunk(chunk.bytes.clone()).unwrap();
        assert_eq!(importer.add_chunk(chunk.bytes.clone()), Err(ImportError::OutOfOrder));
        assert!(importer.resume_after().is_some());
    }
    importer.finish().unwrap();
    open(&engine).unwrap();
}

#[test]
fn a_chunk_of_another_state_or_group_is_refused() {
    let mut rig = filled();
    let first = rig.reader().export_chunk(None, CHUNK_BYTES).unwrap();
    rig.apply(&Command::Put(Put::default())).unwrap();
    let later = rig.reader().export_chunk(first.resume_after.as_ref(), CHUNK_BYTES).unwrap();
    let engine = MemoryEngine::new();
    let mut same_group = importer(&engine);
    same_group.add_chunk(first.bytes.clone()).unwrap();
    assert_eq!(same_group.add_chunk(later.bytes), Err(ImportError::AnotherSource));
    let mut other_group = Importer::new(Arc::new(engine), GroupId(9), 2).unwrap();
    assert_eq!(other_group.add_chunk(first.bytes), Err(ImportError::AnotherSource));
}

#[test]
fn an_import_that_stopped_cannot_be_opened_and_can_be_dropped() {
    let chunks = chunks(&filled().reader());
    for stop in 1..=chunks.len() {
        let engine = MemoryEngine::new();
        let mut importer = importer(&engine);
        for chunk in &chunks[..stop] {
            importer.add_chunk(chunk.bytes.clone()).unwrap();
        }
        if stop < chunks.len() {
            assert_eq!(importer.finish(), Err(ImportError::Incomplete));
        }
        let refused = open(&engine).unwrap_err();
        assert_eq!(refused, Fatal::IncompleteGeneration { group: GROUP, generation: 2 });
        let again = Importer::new(Arc::new(engine.clone()), GROUP, 2);
        assert_eq!(again.unwrap_err(), ImportError::NotEmpty);
        while drop_generation(&engine, GROUP, 2, 3).unwrap() == Dropped::More {}
        assert!(open(&engine).unwrap().reader().leases().unwrap().is_empty());
    }
}

#[test]
fn dropping_a_generation_leaves_its_neighbours_alone() {
    let rig = filled();
    let hash = rig.reader().hash_everything().unwrap();
    common::rig::copy(&rig.reader(), &rig.engine, 2, CHUNK_BYTES);
    assert_eq!(drop_generation(&rig.engine, GROUP, 2, 5).unwrap(), Dropped::More);
    assert!(matches!(open(&rig.engine), Err(Fatal::IncompleteGeneration { .. })), "at any moment");
    while drop_generation(&rig.engine, GROUP, 2, 5).unwrap() == Dropped::More {}
    assert_eq!(rig.reader().hash_everything().unwrap(), hash);
}

#[test]
fn a_state_of_a_later_format_or_with_intents_is_refused() {
    let engine = MemoryEngine::new();
    drop(open(&engine).unwrap());
    let (key, state) = {
        let view = engine.view();
        let everything = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        view.scan(everything).next().unwrap().unwrap()
    };
    let reopen_with = |change: &dyn Fn(&mut [u8])| {
        let mut changed = state.to_vec();
        change(&mut changed);
        let mut batch = synod_storage::WriteBatch::default();
        batch.put(key.clone(), changed);
        engine.write(batch).unwrap();
        open(&engine).unwrap_err()
    };
    assert_eq!(reopen_with(&|raw| raw[0] = 2), Fatal::UnknownFormat { found: 2 });
    let last = state.len() - 1;
    assert_eq!(reopen_with(&|raw| raw[last] = 3), Fatal::IntentsPresent { count: 3 });
}
