//! What the tests share: servers to talk to, clients, and transcripts.

#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses a part of it")]

pub mod clients;
pub mod oracle;
pub mod script;
pub mod server;
pub mod transcript;
