//! A disk in memory that fails as disks do, by a seed.
//!
//! What was written and not synced may after a power loss be there, be gone, or be there in part:
//! any subset of the 512-byte sectors, in any order; the same for a file's length and for the
//! creations, removals and renames in a directory. Sectors behind the durable end may hold bytes
//! that nobody wrote. What was synced stays, unless a test damages it on purpose.
//!
//! Not modelled: two unsynced writes of one sector of which the first survives; a sector that is
//! itself torn; a disk that lies about a sync.
//!
//! Always holds: equal seeds and equal operations give equal disks, byte for byte.

mod file;
mod random;
mod state;
mod tree;

use super::{Disk, DiskFile};
use bytes::Bytes;
use state::State;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use synod_codec::{Writer, checksum};
use tree::FileId;

/// Every injected error's message begins so.
const INJECTED: &str = "injected";

/// What a power loss does to what was not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrashPolicy {
    /// It is all gone.
    LoseAll,
    /// It is all there.
    KeepAll,
    /// The seed decides, sector by sector and name by name.
    Random,
}

/// See the module's text. Clones are handles on the same disk.
#[derive(Clone)]
pub struct SimDisk {
    shared: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk whose misfortunes come from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { shared: Arc::new(Mutex::new(State::new(seed))) }
    }

    /// Another disk with the same contents, the same unsynced changes and the same future.
    #[must_use]
    pub fn fork(&self) -> Self {
        let state = self.lock().clone();
        Self { shared: Arc::new(Mutex::new(state)) }
    }

    /// How many operations that change something (or sync it) were begun so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Power fails in the `nth` changing operation from now, counted from 1: that one and every
    /// later call fail until [`SimDisk::crash`].
    pub fn crash_at_operation(&self, nth: u64) {
        assert!(nth > 0, "operations are counted from 1");
        let mut state = self.lock();
        state.crash_at = Some(state.operations + nth);
    }

    /// Whether power is lost, so that every call fails.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.lock().is_down
    }

    /// Loses power, if it is not lost yet, decides about what was not synced, and comes up again.
    /// Files that were open are void.
    pub fn crash(&self, policy: CrashPolicy) {
        self.lock().crash(policy);
    }

    /// Ends the process without losing power: everything it wrote stays visible, and what it did
    /// not sync can still be lost later. Files that were open are void.
    pub fn kill(&self) {
        self.lock().restart();
    }

    /// The next sync of a file fails, and what it covered is durable in part; reads still show it
    /// all, and a later sync does not write it.
    pub fn fail_next_sync(&self) {
        self.lock().fails_next_sync = true;
    }

    /// All files together may take this many bytes; a write beyond writes what fits and fails.
    pub fn set_capacity_bytes(&self, capacity: Option<u64>) {
        self.lock().capacity_bytes = capacity;
    }

    /// Rot: one bit of a file changes.
    pub fn flip_bit(&self, path: &str, offset: u64, bit: u8) -> io::Result<()> {
        assert!(bit < 8, "a byte has eight bits");
        let mut state = self.lock();
        let id = state.id_of(path)?;
        state.file(id).flip_bit(offset as usize, bit);
        Ok(())
    }

    /// A file loses everything from `length` on.
    pub fn cut_file(&self, path: &str, length: u64) -> io::Result<()> {
        let mut state = self.lock();
        let id = state.id_of(path)?;
        state.file(id).cut(length as usize);
        Ok(())
    }

    /// A file vanishes, durably.
    pub fn lose_file(&self, path: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.id_of(path)?;
        state.tree.uninstall(path);
        Ok(())
    }

    /// What a reader of the file sees.
    pub fn contents(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut state = self.lock();
        let id = state.id_of(path)?;
        Ok(state.file(id).visible.clone())
    }

    /// Puts a file there, durable, with its directory: for tests that lay out a disk.
    pub fn install_file(&self, path: &str, contents: &[u8]) {
        let mut state = self.lock();
        state.tree.add_directory(tree::directory_of(path));
        let id = state.new_file();
        state.file(id).write(0, contents);
        state.file(id).sync();
        state.tree.install(path, id);
    }

    /// A number that differs, but for an accident in four billion, if two disks differ in anything
    /// that a process or a power loss could bring to light.
    #[must_use]
    pub fn fingerprint(&self) -> u32 {
        let state = self.lock();
        let mut out = Writer::new();
        for names in [&state.tree.visible, &state.tree.durable] {
            out.varint(names.len() as u64);
            for (path, id) in names {
                let file = &state.files[id];
                out.string(path).bytes(&file.visible).bytes(&file.durable);
            }
        }
        checksum(out.as_slice())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock().expect("no code path panics while it holds this lock")
    }

    fn handle(&self, id: FileId, life: u64) -> Arc<dyn DiskFile> {
        Arc::new(SimHandle { disk: self.clone(), id, life })
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        write!(f, "SimDisk({} files, {} operations)", state.files.len(), state.operations)
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.lock();
        let id = state.create(path)?;
        Ok(self.handle(id, state.life))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.lock();
        state.check_up()?;
        Ok(self.handle(state.id_of(path)?, state.life))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.lock().remove(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.lock().rename(from, to)
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let state = self.lock();
        state.check_up()?;
        if !state.tree.has_directory(directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(state.tree.list(directory))
    }

    fn create_directory(&self, directory: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.check_up()?;
        state.tree.add_directory(directory);
        Ok(())
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        self.lock().sync_directory(directory)
    }
}

/// An open file of one life of the disk.
struct SimHandle {
    disk: SimDisk,
    id: FileId,
    life: u64,
}

impl SimHandle {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.lock();
        state.check_up()?;
        if state.life == self.life {
            Ok(state)
        } else {
            Err(io::Error::other(format!("{INJECTED}: the file was open before a crash")))
        }
    }
}

