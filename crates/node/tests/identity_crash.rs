//! Power loss at every single operation on the identity file.

#![allow(clippy::unwrap_used, reason = "in a test an error is a failure")]

use std::sync::Arc;
use synod_consensus::{Protocol, StoreId};
use synod_node::founding::{FoundingMember, FoundingRecord};
use synod_node::identity::{Identity, IdentityError, IdentityFile};
use synod_storage::{CrashPolicy, Disk, SimDisk};
use synod_transport::ClusterId;

const STORE: StoreId = StoreId(7);

fn record() -> FoundingRecord {
    let member = FoundingMember {
        name: "a".to_owned(),
        store: STORE,
        peer_url: "http://127.0.0.1:1".to_owned(),
    };
    FoundingRecord { cluster: ClusterId(3), consensus: Protocol::Raft, members: vec![member] }
}

fn start(disk: &SimDisk, draw: StoreId) -> Result<IdentityFile, IdentityError> {
    IdentityFile::start(Arc::new(disk.clone()), "a", Protocol::Raft, draw)
}

/// A life of three starts. Returns what was certainly reached.
fn live(disk: &SimDisk) -> Vec<Identity> {
    let mut reached = Vec::new();
    let mut life = || -> Result<(), IdentityError> {
        reached.push(start(disk, STORE)?.identity().clone());
        let mut file = start(disk, StoreId(99))?;
        reached.push(file.identity().clone());
        file.record_founding(&record())?;
        reached.push(file.identity().clone());
        file.record_installed()?;
        reached.push(file.identity().clone());
        reached.push(start(disk, StoreId(100))?.identity().clone());
        Ok(())
    };
    let _ = life();
    reached
}

fn operations_of_a_life() -> u64 {
    let disk = SimDisk::new(1);
    assert_eq!(live(&disk).len(), 5);
    disk.operations()
}

#[test]
fn no_crash_takes_back_a_step_or_uses_an_incarnation_twice() {
    let operations = operations_of_a_life();
    assert!(operations > 10, "a life has so many operations: {operations}");
    for policy in [CrashPolicy::LoseAll, CrashPolicy::KeepAll, CrashPolicy::Random] {
        for seed in 0..8 {
            for crash_at in 1..=operations {
                check_crash(policy, seed, crash_at);
            }
        }
    }
}

fn check_crash(policy: CrashPolicy, seed: u64, crash_at: u64) {
    let disk = SimDisk::new(seed);
    disk.crash_at_operation(crash_at);
    let reached = live(&disk);
    disk.crash(policy);
    let before = IdentityFile::peek(&disk as &dyn Disk)
        .unwrap_or_else(|error| panic!("{policy:?} seed {seed} crash {crash_at}: {error}"));
    let next = start(&disk, StoreId(200)).unwrap();
    let next = next.identity();
    let Some(last) = reached.last() else { return };
    let before = before.expect("what was reached is still there");
    assert_eq!(before.store, STORE);
    assert!(next.incarnation > last.incarnation);
    assert!(before.founding.is_some() || last.founding.is_none(), "a founding was taken back");
    assert!(before.installed || !last.installed, "an installation was taken back");
}
