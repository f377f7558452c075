//! Hosts groups: one process with its own disk, clock, threads and peers.
//!
//! **What it is.** A [`Node`] opens a data directory, becomes part of a cluster, and runs its groups:
//! the core thread owns them, the log thread makes their writes durable, the apply thread applies
//! what is committed, and further threads flush and move snapshots, so that none of these ever stops
//! a heartbeat. A [`NodeHandle`] is what clients' faces ask.
//!
//! **What it is not.** It decides nothing that clients may rely on: groups and key spaces do, without
//! IO. It speaks no client's protocol.
//!
//! **What always holds.** One process uses a data directory at a time. Every request has one outcome.
//! What asserts durable state leaves only after the sync. Whatever waits is bounded ([`limits`]). A
//! disk that fails, and a state that cannot be continued, stop the node with a reason; it never
//! answers wrongly.
//!
//! **Where its tests are.** Beside the modules; whole nodes over loopback and temporary directories
//! in `tests/`; power loss while the identity is written in `tests/identity_crash.rs`.

mod apply;
mod board;
mod clock;
mod config;
mod core;
mod error;
mod failure;
mod flush_thread;
pub mod founding;
mod gate;
mod handle;
mod hop;
pub mod identity;
mod journal;
pub mod limits;
mod log_thread;
mod members;
mod node;
pub mod paths;
mod publish;
mod queue;
mod random;
mod requests;
mod sender;
mod snapshot_thread;
mod start;
mod stopping;

pub use config::NodeConfig;
pub use error::{StartError, StartErrorCause};
pub use failure::{Failure, StopReason};
pub use handle::{NodeHandle, NodeSize};
pub use members::{Member, NodeRecord};
pub use node::Node;
