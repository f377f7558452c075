//! Simulated time, and the clocks of stores, which all run a little wrong.

use synod_consensus::Instant;

/// The simulator's own time in microseconds: what really happens when. No store sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Micros(pub u64);

/// One millisecond.
pub const MILLISECOND: u64 = 1_000;
/// One second.
pub const SECOND: u64 = 1_000_000;

impl Micros {
    /// Later by `micros`.
    #[must_use]
    pub fn plus(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

/// A store's clock: it starts anywhere and runs at its own rate.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// What it shows at the simulation's start.
    pub offset: u64,
    /// How many millionths it runs too fast (or, negative, too slow).
    pub drift_per_million: i64,
}

impl Clock {
    fn rate(self) -> u128 {
        u128::try_from(1_000_000 + self.drift_per_million).expect("a clock runs forward")
    }

    /// What the clock shows at `time`.
    #[must_use]
    pub fn shows(self, time: Micros) -> Instant {
        let elapsed = u128::from(time.0) * self.rate() / 1_000_000;
        Instant(self.offset + u64::try_from(elapsed).expect("a simulation ends long before"))
    }

    /// The first moment at which the clock shows `instant` or more.
    #[must_use]
    pub fn when(self, instant: Instant) -> Micros {
        let elapsed = u128::from(instant.0.saturating_sub(self.offset));
        let time = (elapsed * 1_000_000).div_ceil(self.rate());
        Micros(u64::try_from(time).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_never_fires_before_its_clock_shows_the_time() {
        for drift_per_million in [-5_000, 0, 1, 777, 5_000] {
            let clock = Clock { offset: 12_345, drift_per_million };
            for instant in (12_345..2_000_000).step_by(9_973) {
                let when = clock.when(Instant(instant));
                assert!(clock.shows(when) >= Instant(instant));
                assert!(when.0 == 0 || clock.shows(Micros(when.0 - 1)) < Instant(instant));
            }
        }
    }
}
