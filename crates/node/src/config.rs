//! What a node is started with.

use crate::limits::REQUEST_TIMEOUT_DEFAULT;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use synod_consensus::Protocol;

/// What a node is started with. Listening sockets are handed over apart.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The node's name, unique in its cluster.
    pub name: String,
    /// Where its data lies; only one process at a time may use it.
    pub data_directory: PathBuf,
    /// What its groups run; fixed when the directory is first used.
    pub consensus: Protocol,
    /// Name to peer URL, this node's included: whom the cluster is founded with, and later where
    /// its members are found.
    pub initial_cluster: BTreeMap<String, String>,
    /// Whether this node may found the cluster, rather than wait to be told of it.
    pub may_found: bool,
    /// Keeps clusters apart that are founded at the same time with the same names.
    pub cluster_token: String,
    /// Where other nodes reach this one, to be published.
    pub peer_urls: Vec<String>,
    /// Where clients reach this node, to be published.
    pub client_urls: Vec<String>,
    /// A client's request fails after this long.
    pub request_timeout: Duration,
    /// Commands that add data are refused once the engine holds more than this many bytes.
    pub quota_bytes: Option<u64>,
    /// The release, to be published.
    pub release: String,
    /// How much of the applied log is kept for followers that lag, in bytes.
    pub trailing_bytes: usize,
    /// The log's segment length in bytes; tests make it small.
    pub segment_bytes: u64,
    /// Where recordings of the groups' inputs are written; `None` records nothing.
    pub journal: Option<PathBuf>,
    /// How often the engine is flushed when little is written; tests make it short.
    pub flush_interval: Duration,
}

impl NodeConfig {
    /// A node of one name and directory, alone, with defaults for the rest.
    #[must_use]
    pub fn new(name: &str, data_directory: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            data_directory: data_directory.into(),
            consensus: Protocol::Raft,
            initial_cluster: BTreeMap::new(),
            may_found: true,
            cluster_token: "synod-cluster".to_owned(),
            peer_urls: Vec::new(),
            client_urls: Vec::new(),
            request_timeout: REQUEST_TIMEOUT_DEFAULT,
            quota_bytes: None,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            trailing_bytes: crate::limits::TRAILING_BYTES,
            segment_bytes: synod_storage::SEGMENT_BYTES_DEFAULT,
            journal: None,
            flush_interval: crate::limits::FLUSH_INTERVAL,
        }
    }
}
