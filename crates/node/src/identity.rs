//! Who a data directory is: a small checksummed file that changes only whole.
//!
//! Always holds: the file on the disk is the old one or the new one, whatever happens between; an
//! incarnation is durable before it is used, and never used twice; a store id never changes.

mod file;
mod format;

pub use file::{IDENTITY_FILE, IdentityError, IdentityFile};
pub use format::{IDENTITY_FORMAT_VERSION, Identity, IdentityFormatError};
