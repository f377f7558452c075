//! The development cluster's data directory: what it was made with, and who may use or delete it.

use super::{DevFlags, Failed};
use crate::exit::Exit;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use synod_consensus::Protocol;
use synod_storage::{DirectoryLock, LockError};

/// The file that says what the directory is.
const MARKER_FILE: &str = "SYNOD-DEV";

/// The first line of the file, with the version of what follows.
const MARKER_HEADER: &str = "synod dev, format 1";

/// How many nodes a new cluster has.
const NODES_DEFAULT: u16 = 3;

/// What a directory was made with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Made {
    pub(super) nodes: u16,
    pub(super) consensus: Protocol,
}

/// A data directory, held for as long as this lives.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) root: PathBuf,
    pub(super) made: Made,
    /// Whether an earlier cluster goes on.
    pub(super) resumed: bool,
    _lock: DirectoryLock,
}

impl Directory {
    /// Makes the directory, or takes up what is in it, as the flags say.
    pub(super) fn open(flags: &DevFlags) -> Result<Self, Failed> {
        let root = flags.data_dir.clone();
        let io = |error: io::Error| {
            let text = format!(
                "cannot use the data directory {}: {error}; choose another with --data-dir",
                root.display()
            );
            Failed::new(Exit::CannotStart, text)
        };
        fs::create_dir_all(&root).map_err(io)?;
        refuse_foreign(&root).map_err(io)??;
        let lock = lock(&root)?;
        if flags.fresh {
            check_nodes_idle(&root).map_err(io)??;
            clear(&root).map_err(io)?;
        }
        let before = read_marker(&root)?;
        let made = match before {
            Some(before) => resume(before, flags, &root)?,
            None => Made {
                nodes: flags.nodes.unwrap_or(NODES_DEFAULT),
                consensus: flags.consensus.unwrap_or_default(),
            },
        };
        if before.is_none() {
            fs::write(root.join(MARKER_FILE), made.to_text()).map_err(io)?;
        }
        Ok(Self { root, made, resumed: before.is_some(), _lock: lock })
    }
}

impl Made {
    fn to_text(self) -> String {
        format!("{MARKER_HEADER}\nnodes {}\nconsensus {}\n", self.nodes, self.consensus)
    }

    fn of_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some(MARKER_HEADER) {
            return None;
        }
        let nodes = lines.next()?.strip_prefix("nodes ")?.parse().ok()?;
        let consensus = lines.next()?.strip_prefix("consensus ")?.parse().ok()?;
        Some(Self { nodes, consensus })
    }
}

fn lock(root: &Path) -> Result<DirectoryLock, Failed> {
    DirectoryLock::acquire(root).map_err(|error| Failed::new(Exit::CannotStart, in_use(&error)))
}

fn in_use(error: &LockError) -> String {
    match error {
        LockError::InUse { directory, holder } => {
            let holder =
                holder.map_or("another process".to_owned(), |pid| format!("process {pid}"));
            let directory = directory.display();
            format!(
                "the data directory {directory} is in use by {holder}: stop it, or choose another \
                 directory with --data-dir (and other ports with --base-port)"
            )
        }
        error => format!("{error}; choose another with --data-dir"),
    }
}

/// A directory with files and without our marker is somebody else's.
fn refuse_foreign(root: &Path) -> io::Result<Result<(), Failed>> {
    if root.join(MARKER_FILE).exists() {
        return Ok(Ok(()));
    }
    for item in fs::read_dir(root)? {
        // A directory that was locked and then given up is still ours to use.
        if item?.file_name() != "LOCK" {
            let text = format!(
                "the data directory {} holds something that `synod dev` did not make: choose \
                 another with --data-dir",
                root.display()
            );
            return Ok(Err(Failed::new(Exit::CannotStart, text)));
        }
    }
    Ok(Ok(()))
}

fn read_marker(root: &Path) -> Result<Option<Made>, Failed> {
    let text = match fs::read_to_string(root.join(MARKER_FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let text = format!("cannot read {}/{MARKER_FILE}: {error}", root.display());
            return Err(Failed::new(Exit::CannotStart, text));
        }
    };
    Made::of_text(&text).map(Some).ok_or_else(|| {
        let text = format!(
            "the data directory {} was made by another version of synod: use that version, start \
             over with --fresh, or choose another directory with --data-dir",
            root.display()
        );
        Failed::new(Exit::CannotStart, text)
    })
}

fn resume(before: Made, flags: &DevFlags, root: &Path) -> Result<Made, Failed> {
    let differs = |what: &str, was: String, now: String| {
        let text = format!(
            "the data directory {} was made with {what} {was}, and {now} is asked for: leave \
             {what} out to go on, start over with --fresh, or choose another directory with \
             --data-dir",
            root.display()
        );
        Err(Failed::new(Exit::CannotStart, text))
    };
    match (flags.nodes, flags.consensus) {
        (Some(nodes), _) if nodes != before.nodes => {
            differs("--nodes", before.nodes.to_string(), nodes.to_string())
        }
        (_, Some(consensus)) if consensus != before.consensus => {
            differs("--consensus", before.consensus.to_string(), consensus.to_string())
        }
        _ => Ok(before),
    }
}

