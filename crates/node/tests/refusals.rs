//! What a node refuses: directories, peers and bytes that are not its own; nothing is lost by it.

#![allow(clippy::unwrap_used, reason = "in a test an error is a failure")]

mod common;

use common::{Place, get, patiently, put};
use std::io::{Read, Write};
use std::net::TcpStream;
use synod_consensus::Protocol;
use synod_node::{Node, StartErrorCause};
use synod_transport::{Frame, FrameKind, PROTOCOL_VERSION};

async fn stop_all(nodes: impl IntoIterator<Item = Node>) {
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_in_use_is_named_with_its_process() {
    let place = Place::new(&["only"], Protocol::Raft);
    let node = place.start("only").await.unwrap();
    put(&node, "key", "value").await;
    let error = place.start("only").await.unwrap_err();
    assert!(matches!(error.cause, StartErrorCause::Lock(_)));
    let text = error.to_string();
    let process = format!("process {}", std::process::id());
    assert!(text.contains(&process) && text.contains("--data-dir"), "{text}");
    assert_eq!(get(&node, "key").await.as_deref(), Some("value"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_protocol_on_the_same_data_is_refused_with_the_flag_that_helps() {
    let place = Place::new(&["only"], Protocol::Raft);
    place.start("only").await.unwrap().stop().await;
    let mut config = place.config("only");
    config.consensus = Protocol::Paxos;
    let error = place.start_with(config).await.unwrap_err();
    assert!(error.to_string().contains("--consensus raft"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_disk_under_an_old_name_is_refused_and_the_others_go_on() {
    let place = Place::new(&["a", "b", "c"], Protocol::Raft);
    let mut nodes = place.start_all(|_| {}).await;
    put(&nodes["a"], "key", "value").await;
    nodes.remove("c").unwrap().stop().await;
    std::fs::remove_dir_all(place.data("c")).unwrap();
    let error = place.start("c").await.unwrap_err();
    assert!(matches!(error.cause, StartErrorCause::Founding(_)));
    let text = error.to_string();
    assert!(text.contains("name c was store") && text.contains("wiped"), "{text}");
    assert_eq!(get(&nodes["b"], "key").await.as_deref(), Some("value"));
    stop_all(nodes.into_values()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_lost_under_a_living_identity_is_refused() {
    let place = Place::new(&["only"], Protocol::Raft);
    place.start("only").await.unwrap().stop().await;
    std::fs::remove_dir_all(place.data("only").join("log")).unwrap();
    let error = place.start("only").await.unwrap_err();
    assert!(matches!(error.cause, StartErrorCause::LogLost(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clusters_data_under_a_members_name_is_refused_by_every_member() {
    let place = Place::new(&["a", "b", "c"], Protocol::Raft);
    let other = Place::new(&["c"], Protocol::Raft);
    other.start("c").await.unwrap().stop().await;
    let mut nodes = place.start_all(|_| {}).await;
    put(&nodes["a"], "key", "value").await;
    nodes.remove("c").unwrap().stop().await;
    // Node c comes up on the other cluster's directory: it serves that cluster, which is itself
    // alone, and gets nothing from this one.
    let mut config = place.config("c");
    config.data_directory = other.data("c");
    let stranger = place.start_with(config).await.unwrap();
    assert_ne!(stranger.handle().cluster(), nodes["a"].handle().cluster());
    put(&nodes["b"], "key", "newer").await;
    assert_eq!(get(&stranger, "key").await, None);
    stranger.stop().await;
    stop_all(nodes.into_values()).await;
}

/// Everything that the peer port answers until it closes the connection.
fn talk(address: &str, raw: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(common::PATIENCE)).unwrap();
    // The other side may close before everything is written, which is the point.
    let _ = socket.write_all(raw);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_frames_on_the_peer_port_harm_nothing() {
    let place = Place::new(&["a", "b", "c"], Protocol::Raft);
    let nodes = place.start_all(|_| {}).await;
    put(&nodes["a"], "key", "value").await;
    let mut hostile_length = Vec::new();
    Frame::of_connection(FrameKind::Hello, bytes::Bytes::new()).encode_into(&mut hostile_length);
    hostile_length[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut half_hello = Vec::new();
    let body = bytes::Bytes::copy_from_slice(&PROTOCOL_VERSION.to_le_bytes());
    Frame::of_connection(FrameKind::Hello, body).encode_into(&mut half_hello);
    for name in ["a", "b", "c"] {
        for raw in [&b"GET / HTTP/1.1\r\n\r\n"[..], &hostile_length, &half_hello, &[0xff; 4096]] {
            let (address, raw) = (place.address(name), raw.to_vec());
            let answer = tokio::task::spawn_blocking(move || talk(&address, &raw));
            assert_eq!(patiently(answer).await.unwrap(), b"");
        }
    }
    put(&nodes["b"], "key", "newer").await;
    assert_eq!(get(&nodes["c"], "key").await.as_deref(), Some("newer"));
    stop_all(nodes.into_values()).await;
}
