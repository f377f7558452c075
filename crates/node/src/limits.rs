//! Every bound of the node, with its reason.

use std::time::Duration;

/// A client's request fails after this long: longer than an election, shorter than people wait.
pub const REQUEST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// At most this many client requests are under way at once. Above it they are refused as overload:
/// at ten thousand waiting, one more only makes each wait longer.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 16 << 10;

/// At most this many messages of peers wait for the core. It drains its inbox whole, so more waits
/// only while it is stalled; dropped messages are sent again.
pub const INBOX_MESSAGES_MAX: usize = 32 << 10;

/// At most this many bytes of peers' messages wait for the core: two peers' windows of appends.
pub const INBOX_BYTES_MAX: usize = 128 << 20;

/// Above this many bytes on their way to the log, peers' messages are dropped and proposals refused
/// until it catches up: the leader's window (64 MiB) and a batch of proposals (64 MiB) fit.
pub const LOG_QUEUE_BYTES_MAX: usize = 192 << 20;

/// Records are handed to the log in batches of about this many bytes: far below what a batch may
/// hold, and large enough that a batch's overhead is nothing.
pub const LOG_APPEND_BYTES: usize = 4 << 20;

/// Committed entries are taken for applying while fewer than this many bytes wait. What is not
/// taken stays in the group, which bounds it.
pub const APPLY_QUEUE_BYTES_MAX: usize = 32 << 20;

/// Entries are applied in batches of about this many bytes; readers see each batch whole, and
/// clients are answered after it.
pub const APPLY_BATCH_BYTES: usize = 1 << 20;

/// Steps of deletion that are taken at once when nothing waits to be applied: some milliseconds.
pub const SCRUB_STEPS: usize = 512;

/// The engine is flushed when it holds so many bytes in memory...
pub const FLUSH_BYTES: u64 = 32 << 20;

/// ... or when this long has passed since it last was: it bounds what a restart applies again.
pub const FLUSH_INTERVAL: Duration = Duration::from_secs(30);

/// How often is looked whether to flush.
pub const FLUSH_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Applying waits while the engine holds so many bytes in memory: a flush that cannot keep up slows
/// writes down instead of filling the memory. Heartbeats go on.
pub const ENGINE_MEMORY_BYTES_MAX: u64 = 256 << 20;

/// The log keeps this many bytes of applied entries for followers that lag: half a minute of a
/// busy group, which is cheaper than a snapshot.
pub const TRAILING_BYTES: usize = 32 << 20;

/// At most this many snapshots are read at once; the oldest is let go for another one.
pub const SNAPSHOT_SESSIONS_MAX: usize = 8;

/// One chunk of a snapshot: a frame's worth with room to spare.
pub const SNAPSHOT_CHUNK_BYTES: usize = 1 << 20;

/// A node that could not publish its own record waits this long before it tries again.
pub const PUBLISH_RETRY_DELAY: Duration = Duration::from_millis(500);

/// A reader that is kept keeps the engine from reclaiming what it sees; this often even the readers
/// of idle groups are replaced.
pub const READER_REFRESH_INTERVAL: Duration = Duration::from_secs(5);

/// Records of a superseded generation that are removed in one batch: some milliseconds of writing.
pub const DROP_RECORDS: usize = 4096;

/// At a start, so many generations on both sides of the one in force are looked through for what a
/// crash left: one old and one unfinished generation are usual, more need crashes in a row.
pub const GENERATIONS_SWEPT: u64 = 4;
