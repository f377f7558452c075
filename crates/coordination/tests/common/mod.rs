//! What the tests share: servers to talk to, clients, and transcripts.

#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails where something is not as expected")]

pub mod clients;
pub mod etcdctl;
pub mod oracle;
pub mod script;
pub mod server;
pub mod session;
pub mod transcript;
