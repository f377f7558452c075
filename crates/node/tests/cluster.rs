//! Clusters of whole nodes: what is written through one is read through another, over restarts,
//! under both protocols.

#![allow(clippy::unwrap_used, reason = "in a test an error is a failure")]

mod common;

use bytes::Bytes;
use common::{GROUP, Place, get, get_stale, patiently, put, until_done};
use synod_consensus::{GroupId, Protocol};
use synod_mvcc::{Command, LeaseId, Put};
use synod_node::StopReason;

const PROTOCOLS: [Protocol; 2] = [Protocol::Raft, Protocol::Paxos];

#[tokio::test(flavor = "multi_thread")]
async fn one_node_alone_serves_and_keeps_what_it_acknowledged() {
    for protocol in PROTOCOLS {
        let place = Place::new(&["only"], protocol);
        let node = place.start("only").await.unwrap();
        put(&node, "key", "value").await;
        assert_eq!(get(&node, "key").await.as_deref(), Some("value"));
        let cluster = node.handle().cluster();
        node.stop().await;
        let node = place.start("only").await.unwrap();
        assert_eq!(get(&node, "key").await.as_deref(), Some("value"));
        assert_eq!(node.handle().cluster(), cluster, "a cluster is founded once");
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_acknowledged_is_read_through_every_other() {
    for protocol in PROTOCOLS {
        let place = Place::new(&["a", "b", "c"], protocol);
        let nodes = place.start_all(|_| {}).await;
        for (name, node) in &nodes {
            put(node, name, &format!("through {name}")).await;
            for reader in nodes.values() {
                let expected = format!("through {name}");
                assert_eq!(get(reader, name).await, Some(expected), "{protocol}");
            }
        }
        let clusters: Vec<_> = nodes.values().map(|node| node.handle().cluster()).collect();
        assert!(clusters.iter().all(|cluster| *cluster == clusters[0]));
        for node in nodes.into_values() {
            node.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_majority_serves_and_the_third_catches_up() {
    for protocol in PROTOCOLS {
        let place = Place::new(&["a", "b", "c"], protocol);
        let mut nodes = place.start_all(|_| {}).await;
        put(&nodes["a"], "first", "1").await;
        for name in ["a", "b", "c"] {
            nodes.remove(name).unwrap().stop().await;
            let other = nodes.values().next().unwrap();
            put(other, name, "while one was away").await;
            let node = place.start(name).await.unwrap();
            assert_eq!(get(&node, name).await.as_deref(), Some("while one was away"));
            assert_eq!(get(&node, "first").await.as_deref(), Some("1"));
            nodes.insert(name.to_owned(), node);
        }
        for node in nodes.into_values() {
            node.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_at_once_restart_with_everything() {
    for protocol in PROTOCOLS {
        let place = Place::new(&["a", "b", "c"], protocol);
        let nodes = place.start_all(|_| {}).await;
        for number in 0..50 {
            put(&nodes["b"], &format!("key-{number}"), "kept").await;
        }
        for node in nodes.into_values() {
            node.stop().await;
        }
        let nodes = place.start_all(|_| {}).await;
        for number in 0..50 {
            assert_eq!(get(&nodes["c"], &format!("key-{number}")).await.as_deref(), Some("kept"));
        }
        for node in nodes.into_values() {
            node.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_missed_what_the_log_forgot_gets_a_snapshot() {
    for protocol in PROTOCOLS {
        let place = Place::new(&["a", "b", "c"], protocol);
        let forgetful = |config: &mut synod_node::NodeConfig| {
            config.trailing_bytes = 4096;
            config.segment_bytes = 64 << 10;
            config.flush_interval = std::time::Duration::from_millis(1);
        };
        let mut nodes = place.start_all(forgetful).await;
        put(&nodes["c"], "before", "1").await;
        nodes.remove("c").unwrap().stop().await;
        let value = "x".repeat(4096);
        for number in 0..200 {
            put(&nodes["a"], &format!("key-{number}"), &value).await;
        }
        // The others forget once their engines are flushed, which their flush threads do.
        let forgotten = || {
            let first = |name: &str| nodes[name].handle().log_start(GROUP);
            first("a").0 > 100 && first("b").0 > 100
        };
        patiently(async {
            while !forgotten() {
                put(&nodes["a"], "more", &value).await;
            }
        })
        .await;
        let mut config = place.config("c");
        forgetful(&mut config);
        let c = place.start_with(config.clone()).await.unwrap();
        assert_eq!(get(&c, "key-199").await, Some(value.clone()));
        assert_eq!(get(&c, "before").await.as_deref(), Some("1"));
        put(&c, "after", "2").await;
        c.stop().await;
        let c = place.start_with(config).await.unwrap();
        assert_eq!(get_stale(&c, "key-100"), Some(value), "the new generation survives a restart");
        assert_eq!(get(&c, "after").await.as_deref(), Some("2"));
        c.stop().await;
        for node in nodes.into_values() {
            node.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_renewed_through_any_node_and_its_keys_go_with_it() {
    let place = Place::new(&["a", "b", "c"], Protocol::Raft);
    let nodes = place.start_all(|_| {}).await;
    let lease = LeaseId(77);
    let grant = Command::LeaseGrant { lease, ttl_seconds: 2 };
    let handle = nodes["a"].handle();
    until_done(|| handle.propose(GROUP, &grant)).await;
    let key = Bytes::from_static(b"leased");
    let attach = Command::Put(Put { key, lease, ..Put::default() });
    until_done(|| handle.propose(GROUP, &attach)).await;
    for node in nodes.values() {
        let handle = node.handle();
        let time = until_done(|| handle.renew(GROUP, lease)).await.expect("it is alive");
        assert_eq!(time.granted_seconds, 2);
        assert_eq!(until_done(|| handle.renew(GROUP, LeaseId(1))).await, None);
    }
    // Nobody renews it any more: the lessor ends it, and every node sees its key go.
    let mut changed = nodes["b"].handle().revision_changed(GROUP);
    patiently(async {
        while get_stale(&nodes["b"], "leased").is_some() {
            changed.changed().await.unwrap();
        }
    })
    .await;
    let handle = nodes["c"].handle();
    assert_eq!(until_done(|| handle.time_to_live(GROUP, lease)).await, None);
    for node in nodes.into_values() {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_learns_every_nodes_addresses() {
    let place = Place::new(&["a", "b", "c"], Protocol::Raft);
    let nodes = place.start_all(|_| {}).await;
    for node in nodes.values() {
        let handle = node.handle();
        let mut changed = handle.revision_changed(GroupId::META);
        patiently(async {
            while handle.members().iter().any(|member| member.record.client_urls.is_empty()) {
                changed.changed().await.unwrap();
            }
        })
        .await;
        let members = handle.members();
        let names: Vec<_> = members.iter().map(|member| member.record.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(members[1].record.client_urls, ["http://client-of-b:1"]);
    }
    for node in nodes.into_values() {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_refuses_reads_and_never_claims_a_write() {
    let place = Place::new(&["only"], Protocol::Raft);
    let node = place.start("only").await.unwrap();
    put(&node, "key", "value").await;
    let handle = node.handle();
    node.stop().await;
    assert_eq!(handle.stop_reason(), Some(StopReason::Requested));
    assert!(handle.linearize(GROUP).await.is_err());
    assert!(handle.propose(GROUP, &common::put_command("key", "other")).await.is_err());
}

/// Property: what a real node recorded replays bit for bit, in a process that has neither its disk
/// nor its clock.
#[tokio::test(flavor = "multi_thread")]
async fn recordings_of_real_nodes_replay_exactly() {
    for protocol in [Protocol::Raft, Protocol::Paxos] {
        let place = Place::new(&["n1", "n2", "n3"], protocol);
        let journal = place.directory.path().join("journal");
        let nodes =
            place.start_all(|config| config.journal = Some(journal.join(&config.name))).await;
        for number in 0..50 {
            let key = Bytes::from(format!("key{number}"));
            let put = Put { key, value: Bytes::from_static(b"value"), ..Put::default() };
            let handle = nodes.values().nth(number % 3).unwrap().handle();
            patiently(handle.propose(GROUP, &Command::Put(put))).await.unwrap();
        }
        for node in nodes.into_values() {
            node.stop().await;
        }
        for name in ["n1", "n2", "n3"] {
            let recording = std::fs::read(journal.join(name).join("group-1-1.journal")).unwrap();
            let replayed = synod_group::journal::replay(recording.into()).unwrap();
            assert!(replayed.group.status().committed.0 >= 50, "{name} of {protocol}");
        }
    }
}
