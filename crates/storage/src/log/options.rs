//! What a log is opened with, and its named limits.

use synod_consensus::StoreId;

/// A segment is closed when the next batch would make it longer than this many bytes. Large enough
/// that a roll (two more syncs) is rare, small enough that reclaiming one never takes long.
pub const SEGMENT_BYTES_DEFAULT: u64 = 64 << 20;

/// A batch's records take at most this many bytes. It bounds the buffer that a batch is built in
/// and the one that a reader must trust a length for; the largest client request is far below.
pub const BATCH_BYTES_MAX: usize = 32 << 20;

/// While segments are reclaimed, what is still needed is copied in batches of about this many
/// bytes, so that copying a large segment never needs a second buffer of its size.
pub const RECLAIM_BATCH_BYTES: usize = 1 << 20;

/// After [`crate::Log::reclaim`] reports that nothing is left to do, the log is not longer than
/// this many times what it retains, plus [`RECLAIM_SLACK_SEGMENTS`]. With four, a byte is copied
/// forward at most once for every three that are thrown away.
pub const RECLAIM_MULTIPLE: u64 = 4;

/// A log of so many segments is never worth copying.
pub const RECLAIM_SLACK_SEGMENTS: u64 = 4;

/// How a log behaves. The default is what production uses.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// See [`SEGMENT_BYTES_DEFAULT`]. Tests use a few kilobytes.
    pub segment_bytes: u64,
    /// A bug to commit on purpose. Only the laboratory sets it, to prove that its checkers see the
    /// consequences.
    pub planted_bug: Option<LogBug>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES_DEFAULT, planted_bug: None }
    }
}

/// Bugs that can be switched on at run time: each breaks a promise that a checker must notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogBug {
    /// Removes the oldest segment although some group still needs a part of it.
    ReclaimTooEarly,
    /// Reports writes as durable without syncing them.
    SkipSync,
}

/// Whose log it is, and where its salts come from.
#[derive(Clone, Copy, Debug)]
pub struct LogIdentity {
    /// The store; a log of another one is refused.
    pub store: StoreId,
    /// Drawn anew by the host whenever it opens the log: salts made of it keep bytes of an earlier
    /// life of the same disk from ever looking valid.
    pub seed: u64,
}
