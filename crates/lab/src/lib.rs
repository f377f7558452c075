//! The laboratory: simulates whole clusters in one thread, breaks them, and checks what was promised.
//!
//! **What it is.** [`run`] takes a [`Scenario`] through faults, calm and power loss under simulated
//! time, with the very code that production runs below its threads and sockets, and reports the
//! first broken promise. Bugs can be planted ([`Planted`]) to show that the checks see them.
//!
//! **What it is not.** It does not simulate threads, sockets or the real engine: those are tested
//! with real processes.
//!
//! **What always holds.** A scenario and a commit name a run exactly: the same seed gives the same
//! trace, byte for byte.
//!
//! **Where its tests are.** `tests/`: seeds of both protocols, a crash at every disk operation,
//! planted bugs, determinism.

mod check;
mod fault;
mod history;
mod member;
mod network;
mod random;
mod run;
mod scenario;
mod schedule;
mod sim;
mod snapshot;
mod store;
mod time;
mod violation;
mod watcher;
mod witness;
mod workload;

pub use network::{LinkFaults, Place};
pub use run::{Report, run};
pub use scenario::{FaultKinds, Planted, Sabotage, Scenario};
pub use sim::{Counters, Sim};
pub use time::{MILLISECOND, Micros, SECOND};
pub use violation::{Property, Violation};
