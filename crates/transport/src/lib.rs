//! Node-to-node traffic: checksummed frames over TCP, between nodes that have told who they are.
//!
//! **What it is.** A [`Transport`] dials every peer it is given, keeps the connection alive, and
//! writes what is handed to [`Transport::send`]. It accepts the peers' connections in turn and hands
//! what they say to a [`Local`]. Each connection carries frames one way: from who dialled.
//!
//! **What it is not.** It is no reliable channel: what does not fit in a queue, or was under way
//! when a connection broke, is lost, and consensus is built for that. It decides nothing about who
//! belongs to the cluster: [`Local::meet`] does. It does not encrypt yet, so it should listen on
//! loopback only, unless the operator says otherwise.
//!
//! **What always holds.** A frame is delivered whole and unchanged, or not at all, with the store id
//! that its connection's handshake gave. A malformed frame ends its connection and nothing else. No
//! length that a peer names makes this node allocate before the bytes have come. Every queue has a
//! named bound ([`limits`]). Sending never blocks.
//!
//! **Where its tests are.** The frame's and the handshake's codecs beside their modules, with
//! arbitrary bytes; whole connections over loopback in `tests/`. The byte tables are in
//! `docs/format/peer.md`.

mod accept;
mod backoff;
mod dial;
mod frame;
mod hello;
pub mod limits;
mod local;
mod outbox;
mod refusal;
mod report;
mod stream;
mod transport;

pub use frame::{FRAME_HEADER_BYTES, FRAME_MAGIC, Frame, FrameError, FrameKind, FrameReader};
pub use hello::{ClusterId, Hello, PROTOCOL_VERSION, token_hash};
pub use local::Local;
pub use refusal::{Refusal, RefusalCode};
pub use transport::{PeerAddress, Transport, TransportCounters};
