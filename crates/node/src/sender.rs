//! The way to the peers, as the threads see it: encode, hand over, never wait.

use std::fmt;
use std::sync::Arc;
use synod_consensus::GroupId;
use synod_group::{Outgoing, encode_message};
use synod_transport::{Local, Transport};

type Send = dyn Fn(GroupId, &Outgoing) + std::marker::Send + Sync;

/// Sends groups' messages. Clones send the same way.
#[derive(Clone)]
pub(crate) struct Sender {
    send: Arc<Send>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl Sender {
    /// Sends through `transport`.
    pub(crate) fn over<L: Local>(transport: Transport<L>) -> Self {
        let send = move |group: GroupId, outgoing: &Outgoing| {
            transport.send(outgoing.to, group, encode_message(&outgoing.message));
        };
        Self { send: Arc::new(send) }
    }

    /// Hands messages to a test instead of a peer.
    #[cfg(test)]
    pub(crate) fn to_test(
        send: impl Fn(GroupId, &Outgoing) + std::marker::Send + Sync + 'static,
    ) -> Self {
        Self { send: Arc::new(send) }
    }

    /// Hands a message over, or drops it.
    pub(crate) fn send(&self, group: GroupId, outgoing: &Outgoing) {
        (self.send)(group, outgoing);
    }
}
