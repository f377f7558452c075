//! The sender's side: any chunk of a reader's state, at any time, again.

use super::chunk::Chunk;
use crate::layout::PREFIX_BYTES;
use crate::{Fatal, Reader};
use bytes::Bytes;
use std::ops::Bound;

/// A chunk to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exported {
    /// For [`crate::Importer::add_chunk`].
    pub bytes: Bytes,
    /// Hand it to [`Reader::export_chunk`] for the chunk that follows; `None` if this was the last.
    pub resume_after: Option<Bytes>,
}

impl Reader {
    /// The chunk behind the key `after` (`None` for the first one), of about `bytes_max` bytes,
    /// usually [`crate::CHUNK_BYTES_MAX`]. Equal arguments give equal chunks, so a transfer resumes
    /// wherever it stopped as long as the same reader is kept.
    pub fn export_chunk(&self, after: Option<&Bytes>, bytes_max: usize) -> Result<Exported, Fatal> {
        let mut chunk = Chunk {
            group: self.layout().group(),
            applied: self.applied(),
            after: after.cloned().unwrap_or_default(),
            last: true,
            records: Vec::new(),
        };
        let (first, end) = self.layout().everything();
        let start = after.map_or(first, |after| Bound::Excluded(self.layout().with_prefix(after)));
        let mut bytes = 0;
        for found in self.view().scan((start, end)) {
            let (key, value) = found?;
            if bytes >= bytes_max {
                chunk.last = false;
                break;
            }
            bytes += key.len() + value.len();
            chunk.records.push((key.slice(PREFIX_BYTES..), value));
        }
        let resume_after = chunk.records.last().map(|(key, _)| key.clone()).filter(|_| !chunk.last);
        Ok(Exported { bytes: chunk.encode(), resume_after })
    }
}
