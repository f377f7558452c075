//! A cluster of real processes on loopback, whose nodes can be killed and started again.

use super::address;
use super::clients::Clients;
use super::process::{Ended, Process};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use synod_coordination::proto::etcdserverpb as pb;
use tempfile::TempDir;

/// Both protocols, by the names that the command line knows.
pub const PROTOCOLS: [&str; 2] = ["raft", "paxos"];

/// How many of a node's last log lines a failed test shows.
const LINES_SHOWN: usize = 30;

/// A node that may or may not be running; name, addresses and directory stay.
pub struct Node {
    pub name: String,
    pub client: SocketAddr,
    pub peer: SocketAddr,
    pub data: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl Node {
    /// `http://host:port` for clients.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.client)
    }

    /// What is running.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the test started it")
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        self.process.take().expect("the test started it").kill();
    }

    /// Asks it to stop and waits for its end.
    pub fn stop(&mut self) -> Ended {
        self.process.take().expect("the test started it").stop()
    }

    /// Waits until it ends by itself.
    pub fn end(&mut self) -> Ended {
        self.process.take().expect("the test started it").end()
    }
}

/// See the module's text. The processes end before the directory goes.
pub struct Cluster {
    pub nodes: Vec<Node>,
    pub protocol: String,
    pub directory: TempDir,
}

impl Cluster {
    /// Three nodes that all serve.
    pub fn start(protocol: &str) -> Self {
        let mut cluster = Self::plan(protocol, &["n1", "n2", "n3"]);
        cluster.start_all();
        cluster
    }

    /// Nodes that are not started yet.
    pub fn plan(protocol: &str, names: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let node = |name: &&str| Node {
            name: (*name).to_owned(),
            client: address::free(),
            peer: address::free(),
            data: directory.path().join(name),
            log: directory.path().join(format!("{name}.stderr")),
            process: None,
        };
        let nodes = names.iter().map(node).collect();
        Self { nodes, protocol: protocol.to_owned(), directory }
    }

    /// Starts every node and waits until each of them serves.
    pub fn start_all(&mut self) {
        (0..self.nodes.len()).for_each(|number| self.launch(number));
        for node in &mut self.nodes {
            node.process().wait_for("ready ");
        }
    }

    /// Starts a node, without waiting for anything.
    pub fn launch(&mut self, number: usize) {
        self.launch_with(number, &self.arguments(number));
    }

    /// The same, with other arguments.
    pub fn launch_with(&mut self, number: usize, arguments: &[String]) {
        let node = &mut self.nodes[number];
        assert!(node.process.is_none(), "it is running");
        node.process = Some(Process::start(arguments, &node.log));
    }

    /// Starts a node and waits until it serves.
    pub fn restart(&mut self, number: usize) {
        self.launch(number);
        self.nodes[number].process().wait_for("ready ");
    }

    /// What a node is started with.
    pub fn arguments(&self, number: usize) -> Vec<String> {
        let node = &self.nodes[number];
        self.arguments_at(number, &node.data)
    }

    /// The same, on another data directory.
    pub fn arguments_at(&self, number: usize, data: &Path) -> Vec<String> {
        let node = &self.nodes[number];
        let listed = |one: &Node| format!("{}=http://{}", one.name, one.peer);
        let list: Vec<String> = self.nodes.iter().map(listed).collect();
        vec![
            "start".to_owned(),
            format!("--name={}", node.name),
            format!("--data-dir={}", data.display()),
            format!("--listen-client-urls=http://{}", node.client),
            format!("--listen-peer-urls=http://{}", node.peer),
            format!("--initial-cluster={}", list.join(",")),
            format!("--consensus={}", self.protocol),
        ]
    }

    /// Where clients connect, node by node.
    pub fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().map(Node::endpoint).collect()
    }

    /// A client of one node.
    pub async fn clients(&self, number: usize) -> Clients {
        Clients::connect(&self.nodes[number].endpoint()).await
    }

    /// Which of the nodes leads, once one says so of itself. All must be running.
    pub async fn leader(&self) -> usize {
        let mut nodes = Vec::new();
        for number in 0..self.nodes.len() {
            nodes.push(self.clients(number).await);
        }
        let look = async {
            loop {
                for (number, node) in nodes.iter_mut().enumerate() {
                    if leads(node).await {
                        return number;
                    }
                }
                tokio::time::sleep(super::POLL_INTERVAL).await;
            }
        };
        super::patiently("for a leader", look).await
    }
}

impl Drop for Cluster {
    /// A failed test shows what the nodes said last.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for node in &self.nodes {
            let said = std::fs::read_to_string(&node.log).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            let last = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
            eprintln!("--- {} at {}:\n{}", node.name, node.client, last.join("\n"));
        }
    }
}

async fn leads(node: &mut Clients) -> bool {
    let status = node.maintenance.status(pb::StatusRequest {}).await.unwrap().into_inner();
    status.leader != 0 && status.leader == status.header.unwrap().member_id
}
