//! Every limit of the face, each with its reason. Those that an operator may set are in [`Limits`].

use std::time::Duration;

/// How large one request may be, in bytes: larger commands would delay the heartbeats and other
/// clients' commands that share the log. etcd's default.
pub const MAX_REQUEST_BYTES: usize = 1536 * 1024;

/// What a message on the wire may have over [`MAX_REQUEST_BYTES`], so that a request slightly too
/// large gets the readable answer instead of the transport's. etcd's value.
pub const REQUEST_OVERHEAD_BYTES: usize = 512 * 1024;

/// How many operations (or compares) one transaction may hold: a transaction is applied in one go,
/// and everyone waits for it. etcd's default.
pub const MAX_TXN_OPERATIONS: usize = 128;

/// How often an automatic lease id is drawn again when it is taken. Ids have 63 random bits: a
/// second draw is unlikely ever, a fourth means that the source of randomness is broken.
pub const MAX_LEASE_ID_DRAWS: usize = 3;

/// How many reads of more than one key run at a time: each holds its whole answer in memory.
pub const MAX_CONCURRENT_SCANS: usize = 16;

/// How many watch responses of one stream wait for the socket. Few: what is not yet sent costs
/// memory, while a cursor into the event index costs nothing.
pub const WATCH_RESPONSES_AHEAD: usize = 4;

/// How many keep-alive answers of one stream wait for the socket; beyond, the stream is not read.
pub const KEEP_ALIVES_AHEAD: usize = 16;

/// How many calls one connection may have open. Go clients put every watch stream and every call
/// of a process on one connection and wait patiently at the limit.
pub const MAX_CONCURRENT_STREAMS: u32 = 8192;

/// How many streams that a client reset may wait to be cleaned up before the connection is closed:
/// a client that cancels a burst of calls is usual, an endless burst is an attack.
pub const MAX_PENDING_RESETS: usize = 1024;

/// Bytes of one call in flight towards the server: one whole request of the largest size.
pub const STREAM_WINDOW_BYTES: u32 = (MAX_REQUEST_BYTES + REQUEST_OVERHEAD_BYTES) as u32;

/// Bytes of one connection in flight towards the server: a few of the largest requests, so that
/// one large put does not stop the small ones beside it.
pub const CONNECTION_WINDOW_BYTES: u32 = 4 * STREAM_WINDOW_BYTES;

/// How long a connection may be silent before it is probed. etcd waits two hours; a minute frees
/// the watches of a client whose machine is gone while it still matters.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);

/// How long a probe may go unanswered before the connection is given up. etcd's default.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a client that asked for a leader is kept on a stream without one: three election
/// timeouts of the default configuration, as in etcd.
pub const LEADERLESS_GRACE: Duration = Duration::from_secs(3);

/// How long open calls may take to end once the server is asked to stop.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// What an operator may set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// See [`MAX_REQUEST_BYTES`].
    pub max_request_bytes: usize,
    /// See [`MAX_TXN_OPERATIONS`].
    pub max_txn_operations: usize,
    /// How often an idle watcher that asked for it is told how far it is. Up to a tenth is added
    /// per stream, so that streams opened together do not speak together.
    pub watch_progress_interval: Duration,
    /// The quota that `Status` reports, in bytes; 0 is none.
    pub quota_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_request_bytes: MAX_REQUEST_BYTES,
            max_txn_operations: MAX_TXN_OPERATIONS,
            watch_progress_interval: Duration::from_secs(600),
            quota_bytes: 0,
        }
    }
}
