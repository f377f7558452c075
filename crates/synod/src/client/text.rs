//! Keys and values between people and bytes.

use super::problem::Problem;
use serde_json::{Map, Value};

/// The bytes that an argument stands for.
pub(super) fn bytes(argument: &str, hex: bool) -> Result<Vec<u8>, Problem> {
    if hex { from_hex(argument) } else { Ok(argument.as_bytes().to_vec()) }
}

fn from_hex(argument: &str) -> Result<Vec<u8>, Problem> {
    let wrong = || Problem::Usage(format!("`{argument}` is not hexadecimal: two digits a byte"));
    if !argument.is_ascii() || !argument.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let pairs = (0..argument.len()).step_by(2).map(|at| &argument[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).map_err(|_| wrong())).collect()
}

/// Bytes for people: text as it is, anything unprintable escaped.
pub(super) fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || character == '\\' {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Bytes for programs: `name` if they are text, else `name_hex`.
pub(super) fn put(object: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), Value::from(text)),
        Err(_) => object.insert(format!("{name}_hex"), Value::from(hex(bytes))),
    };
}

/// Lower-case hexadecimal, two digits a byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Ids of leases and members are written in hexadecimal, as etcd's tools do.
pub(super) fn id(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let id = u64::from_str_radix(digits, 16)
        .map_err(|_| format!("`{text}` is not an id: up to 16 hexadecimal digits"))?;
    Ok(id.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_text_survives_in_hexadecimal() {
        let bytes = [0x66, 0xff, 0x00];
        assert_eq!(from_hex(&hex(&bytes)).unwrap(), bytes);
        assert_eq!(readable(&bytes), "f\\xff\\u{0}");
        assert!(from_hex("abc").is_err());
        assert!(from_hex("zz").is_err());
        assert!(from_hex("aéb").is_err());
    }

    #[test]
    fn ids_may_use_all_64_bits() {
        assert_eq!(id("ffffffffffffffff"), Ok(-1));
        assert_eq!(id("0x4d"), Ok(77));
        assert!(id("x").is_err());
    }
}
