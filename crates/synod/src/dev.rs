//! `synod dev`: a cluster of real processes on this machine, to try things out.
//!
//! Always holds: it restarts nothing by itself; it deletes nothing that it did not make; its nodes
//! end with it, however it ends.

mod cluster;
mod directory;
mod nodes;
mod text;

use crate::exit::Exit;
use crate::server::fail;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use synod_consensus::Protocol;

pub(crate) const HELP: &str = "\
Node 1 serves clients at 2379 and its peers at 2380, node 2 at 2381 and 2382, and so on; --base-port
moves them all. The data stays in the data directory, and the same command goes on with it; --fresh
starts over. Ctrl-C stops every node.";

/// The flags of `synod dev`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DevFlags {
    /// How many nodes, 1 to 7; 3 for a new cluster, as many as before for an old one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=7))]
    nodes: Option<u16>,

    /// Where the nodes' data lies
    #[arg(long, default_value = "./synod-data", value_name = "DIRECTORY")]
    data_dir: PathBuf,

    /// Delete what an earlier `synod dev` left in the data directory, and found a new cluster
    #[arg(long)]
    fresh: bool,

    /// raft or paxos; raft for a new cluster, what it was made with for an old one
    #[arg(long, value_name = "PROTOCOL")]
    consensus: Option<Protocol>,

    /// The first node's client port
    #[arg(long, default_value_t = 2379, value_name = "PORT")]
    base_port: u16,

    /// Show the nodes' log lines from this level on
    #[arg(long, default_value = "warn", value_name = "LEVEL")]
    log_level: String,
}

/// Why a development cluster did not come up or did not stay up.
#[derive(Debug)]
struct Failed {
    exit: Exit,
    text: String,
}

impl Failed {
    fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }
}

/// Runs a cluster until it is asked to stop.
pub(crate) fn run(flags: DevFlags) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(cluster::run(flags)),
        Err(error) => Err(Failed::new(Exit::Other, format!("cannot start: {error}"))),
    };
    match outcome {
        Ok(()) => Exit::Requested.into(),
        Err(Failed { exit, text }) => fail(exit, &text),
    }
}
