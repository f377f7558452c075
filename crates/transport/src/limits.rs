//! Every bound of the transport, with its reason.

use std::time::Duration;

/// The largest body of a frame, in bytes. An append carries about a mebibyte, or one larger entry; a
/// snapshot's chunk is of that order; sixteen leaves room for both and still bounds what one
/// connection can make a node hold.
pub const FRAME_BODY_BYTES_MAX: usize = 16 << 20;

/// The largest body of a frame before the handshake is over: a greeting with a founding record of
/// 64 members. A stranger can make a node hold no more than this.
pub const HELLO_BODY_BYTES_MAX: usize = 64 << 10;

/// The longest name of a node, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// At most this many frames wait for one peer: some seconds of a busy group's heartbeats and
/// acknowledgements. What comes on top is dropped, and consensus sends it again.
pub const OUTBOX_FRAMES_MAX: usize = 8192;

/// At most this many bytes wait for one peer: the window of appends that a leader keeps under way
/// to one follower (64 of a mebibyte).
pub const OUTBOX_BYTES_MAX: usize = 64 << 20;

/// Frames are gathered into one write until it holds this many bytes: above it a larger write
/// saves nothing.
pub const WRITE_BYTES_TARGET: usize = 256 << 10;

/// Bytes asked of a socket at once.
pub const READ_BYTES: usize = 64 << 10;

/// At most this many accepted connections at once: each peer needs one, and a few more while old
/// ones die. Above it new ones are closed at once.
pub const INBOUND_CONNECTIONS_MAX: usize = 256;

/// A connection that has not shaken hands after this long is closed.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// A peer that does not take a connection within this time counts as unreachable for now.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A dialler asks for a sign of life this often.
pub const PING_INTERVAL: Duration = Duration::from_secs(1);

/// A connection whose other end gave no sign of life for this long is closed: several pings, so
/// that one slow moment does not cost a connection.
pub const DEAD_AFTER: Duration = Duration::from_secs(5);

/// The first wait before dialling again. Short, because a restarted peer is usually there at once.
pub const RECONNECT_DELAY_MIN: Duration = Duration::from_millis(20);

/// The longest wait before dialling again: a returning peer waits no longer than this.
pub const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(1);

/// The wait after a peer refused: only an operator can change its mind.
pub const REFUSED_DELAY: Duration = Duration::from_secs(3);

/// How many distinct peers' last complaints are remembered, so that each is logged once.
pub const REPORTS_REMEMBERED_MAX: usize = 256;
