//! Bad input, damaged and full disks, and disks that are not the node's: each gets a clear error, the
//! other nodes serve on, and nothing acknowledged is lost.

#![allow(clippy::unwrap_used, reason = "a test fails where something is not as expected")]

mod common;

use common::clients::{Clients, is_refusal};
use common::cluster::{Cluster, PROTOCOLS};
use common::process::Ended;
use common::{PATIENCE, POLL_INTERVAL, patiently, skip};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use synod_coordination::proto::etcdserverpb as pb;
use tonic::{Code, Status};

/// Exit codes, as `synod start --help` lists them.
const CANNOT_START: Option<i32> = Some(6);
const DISK: Option<i32> = Some(7);
const DATA: Option<i32> = Some(8);
const REFUSED: Option<i32> = Some(9);

/// What was acknowledged, key by key.
type Written = BTreeMap<String, String>;

async fn write(node: &mut Clients, written: &mut Written, key: &str, value: &str) {
    node.put(key, value).await;
    written.insert(key.to_owned(), value.to_owned());
}

/// Every node but `down` takes a write, and reads exactly what was acknowledged.
async fn serve_on(cluster: &Cluster, down: Option<usize>, written: &mut Written) {
    for number in (0..cluster.nodes.len()).filter(|number| Some(*number) != down) {
        let mut node = cluster.clients(number).await;
        let key = format!("round-{}-{number}", written.len());
        write(&mut node, written, &key, "written").await;
        holds(&mut node, written).await;
    }
}

async fn holds(node: &mut Clients, written: &Written) {
    let text = |bytes: &bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let kvs = node.get_all().await.kvs;
    let held: Written = kvs.iter().map(|kv| (text(&kv.key), text(&kv.value))).collect();
    assert!(held == *written, "held: {:?}; written: {:?}", held.keys(), written.keys());
}

