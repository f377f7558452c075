//! How long to wait before dialling again: doubling, capped, jittered from a seed.

use crate::limits::{RECONNECT_DELAY_MAX, RECONNECT_DELAY_MIN};
use std::time::Duration;

/// The waits between attempts to reach one peer.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    random: u64,
}

impl Backoff {
    /// Starts with the shortest wait.
    pub(crate) fn new(seed: u64) -> Self {
        Self { next: RECONNECT_DELAY_MIN, random: seed }
    }

    /// Back to the shortest wait: the peer was there.
    pub(crate) fn reset(&mut self) {
        self.next = RECONNECT_DELAY_MIN;
    }

    /// The next wait: between a half and the whole of a bound that doubles up to
    /// [`RECONNECT_DELAY_MAX`], so that nodes that lost the same peer do not dial in step.
    pub(crate) fn delay(&mut self) -> Duration {
        let whole = self.next;
        self.next = (self.next * 2).min(RECONNECT_DELAY_MAX);
        let half_micros = u64::try_from(whole.as_micros() / 2).expect("a capped wait fits");
        Duration::from_micros(half_micros + self.draw() % (half_micros + 1))
    }

    /// SplitMix64 (Steele, Lea, Flood, 2014).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_their_bounds_and_start_over() {
        let mut backoff = Backoff::new(7);
        let mut bound = RECONNECT_DELAY_MIN;
        for _ in 0..20 {
            let delay = backoff.delay();
            assert!(delay >= bound / 2 && delay <= bound, "{delay:?} of {bound:?}");
            bound = (bound * 2).min(RECONNECT_DELAY_MAX);
        }
        backoff.reset();
        assert!(backoff.delay() <= RECONNECT_DELAY_MIN);
    }

    #[test]
    fn two_seeds_do_not_wait_in_step() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..8).map(|_| backoff.delay()).collect::<Vec<_>>()
        };
        assert_ne!(waits(1), waits(2));
        assert_eq!(waits(1), waits(1));
    }
}
