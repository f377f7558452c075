//! How nodes that were given the same list become one cluster, once.
//!
//! Always holds: one list founds at most one cluster as long as its founder keeps its disk; a node
//! adopts one founding record in its life; nobody is told of a record that is not durable here.
//! See `docs/founding.md`.

mod machine;
mod record;

pub use machine::{Founding, FoundingConfig, FoundingError};
pub use record::{FoundingMember, FoundingRecord, URL_BYTES_MAX};
pub(crate) use record::{consensus_of_tag, consensus_tag};
