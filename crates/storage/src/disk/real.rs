//! The real file system under a data directory.
//!
//! Always holds: no path leaves the root; a directory that [`Disk::create_directory`] made is
//! durable in every directory above it, up to the root.

use super::{Disk, DiskFile};
use bytes::Bytes;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Files below one directory of the operating system.
#[derive(Debug, Clone)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// A disk rooted at `root`, which is created if it is not there.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root)?;
        if let Some(parent) = root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_directory_at(parent)?;
        }
        Ok(Self { root })
    }

    /// The directory of the operating system that paths are relative to.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn resolve(&self, path: &str) -> io::Result<PathBuf> {
        let relative = Path::new(path);
        if relative.components().all(|part| matches!(part, Component::Normal(_))) {
            Ok(self.root.join(relative))
        } else {
            Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the path {path:?} leaves the data directory"),
            ))
        }
    }
}

fn sync_directory_at(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

impl Disk for RealDisk {
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.resolve(path)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Arc::new(RealFile { file }))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.resolve(path)?)?;
        Ok(Arc::new(RealFile { file }))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.resolve(path)?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.resolve(from)?, self.resolve(to)?)
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for item in fs::read_dir(self.resolve(directory)?)? {
            let item = item?;
            if item.file_type()?.is_file() {
                names.extend(item.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    fn create_directory(&self, directory: &str) -> io::Result<()> {
        let path = self.resolve(directory)?;
        fs::create_dir_all(&path)?;
        // A directory exists durably only when the one that names it was synced.
        for above in path.ancestors().skip(1).take_while(|above| above.starts_with(&self.root)) {
            sync_directory_at(above)?;
        }
        Ok(())
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        sync_directory_at(&self.resolve(directory)?)
    }
}

#[derive(Debug)]
struct RealFile {
    file: File,
}

impl DiskFile for RealFile {
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let available = self.length()?.saturating_sub(offset);
        if (length as u64) > available {
            // Refused before the buffer is allocated.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, offset)?;
        Ok(Bytes::from(buffer))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_created_written_renamed_listed_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(directory.path().join("data")).unwrap();
        disk.create_directory("log/deep").unwrap();
        let file = disk.create("log/a").unwrap();
        file.write_at(4, b"four").unwrap();
        file.sync_data().unwrap();
        disk.rename("log/a", "log/b").unwrap();
        disk.sync_directory("log").unwrap();
        assert_eq!(disk.list("log").unwrap(), ["b"], "directories are not files");
        let file = disk.open("log/b").unwrap();
        assert_eq!(file.read_at(0, 8).unwrap(), &b"\0\0\0\0four"[..]);
        assert_eq!(file.read_at(1, 8).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        file.set_length(2).unwrap();
        assert_eq!(file.length().unwrap(), 2);
        assert_eq!(disk.create("log/b").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        disk.remove("log/b").unwrap();
        assert_eq!(disk.open("log/b").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_path_that_leaves_the_root_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(directory.path()).unwrap();
        for path in ["../outside", "/etc/passwd", "log/../../outside"] {
            assert_eq!(disk.open(path).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }
}
