//! A small seeded generator: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
//! generators", 2014). Election timeouts need no more, and a dependency would be one more thing to
//! keep deterministic.

use std::time::Duration;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// At least `base`, less than twice `base`.
    pub(crate) fn between_one_and_two(&mut self, base: Duration) -> Duration {
        let micros = u64::try_from(base.as_micros()).expect("a timeout fits in 64 bits").max(1);
        base + Duration::from_micros(self.next() % micros)
    }
}
