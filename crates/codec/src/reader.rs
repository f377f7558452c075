//! A cursor over shared bytes that refuses to read past the end.

use bytes::{Buf, Bytes};
use std::fmt;

/// Why bytes are not what a format says they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The input ends before the field does.
    Truncated,
    /// A variable-length number does not fit in 64 bits.
    NumberTooLong,
    /// A tag has no meaning in this version of the format; the name says of which field.
    UnknownTag(&'static str, u64),
    /// A length or a count is over its named limit.
    OverLimit(&'static str, u64),
    /// Bytes are left after the last field.
    TrailingBytes,
    /// A field is well formed but its value is not allowed.
    Invalid(&'static str),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => write!(f, "the input ends inside a field"),
            Self::NumberTooLong => write!(f, "a number is longer than 64 bits"),
            Self::UnknownTag(field, tag) => write!(f, "unknown {field} {tag}"),
            Self::OverLimit(field, value) => write!(f, "{field} is {value}, over its limit"),
            Self::TrailingBytes => write!(f, "bytes are left after the last field"),
            Self::Invalid(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Reads fields from the front of a shared buffer; byte fields share it instead of being copied.
#[derive(Debug, Clone)]
pub struct Reader {
    rest: Bytes,
}

impl Reader {
    /// Starts at the first byte of `bytes`.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.rest.try_get_u8().map_err(|_| DecodeError::Truncated)
    }

    /// A little-endian 16-bit number.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.rest.try_get_u16_le().map_err(|_| DecodeError::Truncated)
    }

    /// A little-endian 32-bit number.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.rest.try_get_u32_le().map_err(|_| DecodeError::Truncated)
    }

    /// A little-endian 64-bit number.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.rest.try_get_u64_le().map_err(|_| DecodeError::Truncated)
    }

    /// A boolean written as one byte, 0 or 1.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(DecodeError::UnknownTag("boolean", u64::from(other))),
        }
    }

    /// A variable-length unsigned number (LEB128).
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(DecodeError::NumberTooLong);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::NumberTooLong)
    }

    /// A signed number, zigzag in a varint.
    pub fn signed(&mut self) -> Result<i64, DecodeError> {
        let raw = self.varint()?;
        Ok(((raw >> 1) as i64) ^ -((raw & 1) as i64))
    }

    /// Exactly `length` raw bytes, shared with the input.
    pub fn take(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        if length > self.rest.len() {
            return Err(DecodeError::Truncated);
        }
        Ok(self.rest.split_to(length))
    }

    /// A length (varint) and that many bytes, shared with the input.
    pub fn bytes(&mut self) -> Result<Bytes, DecodeError> {
        let length = self.varint()?;
        let length = usize::try_from(length).map_err(|_| DecodeError::Truncated)?;
        self.take(length)
    }

    /// A UTF-8 string with its length in front.
    pub fn string(&mut self) -> Result<String, DecodeError> {
        let raw = self.bytes()?;
        String::from_utf8(raw.to_vec()).map_err(|_| DecodeError::Invalid("text is not UTF-8"))
    }

    /// A count of items that follow, each at least one byte long: bounded by what is left, so that
    /// a hostile count cannot make the decoder allocate.
    pub fn count(&mut self, field: &'static str) -> Result<usize, DecodeError> {
        let count = self.varint()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.rest.len() => Ok(count),
            _ => Err(DecodeError::OverLimit(field, count)),
        }
    }

    /// Everything that is left.
    #[must_use]
    pub fn rest(self) -> Bytes {
        self.rest
    }

    /// Succeeds only when nothing is left.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Writer;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_survive_a_round_trip(a: u64, b: i64, c: u32, d: u16, e: bool, raw: Vec<u8>) {
            let mut writer = Writer::new();
            writer.varint(a).signed(b).u32(c).u16(d).bool(e).bytes(&raw).u64(a);
            let mut reader = Reader::new(writer.into_bytes());
            prop_assert_eq!(reader.varint(), Ok(a));
            prop_assert_eq!(reader.signed(), Ok(b));
            prop_assert_eq!(reader.u32(), Ok(c));
            prop_assert_eq!(reader.u16(), Ok(d));
            prop_assert_eq!(reader.bool(), Ok(e));
            prop_assert_eq!(reader.bytes().unwrap(), raw);
            prop_assert_eq!(reader.u64(), Ok(a));
            prop_assert_eq!(reader.finish(), Ok(()));
        }

        #[test]
        fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
            let mut reader = Reader::new(Bytes::from(raw));
            let _ = reader.clone().varint();
            let _ = reader.clone().signed();
            let _ = reader.clone().bytes();
            let _ = reader.clone().string();
            let _ = reader.count("items");
        }
    }

    #[test]
    fn a_hostile_length_is_refused_before_it_allocates() {
        let mut writer = Writer::new();
        writer.varint(u64::MAX);
        let mut reader = Reader::new(writer.into_bytes());
        assert_eq!(reader.bytes(), Err(DecodeError::Truncated));
    }

    #[test]
    fn an_eleven_byte_number_is_refused() {
        let mut reader = Reader::new(Bytes::from_static(&[0xff; 11]));
        assert_eq!(reader.varint(), Err(DecodeError::NumberTooLong));
    }
}
