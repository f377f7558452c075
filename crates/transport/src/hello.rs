//! The greeting: who a node is and which cluster it belongs to. Pure; see `docs/format/peer.md`.

use crate::limits::{HELLO_BODY_BYTES_MAX, NAME_BYTES_MAX};
use bytes::Bytes;
use std::fmt;
use synod_codec::{DecodeError, Reader, Writer};
use synod_consensus::{Protocol, StoreId};

/// The version of this protocol between nodes. Nodes of different versions refuse each other.
pub const PROTOCOL_VERSION: u32 = 1;

/// A cluster's name, drawn at random when it is founded; zero before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClusterId(pub u64);

impl ClusterId {
    /// Not founded yet.
    pub const NONE: Self = Self(0);
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{:x}", self.0)
    }
}

/// What a node says of itself, first of all, on every connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The sender's [`PROTOCOL_VERSION`].
    pub version: u32,
    /// The sender's cluster; [`ClusterId::NONE`] before it is founded.
    pub cluster: ClusterId,
    /// [`token_hash`] of the configured cluster token: tells clusters apart before they are founded.
    pub token_hash: u64,
    /// Which protocol the sender's groups run.
    pub consensus: Protocol,
    /// The sender's disk.
    pub store: StoreId,
    /// The sender's configured name.
    pub name: String,
    /// Which start of the sender's process.
    pub incarnation: u64,
    /// The founding record, once there is one; opaque here.
    pub founding: Option<Bytes>,
}

/// A greeting that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HelloRead {
    /// Of this version.
    Known(Hello),
    /// Of another version, of which only the number can be read.
    OtherVersion(u32),
}

impl Hello {
    /// The body of a hello or welcome frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Writer::new();
        out.u32(self.version).u64(self.cluster.0).u64(self.token_hash);
        out.u8(consensus_tag(self.consensus)).u64(self.store.0).u64(self.incarnation);
        out.string(&self.name).bool(self.founding.is_some());
        if let Some(founding) = &self.founding {
            out.bytes(founding);
        }
        assert!(out.len() <= HELLO_BODY_BYTES_MAX, "names and records are bounded");
        out.into_bytes()
    }

    /// Reads [`Hello::encode`]'s form. The version comes first in every version, so that a node of
    /// another one can be told what is wrong.
    ///
    /// # Errors
    /// The bytes are no greeting.
    pub fn decode(body: Bytes) -> Result<HelloRead, DecodeError> {
        let mut reader = Reader::new(body);
        let version = reader.u32()?;
        if version != PROTOCOL_VERSION {
            return Ok(HelloRead::OtherVersion(version));
        }
        let hello = Self {
            version,
            cluster: ClusterId(reader.u64()?),
            token_hash: reader.u64()?,
            consensus: consensus_of_tag(reader.u8()?)?,
            store: read_store(&mut reader)?,
            incarnation: reader.u64()?,
            name: read_name(&mut reader)?,
            founding: if reader.bool()? { Some(reader.bytes()?) } else { None },
        };
        reader.finish()?;
        Ok(HelloRead::Known(hello))
    }
}

fn consensus_tag(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Raft => 0,
        Protocol::Paxos => 1,
    }
}

fn consensus_of_tag(tag: u8) -> Result<Protocol, DecodeError> {
    match tag {
        0 => Ok(Protocol::Raft),
        1 => Ok(Protocol::Paxos),
        other => Err(DecodeError::UnknownTag("consensus protocol", u64::from(other))),
    }
}

fn read_store(reader: &mut Reader) -> Result<StoreId, DecodeError> {
    match reader.u64()? {
        0 => Err(DecodeError::Invalid("a store id is zero")),
        id => Ok(StoreId(id)),
    }
}

fn read_name(reader: &mut Reader) -> Result<String, DecodeError> {
    let name = reader.string()?;
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(DecodeError::OverLimit("length of a node's name", name.len() as u64));
    }
    Ok(name)
}

/// FNV-1a over the token. It guards against mistakes, not against attackers: two clusters that were
/// given different tokens find out before they merge.
#[must_use]
pub fn token_hash(token: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    token.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn any_hello()(
            cluster: u64, token_hash: u64, paxos: bool, store in 1u64.., incarnation: u64,
            name in "[a-z0-9.-]{1,40}", founding: Option<Vec<u8>>,
        ) -> Hello {
            let consensus = if paxos { Protocol::Paxos } else { Protocol::Raft };
            Hello {
                version: PROTOCOL_VERSION, cluster: ClusterId(cluster), token_hash, consensus,
                store: StoreId(store), name, incarnation, founding: founding.map(Bytes::from),
            }
        }
    }

    proptest! {
        #[test]
        fn a_greeting_survives_a_round_trip(hello in any_hello()) {
            prop_assert_eq!(Hello::decode(hello.encode()), Ok(HelloRead::Known(hello)));
        }

        #[test]
        fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
            let _ = Hello::decode(Bytes::from(raw));
        }

        #[test]
        fn arbitrary_bytes_behind_this_version_never_panic(raw: Vec<u8>) {
            let mut body = PROTOCOL_VERSION.to_le_bytes().to_vec();
            body.extend(raw);
            let _ = Hello::decode(Bytes::from(body));
        }
    }

    #[test]
    fn another_version_is_recognised_whatever_follows() {
        let body = Bytes::from_static(b"\x63\x00\x00\x00whatever a later version says");
        assert_eq!(Hello::decode(body), Ok(HelloRead::OtherVersion(99)));
    }
}
