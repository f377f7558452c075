//! The engine's twin in memory: ordered, with versions, and a crash that loses what was not flushed.
//!
//! Two layers share one map: what was flushed and what came after it. Every key keeps the versions
//! that a view, or the flushed state, may still need; the rest is swept as keys die. A clone is
//! another handle on the same engine, so a simulated restart opens "the same disk" again.
//!
//! Always holds: after [`MemoryEngine::crash`] the state is exactly that of the last flush, and a
//! view taken before the crash answers with an error rather than with a mixture.

mod versions;

use super::{Engine, EngineError, KeyBounds, Scan, View, WriteBatch, check_batch};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use versions::{Sequence, Versions};

/// A scan takes the lock once for so many items: few enough that writers never wait long, many
/// enough that the lock costs nothing beside the copying.
const SCAN_CHUNK_ITEMS: usize = 128;

/// See the module's text. Clones share the state.
#[derive(Clone, Default)]
pub struct MemoryEngine {
    shared: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    versions: Versions,
    /// Every batch written so far has a number up to this.
    written: Sequence,
    /// Every batch up to this survives a crash.
    flushed: Sequence,
    /// Bytes written behind `flushed`.
    unflushed_bytes: u64,
    /// How often the engine has crashed; a view of an earlier life is void.
    life: u64,
    /// How many views read at each sequence.
    views: BTreeMap<Sequence, usize>,
}

impl State {
    /// Nothing reads a state before this one, so older versions of a key may go.
    fn horizon(&self) -> Sequence {
        let oldest_view = self.views.keys().next().copied().unwrap_or(self.written);
        oldest_view.min(self.flushed)
    }

    fn release(&mut self, sequence: Sequence) {
        let count = self.views.get_mut(&sequence).expect("a view counts itself when it is taken");
        *count -= 1;
        if *count == 0 {
            self.views.remove(&sequence);
        }
    }
}

impl MemoryEngine {
    /// An empty engine.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The machine loses its power: everything since the last flush is gone, as one suffix. The
    /// handle stays and is what the restarted node opens.
    pub fn crash(&self) {
        let mut state = self.lock();
        let flushed = state.flushed;
        state.versions.forget_after(flushed);
        state.written = flushed;
        state.unflushed_bytes = 0;
        state.life += 1;
        state.views.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock().expect("no code path panics while it holds this lock")
    }
}

impl fmt::Debug for MemoryEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        write!(f, "MemoryEngine(written {}, flushed {})", state.written, state.flushed)
    }
}

impl Engine for MemoryEngine {
    fn view(&self) -> Arc<dyn View> {
        let mut state = self.lock();
        let sequence = state.written;
        let life = state.life;
        *state.views.entry(sequence).or_insert(0) += 1;
        Arc::new(MemoryView { engine: self.clone(), sequence, life })
    }

    fn write(&self, batch: WriteBatch) -> Result<(), EngineError> {
        check_batch(&batch)?;
        let mut state = self.lock();
        state.written += 1;
        let sequence = state.written;
        for (key, value) in batch.changes {
            state.unflushed_bytes += (key.len() + value.as_ref().map_or(0, Bytes::len)) as u64;
            state.versions.put(key, sequence, value);
        }
        let horizon = state.horizon();
        state.versions.sweep(horizon);
        Ok(())
    }

    fn flush(&self) -> Result<(), EngineError> {
        let mut state = self.lock();
        state.flushed = state.written;
        state.unflushed_bytes = 0;
        let horizon = state.horizon();
        state.versions.sweep(horizon);
        Ok(())
    }

    fn unflushed_bytes(&self) -> u64 {
        self.lock().unflushed_bytes
    }

    fn disk_bytes(&self) -> u64 {
        let state = self.lock();
        state.versions.bytes().saturating_sub(state.unflushed_bytes)
    }
}

/// The state behind one sequence number.
struct MemoryView {
    engine: MemoryEngine,
    sequence: Sequence,
    life: u64,
}

