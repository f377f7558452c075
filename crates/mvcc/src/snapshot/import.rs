//! The receiver's side: chunks become a generation beside the one in force.

use super::chunk::Chunk;
use crate::Fatal;
use crate::layout::{Layout, State};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use synod_codec::DecodeError;
use synod_consensus::{GroupId, LogIndex};
use synod_storage::{Engine, Generation, WriteBatch};

/// Why a chunk was not taken. Nothing of it was written; the import can go on with the right one,
/// unless the error is fatal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImportError {
    /// The bytes were damaged on the way; send the chunk again.
    Damaged(DecodeError),
    /// The chunk does not follow the last one taken: send the one that does.
    OutOfOrder,
    /// The chunk is of another state or another group: start over from its source's first one, in
    /// another generation.
    AnotherSource,
    /// The records are not those of a key space in a form that this version reads.
    NotAKeySpace(Fatal),
    /// The stream has not ended.
    Incomplete,
    /// The generation holds something already: drop it first.
    NotEmpty,
    /// The engine failed.
    Fatal(Fatal),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(cause) => write!(f, "a chunk was damaged ({cause}); ask for it again"),
            Self::OutOfOrder => {
                write!(f, "a chunk came out of order; ask for the one that follows")
            }
            Self::AnotherSource => write!(f, "a chunk is of another state; start the import over"),
            Self::NotAKeySpace(cause) => write!(f, "the stream is no key space: {cause}"),
            Self::Incomplete => write!(f, "the stream has not ended; ask for the next chunk"),
            Self::NotEmpty => write!(f, "the generation is not empty; drop it, then start over"),
            Self::Fatal(fatal) => fatal.fmt(f),
        }
    }
}

impl std::error::Error for ImportError {}

impl From<Fatal> for ImportError {
    fn from(fatal: Fatal) -> Self {
        Self::Fatal(fatal)
    }
}

/// Writes one stream of chunks. See the [module](super)'s text.
#[derive(Debug)]
pub struct Importer {
    engine: Arc<dyn Engine>,
    group: GroupId,
    layout: Layout,
    /// Which state the stream is of; known from the first chunk on.
    applied: Option<LogIndex>,
    /// The last key that was written.
    after: Bytes,
    /// The state record, held back until the end.
    state: Option<Bytes>,
    ended: bool,
}

impl Importer {
    /// Begins an import into a generation without any record.
    pub fn new(
        engine: Arc<dyn Engine>,
        group: GroupId,
        generation: Generation,
    ) -> Result<Self, ImportError> {
        let layout = Layout::new(group, generation);
        let found = engine.view().scan(layout.everything()).next().transpose();
        match found.map_err(Fatal::from)? {
            Some(_) => Err(ImportError::NotEmpty),
            None => Ok(Self {
                engine,
                group,
                layout,
                applied: None,
                after: Bytes::new(),
                state: None,
                ended: false,
            }),
        }
    }

    /// The key to resume behind: what the next chunk must follow. `None` before the first chunk.
    #[must_use]
    pub fn resume_after(&self) -> Option<&Bytes> {
        Some(&self.after).filter(|after| !after.is_empty())
    }

    /// Whether the last chunk was taken.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes the next chunk.
    pub fn add_chunk(&mut self, bytes: Bytes) -> Result<(), ImportError> {
        let chunk = Chunk::decode(bytes).map_err(ImportError::Damaged)?;
        self.check(&chunk)?;
        let mut batch = WriteBatch::default();
        let mut state = None;
        for (key, value) in chunk.records {
            let full = self.layout.with_prefix(&key);
            if full == self.layout.state() {
                state = Some(value);
            } else {
                batch.put(full, value);
            }
            self.after = key;
        }
        if !batch.is_empty() {
            self.engine.write(batch).map_err(Fatal::from)?;
        }
        self.applied = Some(chunk.applied);
        self.state = state;
        self.ended = chunk.last;
        Ok(())
    }

    /// Completes the generation and says which entry it stands behind. Not durable before the
    /// engine's next flush.
    pub fn finish(self) -> Result<LogIndex, ImportError> {
        if !self.ended {
            return Err(ImportError::Incomplete);
        }
        let missing = || ImportError::NotAKeySpace(Fatal::corrupt("it has no state record"));
        let raw = self.state.ok_or_else(missing)?;
        let state = State::decode(raw.clone()).map_err(ImportError::NotAKeySpace)?;
        if Some(state.applied) != self.applied {
            return Err(ImportError::AnotherSource);
        }
        let mut batch = WriteBatch::default();
        batch.put(self.layout.state(), raw);
        self.engine.write(batch).map_err(Fatal::from)?;
        Ok(state.applied)
    }

    /// Refuses a chunk that is not the next one of this stream.
    fn check(&self, chunk: &Chunk) -> Result<(), ImportError> {
        let another = self.applied.is_some_and(|applied| applied != chunk.applied);
        if another || chunk.group != self.group {
            return Err(ImportError::AnotherSource);
        }
        let keys = || std::iter::once(&chunk.after).chain(chunk.records.iter().map(|(key, _)| key));
        let ascending = keys().zip(keys().skip(1)).all(|(before, after)| before < after);
        if self.ended || chunk.after != self.after || !ascending {
            return Err(ImportError::OutOfOrder);
        }
        Ok(())
    }
}
