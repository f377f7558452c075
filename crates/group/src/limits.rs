//! What a group holds at the most, and how long it is patient.

use std::time::Duration;

/// Local proposals without an outcome. Each costs about 200 bytes beside its payload; at fifty
/// thousand a second this is more than a second of work, and waiting longer helps nobody.
pub const PROPOSALS_MAX: usize = 65_536;

/// Bytes of local proposals that wait for a leader to be known, or were sent to one elsewhere and
/// may have to go to another. What a busy node takes in during an election fits; beyond it clients
/// are told to slow down.
pub const HELD_BYTES_MAX: usize = 64 << 20;

/// Local reads and questions without an outcome, each kind for itself.
pub const REQUESTS_MAX: usize = 65_536;

/// The largest payload of one entry: etcd's 1.5 MiB for a request, with room for its encoding.
pub const PAYLOAD_BYTES_MAX: usize = 2 << 20;

/// Proposals are forwarded in messages of at most about this many bytes.
pub const FORWARD_BYTES_MAX: usize = 1 << 20;

/// Reads are forwarded in rounds: one is under way while the next gathers, and a third covers one
/// that was lost.
pub const READ_ROUNDS_MAX: usize = 3;

/// A forwarded read or question without an answer is put again after this many heartbeat intervals.
pub const RETRY_HEARTBEATS: u32 = 3;

/// A snapshot's session without word from the other side ends after this many election timeouts.
pub const SNAPSHOT_IDLE_ELECTION_TIMEOUTS: u32 = 10;

/// A chunk without an answer is fetched again after this long.
pub const CHUNK_RETRY: Duration = Duration::from_millis(500);

/// A chunk whose checksum fails is fetched again this often before the session is given up.
pub const CHUNK_ATTEMPTS_MAX: u32 = 3;
