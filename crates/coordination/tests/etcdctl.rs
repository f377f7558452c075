//! The real `etcdctl`, unmodified, over the whole surface: it prints the same with Synod as with the
//! real etcd that wrote `golden/etcdctl.txt`. `UPDATE_EXPECT=1` writes the record anew.

#![allow(clippy::unwrap_used, reason = "a test fails where something is not as expected")]

mod common;

use common::clients::Clients;
use common::etcdctl::Etcdctl;
use common::oracle::{Oracle, installed};
use common::server::Server;
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
    let said = session(Etcdctl::of(&oracle)).await;
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
    for (record, said) in record.split("\n\n").zip(said.split("\n\n")) {
        assert_eq!(record, said, "left: etcd, right: synod");
    }
    assert_eq!(record.len(), said.len());
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

fn converse(mut e: Etcdctl) -> String {
    keys(&mut e);
    transactions(&mut e);
    leases(&mut e);
    watches(&mut e);
    coordination(&mut e);
    maintenance(&mut e);
    e.finish()
}

fn keys(e: &mut Etcdctl) {
    let lines = [
        "put a 1",
        "put a 2 --prev-kv",
        "put a/x 10",
        "put a/y 9",
        "put b 3",
        "get a",
        "get missing",
        "get a --prefix",
        "get a b",
        "get --from-key b",
        "get a --prefix --limit=2",
        "get a --prefix --keys-only",
        "get a --prefix --order=DESCEND --sort-by=KEY",
        "get a --prefix --order=ASCEND --sort-by=VALUE",
        "get a --prefix --order=DESCEND --sort-by=MODIFY",
        "get a --prefix --order=DESCEND --sort-by=CREATE",
        "get a --prefix --order=DESCEND --sort-by=VERSION",
        "get a --prefix --limit=1 --write-out=fields",
        "get a --print-value-only",
        "get a --consistency=s",
        "get a --rev=2",
        "get a --rev=999",
        "get a --write-out=fields",
        "put a --ignore-value",
        "put missing --ignore-value",
        "put missing 1 --ignore-lease",
        "put a 1 --lease=4d",
        "del missing",
        "del a --prev-kv",
        "del a/ --prefix --prev-kv",
        "del --from-key zzz",
    ];
    lines.into_iter().for_each(|line| {
        // The ids of cluster and member stand in the fields of headers.
        let shows_ids = line.contains("fields");
        if shows_ids { fields(e, line) } else { e.run(line) }
    });
}

fn fields(e: &mut Etcdctl, line: &str) {
    let arguments: Vec<&str> = line.split(' ').collect();
    let (output, code) = e.output(&arguments, "");
    let is_id = |line: &&str| line.contains("ClusterID") || line.contains("MemberID");
    let kept: Vec<&str> = output.lines().filter(|line| !is_id(line)).collect();
    let kept: String = kept
        .iter()
        .filter(|line| !line.contains("RaftTerm"))
        .map(|line| format!("{line}\n"))
        .collect();
    e.say(line, &kept, code);
}

fn transactions(e: &mut Etcdctl) {
    e.run_with("txn", "ver(\"t\") = \"0\"\n\nput t 1\nget t\n\nget t\n\n");
    e.run_with("txn", "ver(\"t\") = \"0\"\n\nput t 1\nget t\n\nget t\ndel t\n\n");
    e.run_with("txn", "val(\"b\") = \"3\"\nmod(\"b\") > \"1\"\n\nput b 4\n\nput b 5\n\n");
    e.run_with("txn", "val(\"b\") = \"4\"\n\nput b 5\nput b 6\n\n\n");
    e.run_with("txn", "\nput c 1\nget --prefix c\n\n\n");
}

fn leases(e: &mut Etcdctl) {
    // The ids are drawn by the server: they are named here, and nowhere else.
    let (granted, code) = e.output(&["lease", "grant", "100"], "");
    let id = granted.split(' ').nth(1).unwrap().to_owned();
    let run = |e: &mut Etcdctl, line: &str| {
        let actual = line.replace("ID", &id);
        let arguments: Vec<&str> = actual.split(' ').collect();
        let (output, code) = e.output(&arguments, "");
        let output = output.replace(&id, "ID");
        // A second may pass.
        e.say(line, &output.replace("remaining(99s)", "remaining(98s)"), code);
    };
    e.say("lease grant 100", &granted.replace(&id, "ID"), code);
    run(e, "put l2 1 --lease=ID");
    run(e, "put l1 1 --lease=ID");
    run(e, "lease keep-alive --once ID");
    run(e, "lease timetolive ID");
    run(e, "lease list");
    run(e, "lease revoke ID");
    run(e, "lease revoke ID");
    run(e, "lease timetolive ID");
    run(e, "lease keep-alive ID");
    run(e, "lease list");
    e.run("get l --prefix");
    e.run("put l 1 --lease=1234");
    e.run("lease grant 9000000001");
}

fn watches(e: &mut Etcdctl) {
    e.watch("watch --rev=2 --prefix a").take(12, e);
    e.watch("watch --rev=2 --prefix --prev-kv a").take(20, e);
    e.watch("watch --rev=2 a b").take(12, e);
    // A watch from now on is created when it is told of a write; the write waits for nothing else.
    let next = e.watch("watch --rev=40 w");
    while !e.output(&["get", "w"], "").0.contains("last") {
        let (output, _) = e.output(&["put", "w", "last"], "");
        assert!(output.contains("OK"));
    }
    let (revision, _) = e.output(&["get", "w", "--write-out=fields"], "");
    let revision: i64 = value(&revision, "\"Revision\"").unwrap();
    for _ in revision..40 {
        e.output(&["put", "w", "last"], "");
    }
    next.take(3, e);
}

/// The number after a field's name.
fn value(fields: &str, name: &str) -> Option<i64> {
    let line = fields.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// What etcdctl builds on leases and transactions by itself.
fn coordination(e: &mut Etcdctl) {
    e.run("lock mutex /bin/echo locked");
    let leader = e.watch("elect office one");
    leader.take(2, &mut Etcdctl::new(""));
}

fn maintenance(e: &mut Etcdctl) {
    for line in [
        "endpoint health",
        "alarm list",
        "alarm disarm",
        "defrag",
        "compaction 20",
        "compaction 20",
        "compaction 9999",
        "get a --rev=19",
        "get b --rev=20",
        "watch --rev=2 a",
    ] {
        e.run(line);
    }
}
