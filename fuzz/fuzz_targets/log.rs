//! A segment of the log with anything in it: opening refuses or recovers, and never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use synod_consensus::StoreId;
use synod_storage::{Disk, Log, LogIdentity, LogOptions, SimDisk};

fuzz_target!(|raw: &[u8]| {
    let disk = SimDisk::new(1);
    disk.create_directory("log").expect("the disk is empty and works");
    disk.install_file("log/00000000000000000001.log", raw);
    let identity = LogIdentity { store: StoreId(1), seed: 1 };
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let _ = Log::open(disk, "log", LogOptions::default(), identity);
});
