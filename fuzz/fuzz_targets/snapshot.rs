//! Chunks of a snapshot from another node: anything but a whole stream is refused, nothing panics.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use synod_consensus::GroupId;
use synod_mvcc::Importer;
use synod_storage::MemoryEngine;

fuzz_target!(|raw: &[u8]| {
    let engine = Arc::new(MemoryEngine::new());
    let mut importer = Importer::new(engine, GroupId::DEFAULT, 1).expect("the engine is empty");
    let _ = importer.add_chunk(Bytes::copy_from_slice(raw));
    let _ = importer.finish();
});
