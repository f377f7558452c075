//! One group's member on one node: a replica, and what its host and its clients expect of it.
//!
//! **What it is.** [`Group`] gives every proposal, read and question exactly one outcome, forwards
//! to the leader what arrives elsewhere, hands committed entries out in order, and moves snapshots.
//! Everything that happens goes in through [`Group::handle`]; what is to be done comes out of
//! [`Group::take_effects`] and [`Group::take_committed`].
//!
//! **What it is not.** It does no IO and knows nothing of what a command means: the host applies
//! entries to the state machine and reports back.
//!
//! **What always holds.** A forwarded proposal is taken at most once. "Refused" is said only when a
//! proposal certainly does not stand in the log and never will. Nothing is handed out to be applied
//! before it is durable on this store. Equal inputs give equal effects.
//!
//! **Where its tests are.** Beside the modules, and in the simulator, `synod-lab`, which drives
//! whole clusters of groups through every fault.

mod config;
mod effects;
mod group;
mod input;
pub mod journal;
pub mod limits;
mod message;
mod proposals;
mod propose;
mod read;
mod requests;
mod snapshots;
mod tenure;
mod transfer;
mod wire;

pub use config::{GroupBug, GroupConfig, GroupStatus};
pub use effects::{
    Committed, Evaluate, GroupEffects, LogWrite, Outcome, Outgoing, RefusedReason, SnapshotEffect,
    UnknownReason,
};
pub use group::Group;
pub use input::{AskId, Input, Proposal, RequestId};
pub use message::{ForwardedProposal, GroupMessage};
pub use wire::{MESSAGE_VERSION, decode_message, encode_message};
