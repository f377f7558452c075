//! Raft and Multi-Paxos behind one interface, without IO.
//!
//! **What it is.** A [`Replica`] is one store's part in one group: messages, timers and completions
//! go in together with the time; messages, log writes and outcomes come out as values.
//!
//! **What it is not.** It knows no sockets, files, threads, clocks or state machines, and draws
//! randomness only from the seed it is given. It does not decide what a proposal means.
//!
//! **What always holds.** Whatever a replica says that asserts durable state (a vote, a promise, an
//! acknowledgement) leaves it only inside the [`Write`] that makes it durable. A position once
//! committed never changes. Equal inputs give equal outputs, bit for bit.
//!
//! **Where its tests are.** Beside each module; figure 8 of the Raft paper in `tests/`;
//! everything together in the simulator, `synod-lab`.

mod config;
mod effects;
mod election;
mod entry;
mod follower;
mod ids;
mod leader;
mod log;
mod membership;
mod message;
mod paxos;
mod progress;
mod quorum;
mod raft;
mod random;
mod replica;
mod writer;

pub use config::{Config, ConsensusBug, Protocol};
pub use effects::{Effects, Envelope, ReadOutcome, Role, SnapshotNeeded, SoftState, Write};
pub use entry::{ENTRY_OVERHEAD_BYTES, Entry, EntryKind, HardState, Restored, SnapshotMeta};
pub use ids::{Ballot, GroupId, Instant, LogIndex, Origin, ReadId, StoreId, WriteId};
pub use leader::NotTaken;
pub use membership::{InvalidMembership, MEMBERS_MAX, Membership};
pub use message::{Body, Message, Position};
pub use replica::Replica;