/// The nodes' own directories, in order.
fn node_directories(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for item in fs::read_dir(root)? {
        let item = item?;
        if item.file_type()?.is_dir() && is_node_name(&item.file_name().to_string_lossy()) {
            found.push(item.path());
        }
    }
    found.sort();
    Ok(found)
}

fn is_node_name(name: &str) -> bool {
    name.strip_prefix('n').is_some_and(|number| number.parse::<u16>().is_ok())
}

/// A node may outlive the `synod dev` that started it by a moment, or was started by hand.
fn check_nodes_idle(root: &Path) -> io::Result<Result<(), Failed>> {
    for directory in node_directories(root)? {
        if let Err(error) = DirectoryLock::acquire(&directory) {
            return Ok(Err(Failed::new(Exit::CannotStart, in_use(&error))));
        }
    }
    Ok(Ok(()))
}

/// Deletes the nodes' directories, and the marker last: a clearing that was interrupted is still
/// known to be ours.
fn clear(root: &Path) -> io::Result<()> {
    for directory in node_directories(root)? {
        fs::remove_dir_all(directory)?;
    }
    match fs::remove_file(root.join(MARKER_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: DevFlags,
    }

    fn open(root: &Path, arguments: &[&str]) -> Result<Directory, Failed> {
        let root = root.to_str().unwrap();
        let line = [&["synod", "--data-dir", root], arguments].concat();
        Directory::open(&Line::try_parse_from(line).unwrap().flags)
    }

    fn error(root: &Path, arguments: &[&str]) -> String {
        open(root, arguments).unwrap_err().text
    }

    #[test]
    fn a_cluster_goes_on_as_it_was_made() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().join("data");
        let first = open(&root, &["--nodes", "5", "--consensus", "paxos"]).unwrap();
        assert!(!first.resumed);
        drop(first);
        let again = open(&root, &[]).unwrap();
        assert_eq!(again.made, Made { nodes: 5, consensus: Protocol::Paxos });
        assert!(again.resumed);
    }

    #[test]
    fn other_settings_are_refused_with_the_flag_that_helps() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path();
        drop(open(root, &[]).unwrap());
        for arguments in [["--nodes", "5"], ["--consensus", "paxos"]] {
            let text = error(root, &arguments);
            assert!(text.contains(arguments[0]) && text.contains("--fresh"), "{text}");
            assert!(text.contains(root.to_str().unwrap()), "{text}");
        }
    }

    #[test]
    fn fresh_deletes_what_dev_made_and_nothing_else() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path();
        drop(open(root, &[]).unwrap());
        fs::create_dir_all(root.join("n1/log")).unwrap();
        fs::write(root.join("notes.txt"), "mine").unwrap();
        let fresh = open(root, &["--fresh", "--nodes", "1"]).unwrap();
        assert_eq!(fresh.made.nodes, 1);
        assert!(!fresh.resumed && !root.join("n1").exists());
        assert_eq!(fs::read_to_string(root.join("notes.txt")).unwrap(), "mine");
    }

    #[test]
    fn somebody_elses_directory_is_left_alone() {
        let temporary = tempfile::tempdir().unwrap();
        fs::write(temporary.path().join("thesis.tex"), "text").unwrap();
        for arguments in [&[][..], &["--fresh"]] {
            assert!(error(temporary.path(), arguments).contains("--data-dir"));
        }
        assert!(temporary.path().join("thesis.tex").exists());
    }

    #[test]
    fn a_directory_in_use_is_named_with_its_process() {
        let temporary = tempfile::tempdir().unwrap();
        let _held = open(temporary.path(), &[]).unwrap();
        let text = error(temporary.path(), &[]);
        let process = format!("process {}", std::process::id());
        assert!(text.contains(&process) && text.contains("--data-dir"), "{text}");
    }

    #[test]
    fn fresh_waits_for_no_node_that_still_runs() {
        let temporary = tempfile::tempdir().unwrap();
        drop(open(temporary.path(), &[]).unwrap());
        let node = temporary.path().join("n2");
        fs::create_dir(&node).unwrap();
        let _running = DirectoryLock::acquire(&node).unwrap();
        assert!(error(temporary.path(), &["--fresh"]).contains("n2"));
        assert!(node.exists());
    }

    #[test]
    fn another_version_is_named_with_fresh() {
        let temporary = tempfile::tempdir().unwrap();
        fs::write(temporary.path().join(MARKER_FILE), "synod dev, format 2\n").unwrap();
        let text = error(temporary.path(), &[]);
        assert!(text.contains("another version") && text.contains("--fresh"), "{text}");
    }
}
