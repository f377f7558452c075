//! Synod answers as etcd does: the same conversation with both, compared with one written record.
//!
//! The record, `golden/conversation.txt`, was written by a real etcd. Where etcd is installed the
//! record itself is checked, too; `UPDATE_EXPECT=1` writes it anew. Where Synod differs on purpose is
//! in `unlike_etcd.rs`, and in `docs/compatibility.md`.

#![allow(clippy::unwrap_used, reason = "a test fails where something is not as expected")]

mod common;

use common::clients::Clients;
use common::oracle::{Oracle, installed};
use common::script;
use common::server::Server;
use expect_test::expect_file;

/// What a real etcd said.
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/conversation.txt");

#[tokio::test]
async fn the_record_is_what_a_real_etcd_says() {
    if !installed("etcd") {
        return;
    }
    let oracle = Oracle::start();
    let said = script::run(Clients::connect(&oracle.endpoint).await).await;
    expect_file!["golden/conversation.txt"].assert_eq(&said);
}

#[tokio::test]
async fn synod_says_the_same() {
    let server = Server::start().await;
    let said = script::run(Clients::connect(&server.endpoint).await).await;
    let record = std::fs::read_to_string(RECORD).unwrap();
    let differences = differences(&record, &said);
    assert!(differences.is_empty(), "the answers differ:\n{}", differences.join("\n"));
}

/// After so many differences the two have lost each other.
const DIFFERENCES_SHOWN: usize = 5;

/// The first lines that differ, each with what was asked before it.
fn differences(record: &str, said: &str) -> Vec<String> {
    let (record, said): (Vec<_>, Vec<_>) = (record.lines().collect(), said.lines().collect());
    let mut differences = Vec::new();
    for index in 0..record.len().max(said.len()) {
        let at = |lines: &[&str]| (*lines.get(index).unwrap_or(&"(nothing)")).to_owned();
        if at(&record) != at(&said) && differences.len() < DIFFERENCES_SHOWN {
            let asked = record.get(index.saturating_sub(1)).unwrap_or(&"");
            let (etcd, synod) = (at(&record), at(&said));
            differences.push(format!("{asked}\n  etcd:  {etcd}\n  synod: {synod}"));
        }
    }
    differences
}
