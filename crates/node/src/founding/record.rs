//! The founding record: what a cluster is from its first moment on. Pure; see
//! `docs/format/identity.md`.

use bytes::Bytes;
use synod_codec::{DecodeError, Reader, Writer};
use synod_consensus::{MEMBERS_MAX, Membership, Protocol, StoreId};
use synod_transport::ClusterId;
use synod_transport::limits::NAME_BYTES_MAX;

/// The longest peer URL, in bytes: a host name of 253 bytes, a scheme and a port.
pub const URL_BYTES_MAX: usize = 512;

/// The version of this record's format.
const RECORD_VERSION: u8 = 1;

/// One founding member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundingMember {
    /// Its name, unique in the cluster.
    pub name: String,
    /// Its disk.
    pub store: StoreId,
    /// Where it listened for peers when the cluster was founded.
    pub peer_url: String,
}

/// What a cluster is from its first moment on. The same, byte for byte, on every member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundingRecord {
    /// Drawn at random by the founder.
    pub cluster: ClusterId,
    /// What every group of the cluster runs.
    pub consensus: Protocol,
    /// Sorted by name.
    pub members: Vec<FoundingMember>,
}

impl FoundingRecord {
    /// The founding member called `name`.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&FoundingMember> {
        self.members.iter().find(|member| member.name == name)
    }

    /// Every group's first membership.
    #[must_use]
    pub fn membership(&self) -> Membership {
        Membership::of_voters(self.members.iter().map(|member| member.store))
    }

    /// The names, for people.
    #[must_use]
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
        names.join(",")
    }

    /// The stored and sent form.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Writer::new();
        out.u8(RECORD_VERSION).u64(self.cluster.0);
        out.u8(consensus_tag(self.consensus)).varint(self.members.len() as u64);
        for member in &self.members {
            out.string(&member.name).u64(member.store.0).string(&member.peer_url);
        }
        out.into_bytes()
    }

    /// Reads [`FoundingRecord::encode`]'s form.
    ///
    /// # Errors
    /// The bytes are no founding record, or one that cannot be.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8()?;
        if version != RECORD_VERSION {
            return Err(DecodeError::UnknownTag("founding record version", u64::from(version)));
        }
        let cluster = ClusterId(reader.u64()?);
        let consensus = consensus_of_tag(reader.u8()?)?;
        let count = reader.count("founding members")?;
        if count > MEMBERS_MAX {
            return Err(DecodeError::OverLimit("founding members", count as u64));
        }
        let members = (0..count).map(|_| read_member(&mut reader)).collect::<Result<_, _>>()?;
        reader.finish()?;
        let record = Self { cluster, consensus, members };
        record.check()?;
        Ok(record)
    }

    /// Whether it can be: a cluster id, members sorted by distinct names, distinct stores.
    fn check(&self) -> Result<(), DecodeError> {
        if self.cluster == ClusterId::NONE {
            return Err(DecodeError::Invalid("a founded cluster's id is zero"));
        }
        if self.members.is_empty() {
            return Err(DecodeError::Invalid("a cluster has no founding member"));
        }
        if !self.members.is_sorted_by(|one, next| one.name < next.name) {
            return Err(DecodeError::Invalid("founding members are not sorted by distinct names"));
        }
        if self.membership().voters.len() != self.members.len() {
            return Err(DecodeError::Invalid("two founding members are one store"));
        }
        if self.membership().check().is_err() {
            return Err(DecodeError::Invalid("a founding member's store id is zero"));
        }
        Ok(())
    }
}

fn read_member(reader: &mut Reader) -> Result<FoundingMember, DecodeError> {
    let name = read_text(reader, "length of a node's name", NAME_BYTES_MAX)?;
    let store = StoreId(reader.u64()?);
    let peer_url = read_text(reader, "length of a peer URL", URL_BYTES_MAX)?;
    Ok(FoundingMember { name, store, peer_url })
}

fn read_text(reader: &mut Reader, field: &'static str, max: usize) -> Result<String, DecodeError> {
    let text = reader.string()?;
    if text.is_empty() || text.len() > max {
        return Err(DecodeError::OverLimit(field, text.len() as u64));
    }
    Ok(text)
}

pub(crate) fn consensus_tag(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Raft => 0,
        Protocol::Paxos => 1,
    }
}

pub(crate) fn consensus_of_tag(tag: u8) -> Result<Protocol, DecodeError> {
    match tag {
        0 => Ok(Protocol::Raft),
        1 => Ok(Protocol::Paxos),
        other => Err(DecodeError::UnknownTag("consensus protocol", u64::from(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn any_record() -> impl Strategy<Value = FoundingRecord> {
        let names = proptest::collection::btree_set("[a-z0-9-]{1,12}", 1..8);
        (names, 1u64.., any::<bool>(), 1u64..1000).prop_map(|(names, cluster, paxos, first)| {
            let names: BTreeMap<String, u64> = names.into_iter().zip(first..).collect();
            let member = |(name, store): (String, u64)| FoundingMember {
                peer_url: format!("http://{name}:2380"),
                name,
                store: StoreId(store),
            };
            FoundingRecord {
                cluster: ClusterId(cluster),
                consensus: if paxos { Protocol::Paxos } else { Protocol::Raft },
                members: names.into_iter().map(member).collect(),
            }
        })
    }

    proptest! {
        #[test]
        fn a_record_survives_a_round_trip(record in any_record()) {
            prop_assert_eq!(FoundingRecord::decode(record.encode()), Ok(record));
        }

        #[test]
        fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
            let _ = FoundingRecord::decode(Bytes::from(raw));
        }

        #[test]
        fn a_changed_record_is_refused_or_still_a_possible_one(
            record in any_record(), at: prop::sample::Index, flip in 1u8..,
        ) {
            let mut raw = record.encode().to_vec();
            let at = at.index(raw.len());
            raw[at] ^= flip;
            if let Ok(changed) = FoundingRecord::decode(Bytes::from(raw)) {
                prop_assert_eq!(changed.check(), Ok(()));
            }
        }
    }

    #[test]
    fn a_record_with_one_store_twice_is_refused() {
        let member = |name: &str| FoundingMember {
            name: name.to_owned(),
            store: StoreId(7),
            peer_url: "http://x:1".to_owned(),
        };
        let members = vec![member("a"), member("b")];
        let record = FoundingRecord { cluster: ClusterId(1), consensus: Protocol::Raft, members };
        assert!(FoundingRecord::decode(record.encode()).is_err());
    }
}