/// It ended with `code` and its words hold each of `words`.
fn ended_with(ended: &Ended, code: Option<i32>, words: &[&str]) {
    assert_eq!(ended.code, code, "{}", ended.said);
    let error = ended.said.lines().find(|line| line.starts_with("error: "));
    let error = error.unwrap_or_else(|| panic!("no error is told: {}", ended.said));
    for word in words {
        assert!(error.contains(word), "not '{word}': {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_in_etcds_words_at_every_node_and_change_nothing() {
    let cluster = Cluster::start("raft");
    let mut written = Written::new();
    let mut first = cluster.clients(0).await;
    for value in ["1", "2", "3"] {
        write(&mut first, &mut written, "key", value).await;
    }
    let newest = first.get_all().await.header.unwrap().revision;
    let compaction = pb::CompactionRequest { revision: newest, physical: false };
    first.kv.compact(compaction).await.unwrap();
    for number in 0..3 {
        let mut node = cluster.clients(number).await;
        let empty = node.try_put("", "value").await.unwrap_err();
        is(&empty, Code::InvalidArgument, "etcdserver: key is not provided");
        let large = node.try_put("key", vec![b'x'; 1600 << 10]).await.unwrap_err();
        is(&large, Code::InvalidArgument, "etcdserver: request is too large");
        // So large that it is refused before it is read, in the transport's words, as by etcd.
        for bytes in [8 << 20, 40 << 20] {
            let huge = node.try_put("key", vec![b'x'; bytes]).await.unwrap_err();
            assert_eq!(huge.code(), Code::ResourceExhausted, "{huge}");
            assert!(huge.message().contains("larger than max"), "{huge}");
        }
        let future = read_at(&mut node, newest + 1000).await;
        is(&future, Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision");
        let compacted = read_at(&mut node, newest - 1).await;
        is(&compacted, Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted");
        let mut watching = node.watch_from(newest - 1).await.unwrap();
        let answer = loop {
            let response = patiently("for an answer", watching.responses.message()).await;
            let response = response.unwrap().unwrap();
            if response.canceled {
                break response;
            }
            assert!(response.created && response.events.is_empty(), "{response:?}");
        };
        assert_eq!(answer.compact_revision, newest);
        holds(&mut node, &written).await;
    }
    serve_on(&cluster, None, &mut written).await;
}

async fn read_at(node: &mut Clients, revision: i64) -> Status {
    let range = pb::RangeRequest { key: "key".into(), revision, ..Default::default() };
    node.kv.range(range).await.unwrap_err()
}

fn is(status: &Status, code: Code, text: &str) {
    assert_eq!((status.code(), status.message()), (code, text));
    assert!(is_refusal(status), "it is certain that nothing was done: {status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_at_the_peer_ports_harms_nothing_while_the_cluster_serves() {
    for protocol in PROTOCOLS {
        let mut cluster = Cluster::start(protocol);
        let mut written = Written::new();
        let ports: Vec<SocketAddr> = cluster.nodes.iter().map(|node| node.peer).collect();
        let attack = tokio::task::spawn_blocking(move || attack(&ports));
        let mut round = 0;
        while !attack.is_finished() || round < 20 {
            let mut node = cluster.clients(round % 3).await;
            write(&mut node, &mut written, &format!("during-{round}"), "written").await;
            round += 1;
        }
        // Connections that say nothing, more than a node takes, do not lock a peer out for good.
        let silent = attack.await.unwrap();
        cluster.nodes[2].kill();
        cluster.restart(2);
        drop(silent);
        serve_on(&cluster, None, &mut written).await;
        for node in &mut cluster.nodes {
            assert!(node.process().is_running());
            let said = node.process().said();
            assert!(said.contains("closed a connection to the peer port"), "{said}");
            assert!(!said.contains("panicked"), "{said}");
        }
    }
}

/// More connections than a node accepts at a time.
const SILENT_CONNECTIONS: usize = 300;

/// Says everything to every port that a peer would not; gives connections that stay silent.
fn attack(ports: &[SocketAddr]) -> Vec<TcpStream> {
    for port in ports {
        for raw in garbage() {
            let mut socket = TcpStream::connect(port).unwrap();
            // The node may close before everything is written, which is the point.
            let _ = socket.write_all(&raw);
        }
    }
    let silent = |port: &SocketAddr| (0..SILENT_CONNECTIONS / ports.len()).map(|_| *port).collect();
    let all: Vec<SocketAddr> = ports.iter().flat_map::<Vec<_>, _>(silent).collect();
    all.iter().map(|port| TcpStream::connect(port).unwrap()).collect()
}

/// What the peer port's format document does not allow.
fn garbage() -> Vec<Vec<u8>> {
    let frame = |magic: &[u8; 4], length: u32, kind: u8, body: &[u8]| {
        let header = [&magic[..], &length.to_le_bytes(), &[0; 4], &[kind], &[0; 8]].concat();
        [&header[..], body].concat()
    };
    let mut all = vec![
        Vec::new(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        frame(b"SYNX", 4, 1, b"body"),
        frame(b"SYNP", u32::MAX, 1, b"body"),
        frame(b"SYNP", 60 << 10, 1, &[7; 1 << 10]),
        frame(b"SYNP", 4, 1, b"body"),
        frame(b"SYNP", 0, 200, b""),
        b"SYNP\x04".to_vec(),
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for length in [1, 20, 21, 22, 4096, 100_000] {
        all.push((0..length).map(|_| random_byte(&mut state)).collect());
        let behind_magic: Vec<u8> = (0..length).map(|_| random_byte(&mut state)).collect();
        all.push([&b"SYNP"[..], &behind_magic].concat());
    }
    all
}

/// Xorshift (Marsaglia, 2003): the same bytes in every run.
fn random_byte(state: &mut u64) -> u8 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 32) as u8
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_in_the_synced_log_keeps_the_node_down_and_the_others_serve() {
    for protocol in PROTOCOLS {
        let mut cluster = Cluster::start(protocol);
        let mut written = Written::new();
        serve_on(&cluster, None, &mut written).await;
        serve_on(&cluster, None, &mut written).await;
        cluster.nodes[1].kill();
        let segment = oldest_segment(&cluster.nodes[1].data);
        // The first batch, behind the header's sector: all that follows vouches for it.
        flip_byte(&segment, 512 + 60);
        cluster.launch(1);
        let name = segment.file_name().unwrap().to_str().unwrap();
        let advice = "restore this node from its peers";
        ended_with(&cluster.nodes[1].end(), DATA, &[name, "is damaged at byte", advice]);
        serve_on(&cluster, Some(1), &mut written).await;
        // Nothing was changed by refusing: with the byte as it was, the node goes on.
        flip_byte(&segment, 512 + 60);
        cluster.restart(1);
        serve_on(&cluster, None, &mut written).await;
    }
}

fn oldest_segment(data: &Path) -> PathBuf {
    let files = fs::read_dir(data.join("log")).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|it| it == "log")).min().unwrap()
}

fn flip_byte(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// A file system of its own in memory, for as long as this lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, mebibytes: u32) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={mebibytes}m");
        let mounted = mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], at);
        if !mounted {
            skip("a full disk: mounting a tmpfs is not permitted here");
        }
        mounted.then(|| Self(at.to_owned()))
    }

    fn grow(&self, mebibytes: u32) {
        assert!(mount(&["-o", &format!("remount,size={mebibytes}m")], &self.0));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a node may still be about to close its files.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

fn mount(arguments: &[&str], at: &Path) -> bool {
    let output = Command::new("mount").args(arguments).arg(at).output();
    output.is_ok_and(|output| output.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_follower_and_the_others_serve() {
    for protocol in PROTOCOLS {
        fill_a_disk(protocol, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_leader_and_the_others_serve() {
    for protocol in PROTOCOLS {
        fill_a_disk(protocol, true).await;
    }
}

/// Room for a founded cluster and some megabytes.
const SMALL_DISK_MEBIBYTES: u32 = 8;

async fn fill_a_disk(protocol: &str, of_leader: bool) {
    // Which node will lead is not known before; so each has a small disk, and those that are not to
    // fill up get room.
    let mut cluster = Cluster::plan(protocol, &["n1", "n2", "n3"]);
    let mut disks = Vec::new();
    for node in &cluster.nodes {
        let Some(disk) = SmallDisk::mount(&node.data, SMALL_DISK_MEBIBYTES) else { return };
        disks.push(disk);
    }
    cluster.start_all();
    let leader = cluster.leader().await;
    let victim = if of_leader { leader } else { (leader + 1) % 3 };
    for (number, disk) in disks.iter().enumerate() {
        if number != victim {
            disk.grow(256);
        }
    }
    let mut written = Written::new();
    let (value, begun) = ("v".repeat(200 << 10), Instant::now());
    let mut node = cluster.clients((victim + 1) % 3).await;
    let mut number = 0;
    while cluster.nodes[victim].process().is_running() {
        assert!(begun.elapsed() < PATIENCE, "{}", cluster.nodes[victim].process().said());
        let key = format!("fill-{number}");
        number += 1;
        match node.try_put(&key, value.clone()).await {
            Ok(_) => drop(written.insert(key, value.clone())),
            // The leader is gone: what became of the write is not known, so it is written over.
            Err(status) if status.code() == Code::Unavailable => {
                write(&mut node, &mut written, &key, &value).await;
            }
            Err(status) => panic!("{status}"),
        }
    }
    assert!(!written.is_empty());
    let ended = cluster.nodes[victim].end();
    ended_with(
        &ended,
        DISK,
        &["the disk", "Everything acknowledged is safe", "start the node again"],
    );
    serve_on(&cluster, Some(victim), &mut written).await;
    disks[victim].grow(256);
    cluster.restart(victim);
    serve_on(&cluster, None, &mut written).await;
    drop(cluster);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_disk_under_an_old_name_is_refused_and_the_others_serve() {
    for protocol in PROTOCOLS {
        let mut cluster = Cluster::start(protocol);
        let mut written = Written::new();
        serve_on(&cluster, None, &mut written).await;
        cluster.nodes[0].stop();
        fs::remove_dir_all(&cluster.nodes[0].data).unwrap();
        cluster.launch(0);
        let words = ["name n1 was store", "its disk was wiped or replaced", "with a new name"];
        ended_with(&cluster.nodes[0].end(), REFUSED, &words);
        serve_on(&cluster, Some(0), &mut written).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clusters_data_is_refused_in_words_and_never_mixed_in() {
    let mut other = Cluster::start("raft");
    let mut written_there = Written::new();
    serve_on(&other, None, &mut written_there).await;
    other.nodes.iter_mut().for_each(|node| drop(node.stop()));
    let mut cluster = Cluster::start("raft");
    let mut written = Written::new();
    serve_on(&cluster, None, &mut written).await;
    cluster.nodes[2].stop();
    let stranger = cluster.arguments_at(2, &other.nodes[2].data);
    cluster.launch_with(2, &stranger);
    let refusal = "node n3 holds data of cluster ";
    let begun = Instant::now();
    while !cluster.nodes[..2].iter_mut().all(|node| node.process().said().contains(refusal)) {
        assert!(begun.elapsed() < PATIENCE, "{}", cluster.nodes[0].process().said());
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    serve_on(&cluster, Some(2), &mut written).await;
    // It may go on trying, since it is the others' addresses that may be wrong; but it serves nobody.
    if cluster.nodes[2].process().is_running() {
        let put = cluster.clients(2).await.try_put("key", "value").await;
        assert!(put.is_err(), "{put:?}");
        let said = cluster.nodes[2].process().said();
        assert!(said.contains("holds data of cluster") && said.contains("--data-dir"), "{said}");
        cluster.nodes[2].kill();
    } else {
        ended_with(&cluster.nodes[2].end(), REFUSED, &["--data-dir"]);
    }
    cluster.restart(2);
    serve_on(&cluster, None, &mut written).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_protocol_is_refused_with_the_flag_that_helps_and_the_others_serve() {
    for (protocol, other) in [("raft", "paxos"), ("paxos", "raft")] {
        let mut cluster = Cluster::start(protocol);
        let mut written = Written::new();
        serve_on(&cluster, None, &mut written).await;
        cluster.nodes[1].stop();
        let mut arguments = cluster.arguments(1);
        arguments.push(format!("--consensus={other}"));
        arguments.retain(|argument| *argument != format!("--consensus={protocol}"));
        cluster.launch_with(1, &arguments);
        let helps = format!("Start it with --consensus {protocol}");
        ended_with(
            &cluster.nodes[1].end(),
            CANNOT_START,
            &["a cluster keeps its protocol", &helps],
        );
        serve_on(&cluster, Some(1), &mut written).await;
        // Without the flag, the directory says which.
        arguments.retain(|argument| !argument.starts_with("--consensus"));
        cluster.launch_with(1, &arguments);
        cluster.nodes[1].process().wait_for("ready ");
        serve_on(&cluster, None, &mut written).await;
    }
}
