//! The current key values of recently written keys, so that the next write of one need not ask the
//! engine what was there.
//!
//! Two generations: what is used moves to the young one, and when that is full it becomes the old
//! one, whose rest is forgotten. Always holds: what is kept is what the engine would answer.

use crate::KeyValue;
use bytes::Bytes;
use std::collections::BTreeMap;

/// What an entry costs beside its key and value, in bytes: two structures of the map.
const ENTRY_OVERHEAD_BYTES: usize = 192;

/// `None` is a key that is known not to be there.
type Known = BTreeMap<Bytes, Option<KeyValue>>;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Latest {
    young: Known,
    young_bytes: usize,
    old: Known,
    /// Of one generation.
    bytes_max: usize,
}

impl Latest {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let (young, old) = (Known::new(), Known::new());
        Self { young, young_bytes: 0, old, bytes_max: bytes_max / 2 }
    }

    /// What is known of `key`, if anything.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Option<KeyValue>> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Remembers what `key` is from now on.
    pub(crate) fn set(&mut self, key: Bytes, value: Option<KeyValue>) {
        self.old.remove(&key);
        if let Some(replaced) = self.young.remove(&key) {
            self.young_bytes -= weight_bytes(&key, replaced.as_ref());
        }
        let weight_bytes = weight_bytes(&key, value.as_ref());
        if weight_bytes > self.bytes_max {
            return;
        }
        if self.young_bytes + weight_bytes > self.bytes_max {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young.insert(key, value);
        self.young_bytes += weight_bytes;
    }
}

fn weight_bytes(key: &Bytes, value: Option<&KeyValue>) -> usize {
    ENTRY_OVERHEAD_BYTES + key.len() + value.map_or(0, |kv| kv.value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> Bytes {
        Bytes::from(number.to_string())
    }

    #[test]
    fn it_never_keeps_more_than_it_may_and_forgets_the_oldest() {
        let mut latest = Latest::new(20 * ENTRY_OVERHEAD_BYTES);
        for number in 0..1000 {
            latest.set(key(number), None);
            assert!(latest.young.len() + latest.old.len() <= 20);
        }
        assert_eq!(latest.get(&key(999)), Some(&None));
        assert_eq!(latest.get(&key(0)), None);
    }

    #[test]
    fn a_new_value_replaces_the_one_in_either_generation() {
        let mut latest = Latest::new(4 * ENTRY_OVERHEAD_BYTES);
        let value = |version| Some(KeyValue { version, ..KeyValue::default() });
        latest.set(key(1), value(1));
        latest.set(key(2), None);
        latest.set(key(1), value(2));
        assert_eq!(latest.get(&key(1)), Some(&value(2)));
    }

    #[test]
    fn a_value_too_large_to_keep_leaves_no_older_one_behind() {
        let mut latest = Latest::new(4 * ENTRY_OVERHEAD_BYTES);
        for rotations in 0..3 {
            latest.set(key(1), None);
            (0..rotations).for_each(|number| latest.set(key(10 + number), None));
            let value = Bytes::from(vec![0; 4 * ENTRY_OVERHEAD_BYTES]);
            latest.set(key(1), Some(KeyValue { value, ..KeyValue::default() }));
            assert_eq!(latest.get(&key(1)), None);
        }
    }

    #[test]
    fn no_room_means_nothing_is_kept() {
        let mut latest = Latest::new(0);
        latest.set(key(1), None);
        assert_eq!(latest.get(&key(1)), None);
    }
}
