//! Whole nodes in one process: temporary directories, loopback, real threads.

#![allow(dead_code, reason = "each test file uses its own part")]

use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use synod_consensus::{GroupId, Protocol};
use synod_mvcc::{Applied, Command, KeyRange, Put, Range};
use synod_node::{Failure, Node, NodeConfig, StartError};
use tempfile::TempDir;

/// Longer than anything here takes; reaching it fails the test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const GROUP: GroupId = GroupId::DEFAULT;

/// Addresses and directories of nodes, which outlive the nodes.
pub(crate) struct Place {
    pub(crate) directory: TempDir,
    pub(crate) names: Vec<String>,
    pub(crate) consensus: Protocol,
    urls: BTreeMap<String, String>,
    listeners: BTreeMap<String, TcpListener>,
}

impl Place {
    pub(crate) fn new(names: &[&str], consensus: Protocol) -> Self {
        show_logs_if_asked();
        let directory = tempfile::tempdir().unwrap();
        let mut place = Self {
            directory,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            consensus,
            urls: BTreeMap::new(),
            listeners: BTreeMap::new(),
        };
        for name in &place.names {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            place.urls.insert(name.clone(), url);
            place.listeners.insert(name.clone(), listener);
        }
        place
    }

    pub(crate) fn url(&self, name: &str) -> &str {
        &self.urls[name]
    }

    pub(crate) fn address(&self, name: &str) -> String {
        self.urls[name].trim_start_matches("http://").to_owned()
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn config(&self, name: &str) -> NodeConfig {
        NodeConfig {
            consensus: self.consensus,
            initial_cluster: self.urls.clone(),
            peer_urls: vec![self.urls[name].clone()],
            client_urls: vec![format!("http://client-of-{name}:1")],
            ..NodeConfig::new(name, self.data(name))
        }
    }

    /// The peer socket of `name`: kept open over restarts, so that nobody else takes its port.
    pub(crate) fn listener(&self, name: &str) -> TcpListener {
        self.listeners[name].try_clone().unwrap()
    }

    pub(crate) async fn start(&self, name: &str) -> Result<Node, StartError> {
        self.start_with(self.config(name)).await
    }

    pub(crate) async fn start_with(&self, config: NodeConfig) -> Result<Node, StartError> {
        let listener = self.listener(&config.name);
        patiently(Node::start(config, vec![listener])).await
    }

    /// All of them at once: founding needs everyone.
    pub(crate) async fn start_all(
        &self,
        change: impl Fn(&mut NodeConfig),
    ) -> BTreeMap<String, Node> {
        let starting: Vec<_> = self
            .names
            .iter()
            .map(|name| {
                let mut config = self.config(name);
                change(&mut config);
                let listener = self.listener(name);
                tokio::spawn(async move { Node::start(config, vec![listener]).await })
            })
            .collect();
        let mut nodes = BTreeMap::new();
        for (name, task) in self.names.iter().zip(starting) {
            nodes.insert(name.clone(), patiently(task).await.unwrap().unwrap());
        }
        nodes
    }
}

/// With `SYNOD_TEST_LOG` set, the nodes' log lines go to stderr.
fn show_logs_if_asked() {
    if std::env::var_os("SYNOD_TEST_LOG").is_some() {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG);
        let _ = subscriber.with_writer(std::io::stderr).try_init();
    }
}

pub(crate) async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it should have happened by now")
}

pub(crate) fn put_command(key: &str, value: &str) -> Command {
    let (key, value) = (Bytes::from(key.to_owned()), Bytes::from(value.to_owned()));
    Command::Put(Put { key, value, ..Put::default() })
}

/// Repeats what was certainly not done until it is: an election may be under way.
pub(crate) async fn until_done<T, F>(mut attempt: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, Failure>>,
{
    let begun = Instant::now();
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(failure) => assert!(begun.elapsed() < PATIENCE, "still failing: {failure}"),
        }
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn put(node: &Node, key: &str, value: &str) -> Applied {
    let (handle, command) = (node.handle(), put_command(key, value));
    until_done(|| handle.propose(GROUP, &command)).await
}

pub(crate) async fn get(node: &Node, key: &str) -> Option<String> {
    let handle = node.handle();
    until_done(|| handle.linearize(GROUP)).await;
    get_stale(node, key)
}

pub(crate) fn get_stale(node: &Node, key: &str) -> Option<String> {
    let range = Range::of(KeyRange::single(Bytes::from(key.to_owned())));
    let reply = node.handle().reader(GROUP).range(&range).unwrap();
    reply.keys.first().map(|found| String::from_utf8(found.value.to_vec()).unwrap())
}
