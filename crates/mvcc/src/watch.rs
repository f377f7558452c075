//! Watching: one client's watches, each a cursor into the ordered event index.
//!
//! **What always holds.** A watch is told every wanted event from its start on, in order, once, and
//! whole revisions, unless its client asked for fragments. A slow watch costs a cursor, not a queue:
//! nothing is gathered for it before the client takes it. A progress message with a revision means
//! that everything up to it was told. A watch that needs what is compacted is cancelled and told so.
//!
//! **How.** Watches that have been told everything up to one common revision are *in step*: new
//! revisions are taken from memory once for all of them, and an index tells which of them want what.
//! The others are *behind* (each reads on its own, in turn) or *ahead* (they start later).

mod message;
mod step;
mod stream;

pub use message::{CancelReason, RejectReason, WatchLimits, WatchMessage, WatchPoll, WatchRequest};
pub use stream::WatchStream;
