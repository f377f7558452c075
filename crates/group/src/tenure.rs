//! What a leader remembers of proposals that others forwarded to it, so that each is taken at most
//! once, and so that "not taken" is said only when it is certain.

use std::collections::BTreeMap;
use synod_consensus::{Ballot, StoreId};

/// One leadership of this store, kept after it ended until the next one begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tenure {
    ballot: Ballot,
    /// For each sender: its incarnation and the last sequence that was taken or refused.
    seen: BTreeMap<StoreId, (u64, u64)>,
}

/// What to do with a forwarded proposal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It is new, and was meant for this tenure.
    New,
    /// It may have been taken before: say nothing.
    Silence,
}

impl Tenure {
    pub(crate) fn begin(&mut self, ballot: Ballot) {
        if self.ballot != ballot {
            *self = Self { ballot, seen: BTreeMap::new() };
        }
    }

    /// Whether a proposal meant for `ballot` is seen for the first time.
    pub(crate) fn judge(
        &mut self,
        ballot: Ballot,
        from: StoreId,
        incarnation: u64,
        sequence: u64,
    ) -> Verdict {
        if ballot != self.ballot {
            // An earlier tenure, perhaps of an earlier process: what it took is not known here.
            return Verdict::Silence;
        }
        let last = self.seen.entry(from).or_insert((incarnation, 0));
        let newer = (incarnation, sequence) > *last && incarnation >= last.0;
        if newer {
            *last = (incarnation, sequence);
            return Verdict::New;
        }
        Verdict::Silence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LED: Ballot = Ballot::new(3, StoreId(1));

    fn tenure() -> Tenure {
        let mut tenure = Tenure::default();
        tenure.begin(LED);
        tenure
    }

    #[test]
    fn a_proposal_that_comes_twice_is_taken_once() {
        let mut tenure = tenure();
        assert_eq!(tenure.judge(LED, StoreId(2), 1, 5), Verdict::New);
        assert_eq!(tenure.judge(LED, StoreId(2), 1, 5), Verdict::Silence);
        assert_eq!(tenure.judge(LED, StoreId(2), 1, 4), Verdict::Silence);
        assert_eq!(tenure.judge(LED, StoreId(3), 1, 5), Verdict::New);
    }

    #[test]
    fn what_was_meant_for_another_tenure_is_never_taken() {
        let mut tenure = tenure();
        assert_eq!(tenure.judge(Ballot::new(2, StoreId(1)), StoreId(2), 1, 1), Verdict::Silence);
    }

    #[test]
    fn a_sender_that_restarted_counts_from_one_again() {
        let mut tenure = tenure();
        assert_eq!(tenure.judge(LED, StoreId(2), 1, 9), Verdict::New);
        assert_eq!(tenure.judge(LED, StoreId(2), 2, 1), Verdict::New);
        assert_eq!(tenure.judge(LED, StoreId(2), 1, 10), Verdict::Silence);
    }
}
