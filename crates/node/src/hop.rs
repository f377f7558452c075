//! Marks along a request's way, for finding out where its time goes.
//!
//! A mark is a trace event of the target `synod::hop`, with the node and the place. Nothing listens
//! for them in production, and then a mark costs one comparison. `examples/hops.rs` listens.

use std::cell::Cell;
use synod_consensus::StoreId;

thread_local! {
    static NODE: Cell<u64> = const { Cell::new(0) };
}

/// The current thread works for this node from here on.
pub(crate) fn works_for(store: StoreId) {
    NODE.set(store.0);
}

/// A request passes `place` on the current thread's node.
pub(crate) fn mark(place: &'static str) {
    tracing::trace!(target: "synod::hop", node = NODE.get(), place);
}
