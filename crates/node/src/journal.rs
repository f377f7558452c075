//! Writing recordings of groups to files, beside the work.
//!
//! Always holds: the core never waits for it. What it is handed goes into a bounded queue; a
//! recording that would have a gap ends instead, and says so once. Files are bounded, too.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use synod_consensus::GroupId;
use tracing::{info, warn};

/// How many pieces may wait to be written: each is what one group did in one turn of the core.
const PIECES_MAX: usize = 4_096;

/// No recording gets longer than this many bytes: minutes of full load, days of an idle cluster.
const RECORDING_BYTES_MAX: u64 = 1 << 30;

/// One group's recording.
struct Recording {
    pieces: SyncSender<Vec<u8>>,
    bytes: u64,
}

/// See the module's text.
pub(crate) struct Journal {
    recordings: BTreeMap<GroupId, Recording>,
    writers: Vec<JoinHandle<()>>,
}

impl Journal {
    /// Begins a file for each group: `group-GROUP-INCARNATION.journal` in `directory`.
    pub(crate) fn begin<'a>(
        directory: &Path,
        incarnation: u64,
        groups: impl Iterator<Item = &'a GroupId>,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let mut recordings = BTreeMap::new();
        let mut writers = Vec::new();
        for group in groups {
            let path = directory.join(format!("group-{group}-{incarnation}.journal"));
            let file = File::create_new(&path)?;
            info!(group = group.0, path = %path.display(), "recording");
            let (pieces, taken) = sync_channel(PIECES_MAX);
            let thread = std::thread::Builder::new().name("synod-journal".to_owned());
            writers.push(thread.spawn(move || write_out(file, &taken))?);
            recordings.insert(*group, Recording { pieces, bytes: 0 });
        }
        Ok(Self { recordings, writers })
    }

    /// Writes what a group's recording grew by.
    pub(crate) fn write(&mut self, group: GroupId, piece: Vec<u8>) {
        let Some(recording) = self.recordings.get_mut(&group) else { return };
        if piece.is_empty() {
            return;
        }
        recording.bytes += piece.len() as u64;
        let full = recording.bytes > RECORDING_BYTES_MAX;
        if full || recording.pieces.try_send(piece).is_err() {
            let why = if full { "it is as long as it may get" } else { "its disk cannot keep up" };
            warn!(group = group.0, "the recording ends here: {why}; what is written replays");
            self.recordings.remove(&group);
        }
    }
}

/// The node stops: what is queued is written before it is gone.
impl Drop for Journal {
    fn drop(&mut self) {
        self.recordings.clear();
        for writer in self.writers.drain(..) {
            let _ = writer.join();
        }
    }
}

/// Until the journal is dropped, or the disk fails.
fn write_out(mut file: File, pieces: &Receiver<Vec<u8>>) {
    for piece in pieces {
        if let Err(error) = file.write_all(&piece) {
            return warn!(%error, "the recording ends here: it cannot be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_that_exists_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let groups = [GroupId::META];
        assert!(Journal::begin(directory.path(), 3, groups.iter()).is_ok());
        assert!(Journal::begin(directory.path(), 3, groups.iter()).is_err());
        assert!(Journal::begin(directory.path(), 4, groups.iter()).is_ok());
    }
}
