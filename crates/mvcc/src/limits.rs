//! The limits that are part of the key space's rules: the same on every replica, for ever.
//!
//! Limits of one node (memory, batches, queues) are not here but beside what they bound.

/// No key is longer, in bytes. The engine's keys end at 65,535 bytes, and escaping doubles a key at
/// worst; what is left over holds the prefix and the revision.
pub const KEY_BYTES_MAX: usize = 32_000;

/// No transaction nests deeper, the outermost counted as 1. Recursion over a command stays shallow;
/// clients cannot reach it, since their messages may nest 100 levels, two to a transaction.
pub const TXN_DEPTH_MAX: usize = 64;

/// A lease lasts at least so long, in seconds; a shorter wish is raised to it, as etcd does.
pub const LEASE_TTL_SECONDS_MIN: i64 = 2;

/// A lease may last at most so long, in seconds, as etcd says. Faces refuse what is longer.
pub const LEASE_TTL_SECONDS_MAX: i64 = 9_000_000_000;
