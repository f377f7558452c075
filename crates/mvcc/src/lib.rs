//! A versioned key space.
mod command;
mod model;
pub use command::*;
pub use model::{Event, KeyRange, KeyValue, LeaseId, RangeEnd, Revision};
