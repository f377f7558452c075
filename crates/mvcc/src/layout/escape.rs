//! User keys inside engine keys: in the same order, and none a prefix of another.
//!
//! A zero byte becomes `00 FF`, and `00 00` ends the key. Always holds: `escape(a) < escape(b)`
//! exactly when `a < b`, and no escaped key is a prefix of another, so what follows an escaped key
//! never influences the order of different keys.

use bytes::Bytes;

/// Ends an escaped key; below every continuation of the key.
const TERMINATOR: [u8; 2] = [0x00, 0x00];
/// Stands for one zero byte of the key.
const ESCAPED_ZERO: [u8; 2] = [0x00, 0xff];

/// Appends `key`, escaped and terminated.
pub(crate) fn escape_into(out: &mut Vec<u8>, key: &[u8]) {
    let mut parts = key.split(|byte| *byte == 0);
    out.extend_from_slice(parts.next().unwrap_or_default());
    for part in parts {
        out.extend_from_slice(&ESCAPED_ZERO);
        out.extend_from_slice(part);
    }
    out.extend_from_slice(&TERMINATOR);
}

/// The key that `escaped` holds, terminator included; `None` if it is not one escaped key exactly.
/// A key without zero bytes shares its bytes with `escaped`.
pub(crate) fn unescape(escaped: &Bytes) -> Option<Bytes> {
    let body_length = escaped.len().checked_sub(TERMINATOR.len())?;
    if escaped[body_length..] != TERMINATOR {
        return None;
    }
    let body = escaped.slice(..body_length);
    if !body.contains(&0) { Some(body) } else { unescape_zeros(&body) }
}

fn unescape_zeros(body: &[u8]) -> Option<Bytes> {
    let mut parts = body.split(|byte| *byte == 0);
    let mut key = parts.next()?.to_vec();
    for part in parts {
        let (mark, rest) = part.split_first()?;
        if *mark != ESCAPED_ZERO[1] {
            return None;
        }
        key.push(0);
        key.extend_from_slice(rest);
    }
    Some(Bytes::from(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escape(key: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        escape_into(&mut out, key);
        out
    }

    /// Keys of the bytes that matter most to the escaping.
    fn tricky_key() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0xfe), Just(0xff)], 0..6)
    }

    proptest! {
        #[test]
        fn order_is_kept_and_no_key_is_a_prefix(
            a in tricky_key(), b in tricky_key(), tail_a: [u8; 8], tail_b: [u8; 8],
        ) {
            let with_tail = |key: &[u8], tail: [u8; 8]| [escape(key), tail.to_vec()].concat();
            if a != b {
                let order = with_tail(&a, tail_a).cmp(&with_tail(&b, tail_b));
                prop_assert_eq!(order, a.cmp(&b));
                prop_assert!(!escape(&a).starts_with(&escape(&b)));
            }
        }

        #[test]
        fn a_key_survives_a_round_trip(key in tricky_key(), other: Vec<u8>) {
            for key in [key, other] {
                prop_assert_eq!(unescape(&Bytes::from(escape(&key))).unwrap(), key);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(raw in tricky_key()) {
            if let Some(key) = unescape(&Bytes::from(raw.clone())) {
                prop_assert_eq!(escape(&key), raw);
            }
        }
    }
}
