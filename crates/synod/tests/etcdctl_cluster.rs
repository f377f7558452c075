//! The real `etcdctl`, unmodified, works with every node of a cluster of real processes, whichever
//! leads, on both protocols; and what it does at one node it finds at the others.

#![allow(clippy::unwrap_used, reason = "a test fails where something is not as expected")]

mod common;
#[path = "../../coordination/tests/common/etcdctl.rs"]
#[allow(dead_code, unreachable_pub, reason = "another crate's tests share it")]
mod etcdctl;
#[path = "../../coordination/tests/common/session.rs"]
#[allow(unreachable_pub, reason = "another crate's tests share it")]
mod session;

use common::cluster::Cluster;
use common::{PATIENCE, POLL_INTERVAL, skip};
use etcdctl::Etcdctl;
use session::{assert_same, converse};
use std::path::Path;
use std::time::Instant;

/// What a real etcd made the same `etcdctl` print.
const RECORD: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../coordination/tests/golden/etcdctl.txt");

fn installed() -> bool {
    let found = Path::new("/usr/bin/etcdctl").exists();
    if !found {
        skip("etcdctl is not installed (Debian: etcd-client)");
    }
    found
}

#[test]
fn every_node_of_a_raft_cluster_makes_etcdctl_print_what_etcd_does() {
    every_node_is_like_etcd("raft");
}

#[test]
fn every_node_of_a_paxos_cluster_makes_etcdctl_print_what_etcd_does() {
    every_node_is_like_etcd("paxos");
}

/// A session with each of three nodes, so with at least two that do not lead. Each has a cluster of
/// its own, because a session begins with an empty key space.
fn every_node_is_like_etcd(protocol: &str) {
    if !installed() {
        return;
    }
    let record = std::fs::read_to_string(RECORD).unwrap();
    for number in [2, 1, 0] {
        let cluster = Cluster::start(protocol);
        let said = converse(Etcdctl::new(&cluster.nodes[number].endpoint()));
        assert_same(&record, &said);
    }
}

#[test]
fn what_etcdctl_does_at_one_node_of_a_raft_cluster_it_finds_at_the_others() {
    nodes_are_one_cluster("raft");
}

#[test]
fn what_etcdctl_does_at_one_node_of_a_paxos_cluster_it_finds_at_the_others() {
    nodes_are_one_cluster("paxos");
}

fn nodes_are_one_cluster(protocol: &str) {
    if !installed() {
        return;
    }
    let cluster = Cluster::start(protocol);
    let at = cluster.endpoints().iter().map(|endpoint| Etcdctl::new(endpoint)).collect::<Vec<_>>();
    let nodes = Nodes { cluster: &cluster, all: at };
    nodes.members_are_listed_by_all();
    nodes.one_leads_and_all_are_healthy();
    nodes.keys_are_everywhere();
    nodes.leases_are_everywhere();
    nodes.history_is_everywhere();
}

struct Nodes<'a> {
    cluster: &'a Cluster,
    all: Vec<Etcdctl>,
}

