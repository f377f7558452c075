//! Reading and writing the binary formats that Synod owns: log records, peer frames, commands, journals.
//!
//! **What it is.** A [`Reader`] over a byte slice or a shared buffer that checks every bound, a
//! [`Writer`] that appends, and [`checksum`]. Integers are little-endian; lengths and small numbers are
//! variable-length (LEB128, at most ten bytes).
//!
//! **What it is not.** A serialisation framework: each format is spelled out by the crate that owns it,
//! field by field, and described in `docs/format/`.
//!
//! **What always holds.** Decoding never panics and never allocates more than the input is long,
//! whatever the bytes are. `decode(encode(x)) == x`.
//!
//! **Where its tests are.** At the end of each module: round trips and arbitrary bytes.

mod reader;
mod writer;

pub use reader::{DecodeError, Reader};
pub use writer::Writer;

/// CRC-32C (Castagnoli) of `bytes`, the one checksum of every Synod format.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// Extends `checksum` with more bytes: `extend(checksum(a), b) == checksum(a ++ b)`.
#[must_use]
pub fn extend_checksum(checksum: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(checksum, bytes)
}
