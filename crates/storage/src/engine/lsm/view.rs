//! Reading the tree as it was at one sequence number.

use super::super::{EngineError, KEY_BYTES_MAX, KeyBounds, Scan, View, is_empty_range};
use super::{Sequence, Shared, failed};
use bytes::Bytes;
use lsm_tree::{AbstractTree, Guard, IterGuardImpl};
use std::ops::Bound;
use std::sync::Arc;

/// See the module's text. Closes itself when dropped.
pub(super) struct LsmView {
    shared: Arc<Shared>,
    sequence: Sequence,
}

impl LsmView {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let sequence = shared.views.open();
        Self { shared, sequence }
    }

    fn range(&self, bounds: KeyBounds) -> impl DoubleEndedIterator<Item = IterGuardImpl> + use<> {
        let bounds = (storable_start(bounds.0), storable_end(bounds.1));
        let is_empty = is_empty_range(&bounds);
        let items = (!is_empty).then(|| self.shared.tree.range(bounds, self.sequence, None));
        items.into_iter().flatten()
    }
}

impl Drop for LsmView {
    fn drop(&mut self) {
        self.shared.views.close(self.sequence);
    }
}

impl View for LsmView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        if key.len() > KEY_BYTES_MAX {
            return Ok(None);
        }
        let value = self.shared.tree.get(key, self.sequence);
        value.map(|value| value.map(Bytes::from)).map_err(|error| failed("reading", &error))
    }

    fn scan(&self, bounds: KeyBounds) -> Scan<'_> {
        Box::new(self.range(bounds).map(item))
    }

    fn scan_back(&self, bounds: KeyBounds) -> Scan<'_> {
        Box::new(self.range(bounds).rev().map(item))
    }
}

fn item(guard: IterGuardImpl) -> Result<(Bytes, Bytes), EngineError> {
    let (key, value) = guard.into_inner().map_err(|error| failed("scanning", &error))?;
    Ok((Bytes::from(key), Bytes::from(value)))
}

/// The tree takes no bound that could not be a key. No key lies between a bound that is too long
/// and its longest beginning that could be one: a key from such a bound on is behind that beginning.
fn storable_start(bound: Bound<Bytes>) -> Bound<Bytes> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) if key.len() > KEY_BYTES_MAX => {
            Bound::Excluded(key.slice(..KEY_BYTES_MAX))
        }
        other => other,
    }
}

/// As [`storable_start`]: a key up to such a bound is that beginning or before it.
fn storable_end(bound: Bound<Bytes>) -> Bound<Bytes> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) if key.len() > KEY_BYTES_MAX => {
            Bound::Included(key.slice(..KEY_BYTES_MAX))
        }
        other => other,
    }
}
