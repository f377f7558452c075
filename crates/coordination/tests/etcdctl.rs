//! The real `etcdctl`, unmodified, over the whole surface: it prints the same with Synod as with the
//! real etcd that wrote `golden/etcdctl.txt`. `UPDATE_EXPECT=1` writes the record anew.

#![allow(clippy::unwrap_used, reason = "a test fails where something is not as expected")]

mod common;

use common::clients::Clients;
use common::etcdctl::Etcdctl;
use common::oracle::{Oracle, installed};
use common::server::Server;
use common::session::{assert_same, converse};
use expect_test::expect_file;
use std::path::Path;

const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/etcdctl.txt");

#[tokio::test]
async fn the_record_is_what_etcdctl_prints_with_a_real_etcd() {
    if !(installed("etcd") && installed("etcdctl")) {
        return;
    }
    let oracle = Oracle::start();
    Clients::connect(&oracle.endpoint).await;
    let said = session(Etcdctl::new(&oracle.endpoint)).await;
    expect_file!["golden/etcdctl.txt"].assert_eq(&said);
}

#[tokio::test(flavor = "multi_thread")]
async fn etcdctl_prints_the_same_with_synod() {
    if !installed("etcdctl") {
        return;
    }
    let server = Server::start().await;
    let said = session(Etcdctl::new(&server.endpoint)).await;
    let record = std::fs::read_to_string(Path::new(RECORD)).unwrap();
    assert_same(&record, &said);
}

#[tokio::test(flavor = "multi_thread")]
async fn etcdctl_shows_the_member_and_its_status() {
    if !installed("etcdctl") {
        return;
    }
    let server = Server::start().await;
    let etcdctl = Etcdctl::new(&server.endpoint);
    let task = tokio::task::spawn_blocking(move || {
        let members = etcdctl.output(&["member", "list"], "");
        assert_eq!(
            members.0,
            "5d0d, started, memory, http://127.0.0.1:2380, http://127.0.0.1:2379, false\n"
        );
        let (status, code) = etcdctl.output(&["endpoint", "status"], "");
        assert_eq!(code, Some(0));
        let fields: Vec<&str> = status.trim().split(", ").collect();
        assert_eq!(fields[1..5], ["5d0d", "3.5.21", "1 B", "true"]);
        let (_, code) = etcdctl.output(&["endpoint", "hashkv"], "");
        assert_eq!(code, Some(0));
        let (refusal, code) = etcdctl.output(&["member", "remove", "5d0d"], "");
        assert!(refusal.contains("membership cannot be changed") && code == Some(1));
    });
    task.await.unwrap();
}

/// The session is blocking: it waits for processes.
async fn session(etcdctl: Etcdctl) -> String {
    tokio::task::spawn_blocking(move || converse(etcdctl)).await.unwrap()
}