impl Nodes<'_> {
    /// What a command prints at one node, which must not fail.
    fn at(&self, node: usize, line: &str) -> String {
        self.at_with(node, line, "")
    }

    fn at_with(&self, node: usize, line: &str, input: &str) -> String {
        let (output, code) = run(&self.all[node], line, input);
        assert_eq!(code, Some(0), "{line}: {output}");
        output
    }

    /// What a command prints at one node, which must fail.
    fn fails_at(&self, node: usize, line: &str) -> String {
        let (output, code) = run(&self.all[node], line, "");
        assert_ne!(code, Some(0), "{line}: {output}");
        output
    }

    /// A client of all nodes at once.
    fn together(&self) -> Etcdctl {
        Etcdctl::new(&self.cluster.endpoints().join(",").replace("http://", ""))
    }

    /// A node is listed with where clients find it as soon as it has told the cluster.
    fn members_are_listed_by_all(&self) {
        let begun = Instant::now();
        let listed = |node: usize| {
            let list = self.at(node, "member list");
            let has = |one: &common::cluster::Node| {
                let told = format!(", started, {}, http://{}, ", one.name, one.peer);
                list.contains(&format!("{told}{}, false", one.endpoint()))
            };
            self.cluster.nodes.iter().all(has) && list.lines().count() == 3
        };
        for node in 0..3 {
            while !listed(node) {
                assert!(begun.elapsed() < PATIENCE, "{}", self.at(node, "member list"));
                std::thread::sleep(POLL_INTERVAL);
            }
        }
        let lists: Vec<String> = (0..3).map(|node| self.at(node, "member list")).collect();
        assert!(lists.iter().all(|list| *list == lists[0]), "{lists:?}");
    }

    fn one_leads_and_all_are_healthy(&self) {
        let (status, code) = run(&self.together(), "endpoint status", "");
        assert_eq!(code, Some(0), "{status}");
        let lines: Vec<Vec<&str>> = status.lines().map(|line| line.split(", ").collect()).collect();
        // Endpoint, id, version, size, leader, learner, term, index, ...
        assert_eq!(lines.len(), 3, "{status}");
        assert_eq!(lines.iter().filter(|fields| fields[4] == "true").count(), 1, "{status}");
        assert!(lines.iter().all(|fields| fields[2] == "3.5.21"), "{status}");
        assert!(lines.iter().all(|fields| fields[6] == lines[0][6]), "one term: {status}");
        let (health, code) = run(&self.together(), "endpoint health", "");
        assert_eq!((health.matches("is healthy").count(), code), (3, Some(0)), "{health}");
        for node in 0..3 {
            assert!(self.at(node, "endpoint health").contains("is healthy"));
            assert_eq!(self.at(node, "endpoint status").lines().count(), 1);
            let health = self.at(node, "endpoint health --cluster");
            assert_eq!(health.matches("is healthy").count(), 3, "{health}");
        }
    }

    fn keys_are_everywhere(&self) {
        for (writer, key) in ["k/0", "k/1", "k/2"].into_iter().enumerate() {
            assert_eq!(self.at(writer, &format!("put {key} {writer}")), "OK\n");
            for reader in 0..3 {
                assert_eq!(self.at(reader, &format!("get {key}")), format!("{key}\n{writer}\n"));
            }
        }
        for reader in 0..3 {
            assert_eq!(self.at(reader, "get k/1 k/3"), "k/1\n1\nk/2\n2\n");
            let last = self.at(reader, "get --prefix k/ --order=DESCEND --limit=1 --keys-only");
            assert_eq!(last, "k/2\n\n");
            let count = self.at(reader, "get --prefix k/ --limit=1 --write-out=fields");
            assert!(count.contains("\"Count\" : 3"), "{count}");
        }
        let swap = "value(\"k/0\") = \"0\"\n\nput k/0 swapped\n\nget k/0\n\n";
        assert!(self.at_with(1, "txn", swap).starts_with("SUCCESS"));
        assert!(self.at_with(2, "txn", swap).starts_with("FAILURE\n\nk/0\nswapped\n"));
        assert_eq!(self.at(2, "del k/0 --prev-kv"), "1\nk/0\nswapped\n");
        assert_eq!(self.at(0, "get k/0"), "");
    }

    fn leases_are_everywhere(&self) {
        let granted = self.at(0, "lease grant 600");
        let lease = granted.split(' ').nth(1).unwrap();
        self.at(1, &format!("put leased 1 --lease={lease}"));
        for node in 0..3 {
            assert!(self.at(node, "lease list").contains(lease));
            let renewed = self.at(node, &format!("lease keep-alive --once {lease}"));
            assert!(renewed.contains("keepalived with TTL(600)"), "{renewed}");
            let left = self.at(node, &format!("lease timetolive {lease} --keys"));
            assert!(left.contains("granted with TTL(600s)") && left.contains("leased"), "{left}");
        }
        self.at(2, &format!("lease revoke {lease}"));
        for node in 0..3 {
            assert_eq!(self.at(node, "get leased"), "");
            assert!(self.at(node, "lease list").starts_with("found 0 leases"));
        }
    }

    fn history_is_everywhere(&self) {
        let fields = self.at(0, "get h --write-out=fields");
        let revision: i64 = value(&fields, "\"Revision\"");
        let watches: Vec<_> = (0..3)
            .map(|node| {
                let from = revision + 1;
                self.all[node].watch(&format!("watch --prefix h --rev={from} --prev-kv"))
            })
            .collect();
        for (writer, line) in ["put h 1", "put h 2", "del h"].into_iter().enumerate() {
            self.at(writer, line);
        }
        for watch in watches {
            let mut seen = Etcdctl::new("nowhere");
            watch.take("PUT h 1 PUT h 1 h 2 DELETE h 2 h".split(' ').count(), &mut seen);
            let seen = seen.finish();
            assert!(seen.contains("\nPUT\nh\n1\nPUT\nh\n1\nh\n2\nDELETE\nh\n2\nh\n"), "{seen}");
        }
        let first = format!("get h --rev={}", revision + 1);
        assert_eq!(self.at(2, &first), "h\n1\n");
        let compacted = self.at(1, &format!("compaction {}", revision + 2));
        assert!(compacted.starts_with("compacted revision"), "{compacted}");
        for node in 0..3 {
            let refusal = self.fails_at(node, &first);
            assert!(refusal.contains("has been compacted"), "{refusal}");
        }
    }
}

fn run(etcdctl: &Etcdctl, line: &str, input: &str) -> (String, Option<i32>) {
    etcdctl.output(&line.split(' ').collect::<Vec<_>>(), input)
}

/// The number after a field's name.
fn value(fields: &str, name: &str) -> i64 {
    let line = fields.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
