//! Where the time of a put goes, hop by hop: three nodes in this process, on loopback and on disk,
//! one client with one put at a time, through the leader and through a follower.
//!
//! `cargo run --release -p synod-node --example hops [raft|paxos] [PUTS] [DIRECTORY]`
//!
//! Each line is the median time from the put's beginning to a mark on its way, on the leader (L), on
//! the follower that is asked (F), or on the third node (T). The last put is the client's answer.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;
use synod_consensus::{GroupId, Protocol};
use synod_mvcc::{Command, Put};
use synod_node::{Node, NodeConfig};
use tracing::field::{Field, Visit};
use tracing::span;

/// A mark: when, on which node, where.
type Mark = (Instant, u64, String);

/// The marks of the put under way.
static MARKS: Mutex<Vec<Mark>> = Mutex::new(Vec::new());

/// Listens for marks and for nothing else.
struct Listener;

#[derive(Default)]
struct Fields {
    node: u64,
    place: String,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "node" {
            self.node = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "place" {
            self.place = value.to_owned();
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl tracing::Subscriber for Listener {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "synod::hop"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let now = Instant::now();
        let mut fields = Fields::default();
        event.record(&mut fields);
        MARKS.lock().expect("no listener panics").push((now, fields.node, fields.place));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let protocol: Protocol =
        arguments.next().map_or(Protocol::Raft, |it| it.parse().expect("raft or paxos"));
    let puts: usize = arguments.next().map_or(2_000, |it| it.parse().expect("a number of puts"));
    let directory = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = directory.join(format!("synod-hops-{}", std::process::id()));
    let nodes = start(protocol, &directory).await;
    let leader = leader_of(&nodes).await;
    tracing::subscriber::set_global_default(Listener).expect("nothing else listens");
    let follower = (leader + 1) % nodes.len();
    println!(
        "{protocol}, {puts} puts of 256 bytes each way, one at a time; medians in microseconds"
    );
    for (title, asked) in [("through the leader", leader), ("through a follower", follower)] {
        measure(&nodes, title, asked, leader, puts).await;
    }
    for node in nodes {
        node.stop().await;
    }
    std::fs::remove_dir_all(&directory).expect("the directory is this process's own");
}

async fn start(protocol: Protocol, directory: &std::path::Path) -> Vec<Node> {
    let names = ["n1", "n2", "n3"];
    let bind = |_: &&str| TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let listeners: Vec<TcpListener> = names.iter().map(bind).collect();
    let url =
        |listener: &TcpListener| format!("http://{}", listener.local_addr().expect("it is bound"));
    let urls: BTreeMap<String, String> =
        names.iter().zip(&listeners).map(|(name, it)| ((*name).to_owned(), url(it))).collect();
    let starting: Vec<_> = names
        .iter()
        .zip(listeners)
        .map(|(name, listener)| {
            let config = NodeConfig {
                consensus: protocol,
                initial_cluster: urls.clone(),
                peer_urls: vec![urls[*name].clone()],
                ..NodeConfig::new(name, directory.join(name))
            };
            tokio::spawn(Node::start(config, vec![listener]))
        })
        .collect();
    let mut nodes = Vec::new();
    for task in starting {
        nodes.push(task.await.expect("starting does not panic").expect("the nodes start"));
    }
    nodes
}

async fn leader_of(nodes: &[Node]) -> usize {
    let handle = nodes[0].handle();
    handle.linearize(GroupId::DEFAULT).await.expect("a leader is found");
    let status = handle.status(GroupId::DEFAULT);
    let leader = status.soft_state.leader;
    nodes.iter().position(|node| Some(node.handle().store()) == leader).expect("it is one of them")
}

async fn measure(nodes: &[Node], title: &str, asked: usize, leader: usize, puts: usize) {
    let handle = nodes[asked].handle();
    let letter = |store: u64| {
        let place = nodes.iter().position(|node| node.handle().store().0 == store);
        match place {
            Some(place) if place == leader => 'L',
            Some(place) if place == asked || asked == leader && place == (leader + 1) % 3 => 'F',
            _ => 'T',
        }
    };
    let mut times: BTreeMap<(char, String), Vec<u64>> = BTreeMap::new();
    let value = Bytes::from(vec![7; 256]);
    for number in 0..puts {
        let key = Bytes::from(format!("key{}", number % 1_000));
        let command = Command::Put(Put { key, value: value.clone(), ..Put::default() });
        MARKS.lock().expect("no listener panics").clear();
        let begun = Instant::now();
        handle.propose(GroupId::DEFAULT, &command).await.expect("it is applied");
        let ended = Instant::now();
        let micros = |at: Instant| at.duration_since(begun).as_micros() as u64;
        // The first time that a put passes a place counts; marks that come later belong to the
        // followers' catching up.
        let mut seen = BTreeMap::new();
        for (at, node, place) in MARKS.lock().expect("no listener panics").drain(..) {
            if at >= begun {
                seen.entry((letter(node), place)).or_insert(micros(at));
            }
        }
        seen.insert(('C', "the client has its answer".to_owned()), micros(ended));
        for (mark, at) in seen {
            times.entry(mark).or_default().push(at);
        }
    }
    report(title, times, puts);
}

fn report(title: &str, times: BTreeMap<(char, String), Vec<u64>>, puts: usize) {
    println!("\n{title}");
    let mut rows: Vec<_> = times
        .into_iter()
        // A mark that not half of the puts pass before they are answered is not on their way.
        .filter(|(_, times)| times.len() * 2 > puts)
        .map(|((node, place), mut times)| {
            times.sort_unstable();
            (times[times.len() / 2], times[times.len() * 99 / 100], node, place)
        })
        .collect();
    rows.sort();
    println!("{:>8} {:>8}  node  place", "median", "p99");
    for (median, late, node, place) in rows {
        println!("{median:>8} {late:>8}  {node}     {place}");
    }
}
