//! Removing a generation that nobody uses: one replaced by a snapshot, or an import given up.

use crate::Fatal;
use crate::layout::Layout;
use synod_consensus::GroupId;
use synod_storage::{Engine, Generation, WriteBatch};

/// How far the removal got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dropped {
    /// Nothing is left.
    Done,
    /// The budget ended first; call again.
    More,
}

/// Removes up to `records_max` records of a generation. The caller makes sure that nobody opens it
/// any more. The state record, which stands last, goes in the first step: what is left after a
/// crash can never be taken for a key space.
pub fn drop_generation(
    engine: &dyn Engine,
    group: GroupId,
    generation: Generation,
    records_max: usize,
) -> Result<Dropped, Fatal> {
    let layout = Layout::new(group, generation);
    let view = engine.view();
    let mut batch = WriteBatch::default();
    if view.get(&layout.state())?.is_some() {
        batch.remove(layout.state());
    }
    let mut left = Dropped::Done;
    for found in view.scan(layout.everything()) {
        let (key, _) = found?;
        if batch.changes.len() >= records_max.max(1) {
            left = Dropped::More;
            break;
        }
        batch.remove(key);
    }
    if !batch.is_empty() {
        engine.write(batch)?;
    }
    Ok(left)
}
