//! Who votes and who listens.

use crate::StoreId;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::fmt;

/// A group's stores. While `outgoing` is not empty the membership is joint: every decision needs a
/// quorum of `voters` and a quorum of `outgoing`.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Membership {
    /// Stores whose votes count.
    pub voters: BTreeSet<StoreId>,
    /// The voters of the membership that is being left.
    pub outgoing: BTreeSet<StoreId>,
    /// Stores that receive the log and never count.
    pub learners: BTreeSet<StoreId>,
}

/// No group has more voters, outgoing voters, or learners than this: a quorum of more would cost
/// more messages than it saves lives, and bitmaps over voters stay one word.
pub const MEMBERS_MAX: usize = 64;

/// Bytes that are not a membership, or one that cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidMembership(pub &'static str);

impl fmt::Display for InvalidMembership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid membership: {}", self.0)
    }
}

impl std::error::Error for InvalidMembership {}

impl Membership {
    /// A membership of voters only.
    pub fn of_voters(voters: impl IntoIterator<Item = StoreId>) -> Self {
        Self { voters: voters.into_iter().collect(), ..Self::default() }
    }

    /// Every store named anywhere, once, in order.
    pub fn stores(&self) -> impl Iterator<Item = StoreId> + use<> {
        let mut all = self.voters.clone();
        all.extend(&self.outgoing);
        all.extend(&self.learners);
        all.into_iter()
    }

    /// Whether `store` votes in either half.
    #[must_use]
    pub fn is_voter(&self, store: StoreId) -> bool {
        self.voters.contains(&store) || self.outgoing.contains(&store)
    }

    /// The log's form: three lists, each a count byte and that many little-endian 64-bit ids.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(3 + 8 * 8);
        for list in [&self.voters, &self.outgoing, &self.learners] {
            let count = u8::try_from(list.len()).expect("MEMBERS_MAX bounds every list");
            out.push(count);
            list.iter().for_each(|store| out.extend_from_slice(&store.0.to_le_bytes()));
        }
        Bytes::from(out)
    }

    /// Reads [`Membership::encode`]'s form.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidMembership> {
        let (voters, rest) = decode_list(bytes)?;
        let (outgoing, rest) = decode_list(rest)?;
        let (learners, rest) = decode_list(rest)?;
        if !rest.is_empty() {
            return Err(InvalidMembership("bytes are left after the last list"));
        }
        let membership = Self { voters, outgoing, learners };
        membership.check()?;
        Ok(membership)
    }

    /// Whether it can be in force: at least one voter, nobody both voter and learner, no id zero.
    pub fn check(&self) -> Result<(), InvalidMembership> {
        if self.voters.is_empty() {
            return Err(InvalidMembership("there is no voter"));
        }
        if self.learners.iter().any(|store| self.is_voter(*store)) {
            return Err(InvalidMembership("a store is both voter and learner"));
        }
        if self.stores().any(|store| store == StoreId::NONE) {
            return Err(InvalidMembership("a store id is zero"));
        }
        Ok(())
    }
}

fn decode_list(bytes: &[u8]) -> Result<(BTreeSet<StoreId>, &[u8]), InvalidMembership> {
    let (count, rest) = bytes.split_first().ok_or(InvalidMembership("a list is missing"))?;
    let count = usize::from(*count);
    if count > MEMBERS_MAX {
        return Err(InvalidMembership("a list is longer than allowed"));
    }
    let (ids, rest) =
        rest.split_at_checked(count * 8).ok_or(InvalidMembership("a list is cut short"))?;
    let list: BTreeSet<StoreId> = ids
        .chunks_exact(8)
        .map(|id| StoreId(u64::from_le_bytes(id.try_into().expect("chunks are eight bytes"))))
        .collect();
    if list.len() != count {
        return Err(InvalidMembership("a store is listed twice"));
    }
    Ok((list, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_valid_membership_survives_a_round_trip(voters in proptest::collection::btree_set(1u64..20, 1..7)) {
            let membership = Membership::of_voters(voters.into_iter().map(StoreId));
            prop_assert_eq!(Membership::decode(&membership.encode()), Ok(membership));
        }

        #[test]
        fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
            let _ = Membership::decode(&raw);
        }
    }

    #[test]
    fn a_learner_that_votes_is_refused() {
        let mut membership = Membership::of_voters([StoreId(1)]);
        membership.learners.insert(StoreId(1));
        assert!(membership.check().is_err());
    }
}
