//! Randomness from the operating system: for names that must never be drawn twice, and for seeds.

use rustix::rand::{GetRandomFlags, getrandom};
use std::io;

/// A random number that is not zero.
///
/// # Errors
/// The operating system has no randomness to give.
pub(crate) fn draw() -> io::Result<u64> {
    loop {
        let mut raw = [0u8; 8];
        let length = getrandom(&mut raw, GetRandomFlags::empty())?;
        let value = u64::from_le_bytes(raw);
        // Reads of up to 256 bytes are never short (getrandom(2)); a zero means "none" here.
        if length == raw.len() && value != 0 {
            return Ok(value);
        }
    }
}
