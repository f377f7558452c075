//! What the transport needs of the node it serves.

use crate::{Hello, Refusal};
use bytes::Bytes;
use synod_consensus::{GroupId, StoreId};

/// The node behind a transport. Called from many tasks at once; no call may block.
pub trait Local: Send + Sync + 'static {
    /// What the node says of itself, now.
    fn hello(&self) -> Hello;

    /// A peer has said who it is, on a connection either way. `dialled` is the name whose address
    /// was dialled, where this side did.
    ///
    /// # Errors
    /// The refusal is told to the peer, and the connection is closed.
    fn meet(&self, dialled: Option<&str>, peer: &Hello) -> Result<(), Refusal>;

    /// The peer whose address is configured as `name` refuses to talk. Called again whenever it
    /// refuses again.
    fn refused_by(&self, name: &str, refusal: &Refusal);

    /// A message for this node's member of `group`. `from` was [met](Local::meet) before. The node
    /// may drop it.
    fn deliver(&self, from: StoreId, group: GroupId, body: Bytes);
}
