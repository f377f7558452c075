//! The etcd v3 face: what etcd's clients and tools speak, over any replicated key space.
//!
//! **What it is.** gRPC services (KV, Watch, Lease, Cluster, Maintenance) that check requests as etcd
//! does, turn them into commands and reads of [`synod_mvcc`], and answer with etcd's fields, codes
//! and texts. The key space is reached through one trait, [`Backend`]; [`serve`] puts the services
//! on a socket. [`proto`] holds the messages and also the clients, which the command line uses.
//!
//! **What it is not.** It decides nothing that a client may rely on: order, durability, leases and
//! watches are decided below, sans-IO. It knows neither Raft nor disks. It has no users and roles
//! yet, no TLS of its own, and no HTTP/JSON gateway.
//!
//! **What always holds.** A write is proposed exactly once: nothing in here repeats a proposal whose
//! outcome is unknown. A refusal is certain; an unknown outcome is always `Unavailable` with one of
//! etcd's timeout texts, and every error says which it is in the metadata [`errors::OUTCOME_KEY`].
//! All tables of codes and texts are in [`errors`]; the differences from etcd are in
//! `docs/compatibility.md`.
//!
//! **Where its tests are.** `tests/`: over a real socket with the generated client, with the real
//! `etcdctl`, and side by side with a real etcd server. The pure parts are tested in their modules.

pub mod backend;
mod cluster;
mod convert;
pub mod errors;
mod face;
mod header;
mod kv;
mod lease;
pub mod limits;
mod maintenance;
pub mod memory;
mod oversize;
pub mod proto;
mod server;
mod validate;
mod watch;

pub use backend::Backend;
pub use limits::Limits;
pub use server::{ServeError, routes, serve};

/// The etcd release whose behaviour this face has; clients read it in `Status`.
pub const ETCD_VERSION: &str = "3.5.21";