impl fmt::Debug for SimHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimHandle({})", self.id)
    }
}

impl DiskFile for SimHandle {
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let mut state = self.state()?;
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        let bytes = state.file(self.id).visible.get(start..end);
        Ok(Bytes::copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.state()?.write(self.id, offset, bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state()?.sync_file(self.id)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.state()?.set_length(self.id, length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.state()?.file(self.id).visible.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk_with_unsynced_bytes(seed: u64) -> SimDisk {
        let disk = SimDisk::new(seed);
        disk.create_directory("d").unwrap();
        let file = disk.create("d/a").unwrap();
        file.write_at(0, &[1; 2048]).unwrap();
        file.sync_data().unwrap();
        disk.sync_directory("d").unwrap();
        file.write_at(1024, &[2; 4096]).unwrap();
        disk
    }

    #[test]
    fn what_was_synced_survives_every_policy() {
        for policy in [CrashPolicy::LoseAll, CrashPolicy::KeepAll, CrashPolicy::Random] {
            let disk = disk_with_unsynced_bytes(1);
            disk.crash(policy);
            assert_eq!(disk.contents("d/a").unwrap()[..1024], [1; 1024], "{policy:?}");
        }
    }

    #[test]
    fn the_policies_decide_about_what_was_not_synced() {
        let lost = disk_with_unsynced_bytes(1);
        lost.crash(CrashPolicy::LoseAll);
        assert_eq!(lost.contents("d/a").unwrap(), [1; 2048]);
        let kept = disk_with_unsynced_bytes(1);
        kept.crash(CrashPolicy::KeepAll);
        assert_eq!(kept.contents("d/a").unwrap()[1024..], [2; 4096]);
        let torn = (0..50).any(|seed| {
            let disk = disk_with_unsynced_bytes(seed);
            disk.crash(CrashPolicy::Random);
            let contents = disk.contents("d/a").unwrap();
            let sectors: Vec<bool> = contents.chunks(512).map(|s| s[0] == 2).collect();
            // A later sector there, an earlier one not: pages go in any order.
            sectors.windows(2).skip(2).any(|pair| pair == [false, true])
        });
        assert!(torn, "some seed tears the write out of order");
    }

    #[test]
    fn equal_seeds_give_equal_disks() {
        let crash = |seed| {
            let disk = disk_with_unsynced_bytes(seed);
            disk.crash(CrashPolicy::Random);
            disk.fingerprint()
        };
        assert_eq!(crash(7), crash(7));
        assert!((0..20).any(|seed| crash(seed) != crash(7)), "the seed matters");
    }

    #[test]
    fn names_are_lost_until_their_directory_is_synced() {
        let disk = SimDisk::new(1);
        disk.create_directory("d").unwrap();
        disk.create("d/a").unwrap().sync_data().unwrap();
        disk.fork().crash(CrashPolicy::KeepAll);
        disk.crash(CrashPolicy::LoseAll);
        assert_eq!(disk.list("d").unwrap(), [""; 0]);
        disk.create("d/a").unwrap();
        disk.sync_directory("d").unwrap();
        disk.rename("d/a", "d/b").unwrap();
        assert_eq!(disk.list("d").unwrap(), ["b"]);
        disk.crash(CrashPolicy::LoseAll);
        assert_eq!(disk.list("d").unwrap(), ["a"], "the rename was not synced");
    }

    #[test]
    fn after_the_chosen_operation_everything_fails_until_the_crash() {
        let disk = disk_with_unsynced_bytes(1);
        let file = disk.open("d/a").unwrap();
        disk.crash_at_operation(2);
        file.write_at(0, b"first").unwrap();
        assert!(file.sync_data().is_err(), "power fails in the second operation");
        assert!(file.read_at(0, 1).is_err() && disk.open("d/a").is_err());
        disk.crash(CrashPolicy::LoseAll);
        assert!(file.read_at(0, 1).is_err(), "an old handle is void");
        assert!(disk.open("d/a").unwrap().read_at(0, 1).is_ok());
    }

    #[test]
    fn a_failed_sync_cannot_be_mended_by_another() {
        let lost = (0..50).any(|seed| {
            let disk = disk_with_unsynced_bytes(seed);
            let file = disk.open("d/a").unwrap();
            disk.fail_next_sync();
            assert!(file.sync_data().is_err());
            file.sync_data().unwrap();
            disk.crash(CrashPolicy::KeepAll);
            let contents = disk.contents("d/a").unwrap();
            contents.len() < 5120 || contents[1024..] != [2; 4096]
        });
        assert!(lost, "some seed loses what the failed sync covered");
    }

    #[test]
    fn a_full_disk_takes_what_fits_and_refuses_the_rest() {
        let disk = disk_with_unsynced_bytes(1);
        disk.set_capacity_bytes(Some(6000));
        let file = disk.open("d/a").unwrap();
        let error = file.write_at(5120, &[3; 1000]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.length().unwrap(), 6000);
        file.write_at(0, &[4; 10]).unwrap();
    }

    #[test]
    fn a_killed_process_leaves_its_writes_to_be_seen_and_to_be_lost() {
        let disk = disk_with_unsynced_bytes(1);
        disk.kill();
        assert_eq!(disk.contents("d/a").unwrap().len(), 5120);
        disk.crash(CrashPolicy::LoseAll);
        assert_eq!(disk.contents("d/a").unwrap().len(), 2048);
    }
}
