//! The flags of `synod start`: etcd's names where etcd has one.

use super::LogLevel;
use crate::exit::EXIT_CODES;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use synod_consensus::Protocol;

pub(crate) const HELP: &str = EXIT_CODES;

/// Whether the cluster is to be founded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ClusterState {
    /// The listed nodes found a cluster, unless they belong to one already.
    New,
    /// The cluster exists: wait to be told of it, never found one.
    Existing,
}

/// The flags of a node.
#[derive(Args, Clone, Debug)]
pub(crate) struct StartFlags {
    /// The node's name, unique in its cluster
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub(crate) name: String,

    /// Where its data lies; NAME.synod if not given
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Where clients connect; port 0 takes any free one
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "http://127.0.0.1:2379",
        value_name = "URLS"
    )]
    pub(crate) listen_client_urls: Vec<String>,

    /// Where clients are told to connect; where they do connect if not given
    #[arg(long, value_delimiter = ',', value_name = "URLS")]
    pub(crate) advertise_client_urls: Vec<String>,

    /// Where other nodes connect
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "http://127.0.0.1:2380",
        value_name = "URLS"
    )]
    pub(crate) listen_peer_urls: Vec<String>,

    /// Where other nodes are told to connect; where they do connect if not given
    #[arg(long, value_delimiter = ',', value_name = "URLS")]
    pub(crate) initial_advertise_peer_urls: Vec<String>,

    /// Every node of the cluster with its peer URL, this one included, the same on each of them
    #[arg(long, value_delimiter = ',', value_name = "NAME=URL")]
    pub(crate) initial_cluster: Vec<String>,

    /// Whether the listed nodes may found the cluster
    #[arg(long, value_enum, default_value_t = ClusterState::New)]
    pub(crate) initial_cluster_state: ClusterState,

    /// Keeps clusters apart that are founded with the same names
    #[arg(long, default_value = "synod-cluster", value_name = "TOKEN")]
    pub(crate) initial_cluster_token: String,

    /// raft or paxos; fixed when the data directory is first used, raft if not given then
    #[arg(long, value_name = "PROTOCOL")]
    pub(crate) consensus: Option<Protocol>,

    /// How much is written to stderr
    #[arg(long, value_enum, default_value_t = LogLevel::Info, value_name = "LEVEL")]
    pub(crate) log_level: LogLevel,

    /// Commands that add data are refused above this many bytes of data; 0 sets no limit
    #[arg(long, default_value_t = 0, value_name = "BYTES")]
    pub(crate) quota_backend_bytes: u64,

    /// Listen beyond loopback without encryption or authentication: whoever reaches the ports can
    /// read and write everything
    #[arg(long)]
    pub(crate) insecure: bool,

    /// Record what happens to the node's groups in files of this directory, for `synod replay`
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) journal: Option<PathBuf>,

    /// Stop when stdin is closed: whoever started this node is gone
    #[arg(long, hide = true)]
    pub(crate) exit_with_stdin: bool,
}
