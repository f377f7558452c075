//! Commands as bytes: what a log entry's payload is. The byte table is in `docs/format/command.md`.
//!
//! Always holds: `decode(encode(command)) == command`; decoding arbitrary bytes never panics and
//! recurses at most [`TXN_DEPTH_MAX`](crate::TXN_DEPTH_MAX) deep; bytes that this version does not
//! know are an error, on which a replica stops.

mod decode;
mod encode;

/// The version of every command written by this build; the first byte.
pub(crate) const COMMAND_VERSION: u8 = 1;

/// The second byte: which command.
pub(crate) mod command_tag {
    pub(crate) const PUT: u8 = 1;
    pub(crate) const DELETE: u8 = 2;
    pub(crate) const TXN: u8 = 3;
    pub(crate) const COMPACT: u8 = 4;
    pub(crate) const LEASE_GRANT: u8 = 5;
    pub(crate) const LEASE_REVOKE: u8 = 6;
    pub(crate) const LEASE_EXPIRE: u8 = 7;
    pub(crate) const LESSOR_EPOCH: u8 = 8;
}

/// Which operation of a transaction.
pub(crate) mod operation_tag {
    pub(crate) const RANGE: u8 = 1;
    pub(crate) const PUT: u8 = 2;
    pub(crate) const DELETE: u8 = 3;
    pub(crate) const TXN: u8 = 4;
}

/// Where a range of keys ends.
pub(crate) mod range_end_tag {
    pub(crate) const SINGLE: u8 = 1;
    pub(crate) const BEFORE: u8 = 2;
    pub(crate) const UNBOUNDED: u8 = 3;
}

/// What a compare looks at.
pub(crate) mod target_tag {
    pub(crate) const VERSION: u8 = 1;
    pub(crate) const CREATE: u8 = 2;
    pub(crate) const MOD: u8 = 3;
    pub(crate) const VALUE: u8 = 4;
    pub(crate) const LEASE: u8 = 5;
}

/// How a compare compares.
pub(crate) mod operator_tag {
    pub(crate) const EQUAL: u8 = 1;
    pub(crate) const GREATER: u8 = 2;
    pub(crate) const LESS: u8 = 3;
    pub(crate) const NOT_EQUAL: u8 = 4;
}

/// What a range is sorted by.
pub(crate) mod sort_tag {
    pub(crate) const KEY: u8 = 1;
    pub(crate) const VERSION: u8 = 2;
    pub(crate) const CREATE: u8 = 3;
    pub(crate) const MOD: u8 = 4;
    pub(crate) const VALUE: u8 = 5;
}

/// One bit for each flag of a put, a delete or a range.
pub(crate) mod flag {
    pub(crate) const WANT_PREVIOUS: u8 = 1;
    pub(crate) const KEEP_VALUE: u8 = 2;
    pub(crate) const KEEP_LEASE: u8 = 4;
    /// All flags that a put knows.
    pub(crate) const PUT_ALL: u8 = WANT_PREVIOUS | KEEP_VALUE | KEEP_LEASE;

    pub(crate) const DESCENDING: u8 = 1;
    pub(crate) const KEYS_ONLY: u8 = 2;
    pub(crate) const COUNT_ONLY: u8 = 4;
    /// All flags that a range knows.
    pub(crate) const RANGE_ALL: u8 = DESCENDING | KEYS_ONLY | COUNT_ONLY;
}
