//! Quorum arithmetic: what a majority of a membership, joint or not, agrees on.
//!
//! Every decision in a joint membership needs both majorities. The naive twin at the end counts
//! subsets one by one; the two must agree for every group of up to seven stores.

use crate::{LogIndex, Membership, StoreId};
use std::collections::BTreeSet;

/// Whether the stores for which `agrees` holds are a quorum.
pub(crate) fn has_quorum(membership: &Membership, agrees: impl Fn(StoreId) -> bool) -> bool {
    let majority = |half: &BTreeSet<StoreId>| {
        let votes = half.iter().filter(|store| agrees(**store)).count();
        half.is_empty() || votes > half.len() / 2
    };
    majority(&membership.voters) && majority(&membership.outgoing)
}

/// The highest value that a quorum has reached, where each store has reached `of(store)`.
pub(crate) fn reached_by_quorum(membership: &Membership, of: impl Fn(StoreId) -> u64) -> u64 {
    let reached = |half: &BTreeSet<StoreId>| {
        let mut values: Vec<u64> = half.iter().map(|store| of(*store)).collect();
        values.sort_unstable();
        // With n values in ascending order, a majority has reached the one at (n - 1) / 2.
        values.get(half.len().saturating_sub(1) / 2).copied().unwrap_or(u64::MAX)
    };
    reached(&membership.voters).min(reached(&membership.outgoing))
}

/// The highest log position that a quorum has reached.
pub(crate) fn committed(membership: &Membership, of: impl Fn(StoreId) -> LogIndex) -> LogIndex {
    LogIndex(reached_by_quorum(membership, |store| of(store).0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The twin: tries every value, counts who has reached it.
    fn naive(membership: &Membership, values: &[u64]) -> u64 {
        let of = |store: StoreId| values[store.0 as usize - 1];
        let enough = |half: &BTreeSet<StoreId>, value: u64| {
            let count = half.iter().filter(|store| of(**store) >= value).count();
            half.is_empty() || 2 * count > half.len()
        };
        (0..=3)
            .rev()
            .find(|value| {
                enough(&membership.voters, *value) && enough(&membership.outgoing, *value)
            })
            .expect("everyone has reached zero")
    }

    fn subset(mask: u64, stores: u64) -> BTreeSet<StoreId> {
        (1..=stores).filter(|store| mask >> (store - 1) & 1 == 1).map(StoreId).collect()
    }

    fn every_assignment(stores: u64, levels: u64, check: &mut impl FnMut(&[u64])) {
        for code in 0..levels.pow(stores as u32) {
            let values: Vec<u64> =
                (0..stores).map(|digit| code / levels.pow(digit as u32) % levels).collect();
            check(&values);
        }
    }

    #[test]
    fn simple_quorums_agree_with_the_naive_twin_for_up_to_seven_stores() {
        for stores in 1..=7 {
            let membership = Membership::of_voters((1..=stores).map(StoreId));
            every_assignment(stores, 4, &mut |values| {
                let fast = reached_by_quorum(&membership, |store| values[store.0 as usize - 1]);
                assert_eq!(fast, naive(&membership, values), "{stores} stores at {values:?}");
            });
        }
    }

    #[test]
    fn joint_quorums_agree_with_the_naive_twin_for_every_pair_of_halves_of_five() {
        for voters in 1..32 {
            for outgoing in 0..32 {
                let membership = Membership {
                    voters: subset(voters, 5),
                    outgoing: subset(outgoing, 5),
                    learners: BTreeSet::new(),
                };
                every_assignment(5, 3, &mut |values| {
                    let of = |store: StoreId| values[store.0 as usize - 1];
                    let fast = reached_by_quorum(&membership, of);
                    assert_eq!(fast, naive(&membership, values), "{membership:?} at {values:?}");
                    assert_eq!(
                        has_quorum(&membership, |store| of(store) >= 1),
                        naive(&membership, values) >= 1
                    );
                });
            }
        }
    }
}
