//! The simulated disk's names: what a process sees, and what was synced of it.

use super::CrashPolicy;
use super::random::Random;
use std::collections::{BTreeMap, BTreeSet};

/// Names a file whatever it is called.
pub(super) type FileId = u64;

/// A change of a directory that is not durable yet.
#[derive(Clone, Debug)]
enum Change {
    Create(String, FileId),
    Remove(String),
    Rename(String, String, FileId),
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, FileId>) {
        match self {
            Self::Create(path, id) => {
                names.insert(path.clone(), *id);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
            Self::Rename(from, to, id) => {
                names.remove(from);
                names.insert(to.clone(), *id);
            }
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    directories: BTreeSet<String>,
    pub(super) visible: BTreeMap<String, FileId>,
    pub(super) durable: BTreeMap<String, FileId>,
    /// Changes since the directory was last synced, by directory, in order.
    pending: BTreeMap<String, Vec<Change>>,
}

impl Tree {
    pub(super) fn has_directory(&self, directory: &str) -> bool {
        directory.is_empty() || self.directories.contains(directory)
    }

    pub(super) fn add_directory(&mut self, directory: &str) {
        let ends = directory.match_indices('/').map(|(end, _)| end);
        let all = ends.chain([directory.len()]).map(|end| directory[..end].to_owned());
        self.directories.extend(all);
    }

    /// The names of the files in a directory, sorted.
    pub(super) fn list(&self, directory: &str) -> Vec<String> {
        let in_directory = |path: &&String| directory_of(path) == directory;
        let name = |path: &String| path[directory.len()..].trim_start_matches('/').to_owned();
        self.visible.keys().filter(in_directory).map(name).collect()
    }

    pub(super) fn create(&mut self, path: &str, id: FileId) {
        self.change(path, Change::Create(path.to_owned(), id));
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.change(path, Change::Remove(path.to_owned()));
    }

    pub(super) fn rename(&mut self, from: &str, to: &str, id: FileId) {
        self.change(from, Change::Rename(from.to_owned(), to.to_owned(), id));
    }

    fn change(&mut self, path: &str, change: Change) {
        change.apply(&mut self.visible);
        self.pending.entry(directory_of(path).to_owned()).or_default().push(change);
    }

    pub(super) fn sync(&mut self, directory: &str) {
        for change in self.pending.remove(directory).unwrap_or_default() {
            change.apply(&mut self.durable);
        }
    }

    /// Power is lost. At random, any subset of the changes may have reached the disk.
    pub(super) fn crash(&mut self, policy: CrashPolicy, random: &mut Random) {
        for change in std::mem::take(&mut self.pending).into_values().flatten() {
            let kept = match policy {
                CrashPolicy::LoseAll => false,
                CrashPolicy::KeepAll => true,
                CrashPolicy::Random => random.coin(),
            };
            if kept {
                change.apply(&mut self.durable);
            }
        }
        self.visible.clone_from(&self.durable);
    }

    /// Puts a name on the platter at once: for tests that lay out a disk.
    pub(super) fn install(&mut self, path: &str, id: FileId) {
        self.visible.insert(path.to_owned(), id);
        self.durable.insert(path.to_owned(), id);
    }

    /// Takes a name off the platter at once.
    pub(super) fn uninstall(&mut self, path: &str) {
        self.visible.remove(path);
        self.durable.remove(path);
    }
}

/// The part of a path before its last `/`, or nothing.
pub(super) fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}
