//! Versioned keys: revisions, transactions, leases, watches, as a pure function of state and command.
//!
//! **What it is.** A [`KeySpace`] applies the entries of a group's log to an engine, one atomic batch
//! each; a [`Reader`] answers from one consistent state; a [`WatchStream`] follows the ordered event
//! index with a cursor for each watch; a [`Lessor`] is what the leader alone knows of leases' time.
//! Semantics are etcd's; `docs/mvcc.md` has the layout, `docs/format/command.md` the commands.
//!
//! **What it is not.** It knows no clock, network, disk or thread: entries, readers and the time come
//! in, and values go out. Texts and codes of a protocol, limits of one node and permissions belong
//! to the faces above.
//!
//! **What always holds.** Equal logs give equal visible states, whatever each replica has flushed,
//! scrubbed, cached or replayed. A revision is whole: it is visible, watched and lost as one. What
//! this version cannot read stops the replica instead of letting it differ.
//!
//! **Where its tests are.** Beside each module; the key space against its naive [`twin`], with
//! crashes and planted bugs, in `tests/`.

mod codec;
mod command;
mod fatal;
mod keeper;
mod keyspace;
mod latest;
mod layout;
mod lessor;
mod limits;
mod model;
mod options;
mod read;
mod ring;
mod rules;
mod snapshot;
pub mod twin;
mod watch;

pub use command::*;
pub use fatal::Fatal;
pub use keeper::{LeaseKeeper, LeaseQuestion, LeaseTime};
pub use keyspace::{KeySpace, Scrubbed};
pub use layout::{Intent, IntentWrite, TransactionId};
pub use lessor::{EXPIRE_BATCH_MAX, Lessor, Remaining, Renewal};
pub use limits::{KEY_BYTES_MAX, LEASE_TTL_SECONDS_MAX, LEASE_TTL_SECONDS_MIN, TXN_DEPTH_MAX};
pub use model::{Event, KeyRange, KeyValue, LeaseId, RangeEnd, Revision};
pub use options::{KeySpaceBug, KeySpaceOptions};
pub use read::{EventAndPrevious, LeaseInfo, ReadError, Reader, StateHash};
pub use snapshot::{CHUNK_BYTES_MAX, Dropped, Exported, ImportError, Importer, drop_generation};
pub use watch::{
    CancelReason, RejectReason, WatchLimits, WatchMessage, WatchPoll, WatchRequest, WatchStream,
};
