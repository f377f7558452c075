//! Everything that a simulated disk knows, behind its handle's lock.

use super::file::SimFile;
use super::random::Random;
use super::tree::{FileId, Tree, directory_of};
use super::{CrashPolicy, INJECTED};
use std::collections::BTreeMap;
use std::io;

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) tree: Tree,
    pub(super) files: BTreeMap<FileId, SimFile>,
    random: Random,
    next_id: FileId,
    /// How many times a process was killed or power was lost; older handles are void.
    pub(super) life: u64,
    pub(super) operations: u64,
    /// The operation at which power fails.
    pub(super) crash_at: Option<u64>,
    /// Whether power is lost and [`State::crash`] has not yet been called.
    pub(super) is_down: bool,
    pub(super) fails_next_sync: bool,
    /// All files together take at most this many bytes.
    pub(super) capacity_bytes: Option<u64>,
}

/// How an operation goes on.
#[derive(PartialEq, Eq)]
enum Fate {
    Completes,
    /// Power fails while it runs.
    Interrupted,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            tree: Tree::default(),
            files: BTreeMap::new(),
            random: Random::new(seed),
            next_id: 0,
            life: 0,
            operations: 0,
            crash_at: None,
            is_down: false,
            fails_next_sync: false,
            capacity_bytes: None,
        }
    }

    pub(super) fn check_up(&self) -> io::Result<()> {
        if self.is_down { Err(injected("the power is lost")) } else { Ok(()) }
    }

    /// Counts a changing operation, and says whether power fails in it. What it changes is then not
    /// synced, so the crash decides about it.
    fn operation(&mut self) -> io::Result<Fate> {
        self.check_up()?;
        self.operations += 1;
        if self.crash_at.is_some_and(|at| self.operations >= at) {
            self.is_down = true;
            return Ok(Fate::Interrupted);
        }
        Ok(Fate::Completes)
    }

    pub(super) fn create(&mut self, path: &str) -> io::Result<FileId> {
        self.check_parent(path)?;
        if self.tree.visible.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let fate = self.operation()?;
        let id = self.new_file();
        self.tree.create(path, id);
        fate.outcome(id)
    }

    pub(super) fn new_file(&mut self) -> FileId {
        self.next_id += 1;
        self.files.insert(self.next_id, SimFile::default());
        self.next_id
    }

    pub(super) fn id_of(&self, path: &str) -> io::Result<FileId> {
        let id = self.tree.visible.get(path).copied();
        id.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no file {path}")))
    }

    pub(super) fn remove(&mut self, path: &str) -> io::Result<()> {
        self.id_of(path)?;
        let fate = self.operation()?;
        self.tree.remove(path);
        fate.outcome(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let id = self.id_of(from)?;
        if directory_of(from) != directory_of(to) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "renamed across directories"));
        }
        let fate = self.operation()?;
        self.tree.rename(from, to, id);
        fate.outcome(())
    }

    pub(super) fn sync_directory(&mut self, directory: &str) -> io::Result<()> {
        if !self.tree.has_directory(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let fate = self.operation()?;
        if fate == Fate::Completes {
            self.tree.sync(directory);
        }
        fate.outcome(())
    }

    pub(super) fn write(&mut self, id: FileId, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let fate = self.operation()?;
        let room = self.room_for(id, offset, bytes.len());
        let start = to_usize(offset)?;
        self.file(id).write(start, &bytes[..room]);
        if room < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        fate.outcome(())
    }

    /// How many of the bytes fit on the disk.
    fn room_for(&self, id: FileId, offset: u64, wanted: usize) -> usize {
        let Some(capacity) = self.capacity_bytes else { return wanted };
        let used: u64 = self.files.values().map(|file| file.visible.len() as u64).sum();
        let own = self.files.get(&id).map_or(0, |file| file.visible.len() as u64);
        let end_max = capacity.saturating_sub(used - own).max(own);
        usize::try_from(end_max.saturating_sub(offset)).map_or(wanted, |room| room.min(wanted))
    }

    pub(super) fn set_length(&mut self, id: FileId, length: u64) -> io::Result<()> {
        let fate = self.operation()?;
        let length = to_usize(length)?;
        self.file(id).set_length(length);
        fate.outcome(())
    }

    pub(super) fn sync_file(&mut self, id: FileId) -> io::Result<()> {
        let fate = self.operation()?;
        if fate == Fate::Interrupted {
            return fate.outcome(());
        }
        if std::mem::take(&mut self.fails_next_sync) {
            let mut random = self.random.clone();
            self.file(id).fail_sync(&mut random);
            self.random = random;
            return Err(injected("the sync failed"));
        }
        self.file(id).sync();
        Ok(())
    }

    /// Power was lost: decides about everything unsynced, and comes up again.
    pub(super) fn crash(&mut self, policy: CrashPolicy) {
        let Self { tree, files, random, .. } = self;
        tree.crash(policy, random);
        files.values_mut().for_each(|file| file.crash(policy, random));
        files.retain(|id, _| tree.durable.values().any(|named| named == id));
        self.restart();
        self.fails_next_sync = false;
    }

    /// The process is gone; the operating system, and what it holds in memory, is not.
    pub(super) fn restart(&mut self) {
        self.life += 1;
        self.is_down = false;
        self.crash_at = None;
    }

    pub(super) fn file(&mut self, id: FileId) -> &mut SimFile {
        // A handle outlives its file's name, but not a crash, which is the only thing that forgets.
        self.files.get_mut(&id).expect("a handle of this life names a file of this life")
    }

    fn check_parent(&self, path: &str) -> io::Result<()> {
        let directory = directory_of(path);
        if self.tree.has_directory(directory) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::NotFound, format!("no directory {directory}")))
    }
}

impl Fate {
    fn outcome<T>(self, done: T) -> io::Result<T> {
        match self {
            Self::Completes => Ok(done),
            Self::Interrupted => Err(injected("the power is lost")),
        }
    }
}

fn injected(what: &str) -> io::Error {
    io::Error::other(format!("{INJECTED}: {what}"))
}

fn to_usize(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(|_| io::ErrorKind::FileTooLarge.into())
}
