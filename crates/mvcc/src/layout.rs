//! How a key space lies in the engine: keys, and the records behind them.

mod escape;
mod intent;
mod keys;
mod records;

pub use intent::{Intent, IntentWrite, TransactionId};
pub(crate) use keys::{Kind, Layout, PREFIX_BYTES, last_of_stem};
pub(crate) use records::{
    EventKind, EventRecord, LeaseRecord, State, VersionRecord, put_record, tombstone_record,
};
