//! The links between stores: what they lose, delay, double and cut.

use crate::random::Random;
use crate::time::Micros;
use std::collections::BTreeSet;

/// Which store, by its place in the cluster.
pub type Place = usize;

/// How links behave; drawn once a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkFaults {
    /// Chances in a million that a message is lost.
    pub loss_per_million: u64,
    /// Chances in a million that it arrives twice.
    pub double_per_million: u64,
    /// The shortest way, in microseconds.
    pub delay_min: u64,
    /// The longest ordinary way.
    pub delay_max: u64,
    /// Chances in a million that it takes up to `spike_max` more.
    pub spike_per_million: u64,
    /// The longest extra delay.
    pub spike_max: u64,
}

impl LinkFaults {
    /// A quiet local network.
    pub const QUIET: Self = Self {
        loss_per_million: 0,
        double_per_million: 0,
        delay_min: 50,
        delay_max: 300,
        spike_per_million: 0,
        spike_max: 0,
    };
}

/// The state of all links.
#[derive(Debug)]
pub struct Network {
    random: Random,
    /// How links behave now.
    pub faults: LinkFaults,
    /// Directed links that carry nothing.
    cut: BTreeSet<(Place, Place)>,
}

impl Network {
    /// All links whole.
    #[must_use]
    pub fn new(random: Random, faults: LinkFaults) -> Self {
        Self { random, faults, cut: BTreeSet::new() }
    }

    /// Cuts one direction between two stores.
    pub fn cut(&mut self, from: Place, to: Place) {
        self.cut.insert((from, to));
    }

    /// Cuts both directions.
    pub fn cut_both(&mut self, a: Place, b: Place) {
        self.cut(a, b);
        self.cut(b, a);
    }

    /// Joins everything.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// When copies of a message that is sent now arrive: none, one or two.
    pub fn arrivals(&mut self, now: Micros, from: Place, to: Place) -> Vec<Micros> {
        if self.cut.contains(&(from, to)) || self.random.per_million(self.faults.loss_per_million) {
            return Vec::new();
        }
        let copies = if self.random.per_million(self.faults.double_per_million) { 2 } else { 1 };
        (0..copies).map(|_| now.plus(self.delay())).collect()
    }

    fn delay(&mut self) -> u64 {
        let faults = self.faults;
        let base = self.random.between(faults.delay_min, faults.delay_max);
        if self.random.per_million(faults.spike_per_million) {
            return base + self.random.below(faults.spike_max.max(1));
        }
        base
    }
}