impl MemoryView {
    /// The engine's state, if it is still the one that this view was taken of.
    fn state(&self) -> Result<MutexGuard<'_, State>, EngineError> {
        let state = self.engine.lock();
        if state.life == self.life {
            Ok(state)
        } else {
            Err(EngineError("the view was taken before a crash; take a new one".to_owned()))
        }
    }
}

impl Drop for MemoryView {
    fn drop(&mut self) {
        let mut state = self.engine.lock();
        if state.life == self.life {
            state.release(self.sequence);
        }
    }
}

impl View for MemoryView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        Ok(self.state()?.versions.get(key, self.sequence))
    }

    fn scan(&self, bounds: KeyBounds) -> Scan<'_> {
        Box::new(MemoryScan::new(self, bounds, Direction::Ascending))
    }

    fn scan_back(&self, bounds: KeyBounds) -> Scan<'_> {
        Box::new(MemoryScan::new(self, bounds, Direction::Descending))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Ascending,
    Descending,
}

/// A scan in chunks: what is left of the bounds, and what was read ahead.
struct MemoryScan<'a> {
    view: &'a MemoryView,
    /// `None` when everything within the bounds was read.
    rest: Option<KeyBounds>,
    ahead: std::vec::IntoIter<(Bytes, Bytes)>,
    direction: Direction,
}

impl<'a> MemoryScan<'a> {
    fn new(view: &'a MemoryView, bounds: KeyBounds, direction: Direction) -> Self {
        Self { view, rest: Some(bounds), ahead: Vec::new().into_iter(), direction }
    }

    fn read_ahead(&mut self, bounds: KeyBounds) -> Result<(), EngineError> {
        let state = self.view.state()?;
        let sequence = self.view.sequence;
        let (items, rest) = match self.direction {
            Direction::Ascending => state.versions.chunk(bounds, sequence, SCAN_CHUNK_ITEMS),
            Direction::Descending => state.versions.chunk_back(bounds, sequence, SCAN_CHUNK_ITEMS),
        };
        self.ahead = items.into_iter();
        self.rest = rest;
        Ok(())
    }
}

impl Iterator for MemoryScan<'_> {
    type Item = Result<(Bytes, Bytes), EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.ahead.next() {
                return Some(Ok(item));
            }
            let bounds = self.rest.take()?;
            if let Err(error) = self.read_ahead(bounds) {
                return Some(Err(error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::Bound;

    fn put(engine: &MemoryEngine, key: &'static str, value: &'static str) {
        let mut batch = WriteBatch::default();
        batch.put(key, value);
        engine.write(batch).unwrap();
    }

    #[test]
    fn a_crash_returns_to_the_last_flush() {
        let engine = MemoryEngine::new();
        put(&engine, "a", "1");
        engine.flush().unwrap();
        put(&engine, "a", "2");
        put(&engine, "b", "2");
        engine.crash();
        let view = engine.view();
        assert_eq!(view.get(b"a").unwrap(), Some(Bytes::from_static(b"1")));
        assert_eq!(view.get(b"b").unwrap(), None);
        assert_eq!(engine.unflushed_bytes(), 0);
    }

    #[test]
    fn a_view_of_before_the_crash_refuses_to_answer() {
        let engine = MemoryEngine::new();
        put(&engine, "a", "1");
        let view = engine.view();
        engine.crash();
        assert!(view.get(b"a").is_err());
        assert!(view.scan((Bound::Unbounded, Bound::Unbounded)).next().unwrap().is_err());
    }

    #[test]
    fn versions_that_nothing_reads_are_swept() {
        let engine = MemoryEngine::new();
        for _ in 0..100 {
            put(&engine, "a", "value");
            put(&engine, "b", "value");
            let mut batch = WriteBatch::default();
            batch.remove("b");
            engine.write(batch).unwrap();
            engine.flush().unwrap();
        }
        let state = engine.lock();
        assert_eq!(state.versions.count(), 1, "one live version of one live key");
    }
}
