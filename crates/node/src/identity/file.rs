//! The identity file on a disk: read once at the start, replaced as a whole.

use super::{Identity, IdentityFormatError};
use crate::founding::FoundingRecord;
use bytes::Bytes;
use std::fmt;
use std::io;
use std::sync::Arc;
use synod_consensus::{Protocol, StoreId};
use synod_storage::{Disk, DiskFile};

/// The file's name, in the data directory.
pub const IDENTITY_FILE: &str = "IDENTITY";

/// Where the next content is prepared before it takes the file's place.
const PREPARED_FILE: &str = "IDENTITY.new";

/// The log's directory: what stands in it belongs to an identity.
const LOG_DIRECTORY: &str = crate::paths::LOG_DIRECTORY;

/// Larger than any identity: a founding record of 64 members, each with a name and a URL.
const FILE_BYTES_MAX: u64 = 128 << 10;

/// Why a data directory cannot be used as this node's. Nothing in it was changed, but for
/// [`IdentityError::Io`], after which it holds the old identity or the new one.
#[derive(Debug)]
pub enum IdentityError {
    /// The disk refused an operation.
    Io {
        /// What was tried.
        operation: &'static str,
        /// What the operating system said.
        error: io::Error,
    },
    /// The file cannot be read as an identity.
    Format(IdentityFormatError),
    /// There is data, but no identity with it.
    DataWithoutIdentity,
    /// The directory belongs to a node of another name.
    OtherName {
        /// Whose it is.
        was: String,
        /// Who asks for it.
        now: String,
    },
    /// The directory was made with another protocol.
    OtherConsensus {
        /// What it was made with.
        was: Protocol,
        /// What was asked for.
        now: Protocol,
    },
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { operation, error } => {
                write!(f, "cannot {operation} {IDENTITY_FILE}: {error}")
            }
            Self::Format(IdentityFormatError::Version(found)) => write!(
                f,
                "{IDENTITY_FILE} is of format version {found}, which this release cannot read: use \
                 the release that wrote it, or another --data-dir"
            ),
            Self::Format(error) => write!(
                f,
                "{IDENTITY_FILE} cannot be read: {error}. Without it nobody can tell which store \
                 this is: restore the file, or replace this member by one with a new name and an \
                 empty --data-dir"
            ),
            Self::DataWithoutIdentity => write!(
                f,
                "there is a log but no {IDENTITY_FILE}: the directory is not whole. Restore the \
                 file, or choose another --data-dir"
            ),
            Self::OtherName { was, now } => write!(
                f,
                "it belongs to node {was}, not {now}: start it with --name {was}, or choose \
                 another --data-dir"
            ),
            Self::OtherConsensus { was, now } => write!(
                f,
                "it was made with --consensus {was}, and {now} is asked for: a cluster keeps its \
                 protocol for life. Start it with --consensus {was}, or choose another --data-dir"
            ),
        }
    }
}

impl std::error::Error for IdentityError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::Format(error) => Some(error),
            Self::DataWithoutIdentity | Self::OtherName { .. } | Self::OtherConsensus { .. } => {
                None
            }
        }
    }
}

/// The identity in force, and the way to change it durably.
#[derive(Debug)]
pub struct IdentityFile {
    disk: Arc<dyn Disk>,
    identity: Identity,
}

impl IdentityFile {
    /// Reads what a directory is, without changing it; `None` if it was never used.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn peek(disk: &dyn Disk) -> Result<Option<Identity>, IdentityError> {
        let file = match disk.open(IDENTITY_FILE) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(IdentityError::Io { operation: "open", error }),
        };
        let raw = read_whole(file.as_ref())
            .map_err(|error| IdentityError::Io { operation: "read", error })?;
        Identity::decode(raw).map(Some).map_err(IdentityError::Format)
    }

    /// Starts a new incarnation of the directory's store, durably; a directory that was never used
    /// becomes `store_draw`.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn start(
        disk: Arc<dyn Disk>,
        name: &str,
        consensus: Protocol,
        store_draw: StoreId,
    ) -> Result<Self, IdentityError> {
        let identity = match Self::peek(disk.as_ref())? {
            Some(identity) => next_incarnation(identity, name, consensus)?,
            None => first_incarnation(disk.as_ref(), name, consensus, store_draw)?,
        };
        let file = Self { disk, identity };
        file.save()?;
        Ok(file)
    }

    /// What the directory is now.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The cluster is founded: durably, once.
    ///
    /// # Errors
    /// The disk refused; the directory is of the cluster or of none.
    ///
    /// # Panics
    /// If the directory belongs to another cluster.
    pub fn record_founding(&mut self, record: &FoundingRecord) -> Result<(), IdentityError> {
        let known = self.identity.founding.get_or_insert_with(|| record.clone());
        assert_eq!(known, record, "a store belongs to one cluster for life");
        self.save()
    }

    /// The founding groups stand durably in the log.
    ///
    /// # Errors
    /// The disk refused; the mark is there or not.
    pub fn record_installed(&mut self) -> Result<(), IdentityError> {
        assert!(self.identity.founding.is_some(), "only a founded cluster has groups");
        self.identity.installed = true;
        self.save()
    }

    fn save(&self) -> Result<(), IdentityError> {
        replace(self.disk.as_ref(), &self.identity.encode())
    }
}

fn next_incarnation(
    mut identity: Identity,
    name: &str,
    consensus: Protocol,
) -> Result<Identity, IdentityError> {
    if identity.name != name {
        return Err(IdentityError::OtherName { was: identity.name, now: name.to_owned() });
    }
    if identity.consensus != consensus {
        return Err(IdentityError::OtherConsensus { was: identity.consensus, now: consensus });
    }
    identity.incarnation += 1;
    Ok(identity)
}

fn first_incarnation(
    disk: &dyn Disk,
    name: &str,
    consensus: Protocol,
    store: StoreId,
) -> Result<Identity, IdentityError> {
    assert_ne!(store, StoreId::NONE, "the host draws until it is not zero");
    if disk.list(LOG_DIRECTORY).is_ok_and(|files| !files.is_empty()) {
        return Err(IdentityError::DataWithoutIdentity);
    }
    let (name, founding) = (name.to_owned(), None);
    Ok(Identity { store, incarnation: 1, consensus, name, founding, installed: false })
}

fn read_whole(file: &dyn DiskFile) -> io::Result<Bytes> {
    let length = file.length()?.min(FILE_BYTES_MAX);
    file.read_at(0, usize::try_from(length).expect("the limit fits"))
}

/// Prepare, sync, rename, sync the directory: the file is the old one or the new one at any moment.
fn replace(disk: &dyn Disk, content: &[u8]) -> Result<(), IdentityError> {
    let io = |operation| move |error| IdentityError::Io { operation, error };
    match disk.remove(PREPARED_FILE) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io("clear the way for")(error));
        }
        _ => {}
    }
    let file = disk.create(PREPARED_FILE).map_err(io("prepare"))?;
    file.write_at(0, content).map_err(io("write"))?;
    file.sync_data().map_err(io("sync"))?;
    disk.rename(PREPARED_FILE, IDENTITY_FILE).map_err(io("replace"))?;
    disk.sync_directory("").map_err(io("sync the directory of"))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
