//! The identity file's bytes. Pure; see `docs/format/identity.md`.

use crate::founding::FoundingRecord;
use crate::founding::{consensus_of_tag, consensus_tag};
use bytes::Bytes;
use std::fmt;
use synod_codec::{DecodeError, Reader, Writer, checksum};
use synod_consensus::{Protocol, StoreId};

/// The version that this program reads and writes.
pub const IDENTITY_FORMAT_VERSION: u32 = 1;

/// The first bytes of the file.
const MAGIC: &[u8; 8] = b"SYNODIDN";

/// Magic, version, length, checksum.
const HEADER_BYTES: usize = 8 + 4 + 4 + 4;

/// What a data directory is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Drawn at random when the directory was first used.
    pub store: StoreId,
    /// How often it was started, this time included.
    pub incarnation: u64,
    /// What its groups run.
    pub consensus: Protocol,
    /// The node's name.
    pub name: String,
    /// The cluster it belongs to, once it does.
    pub founding: Option<FoundingRecord>,
    /// Whether the founding groups stand in its log: from then on a log without them was lost.
    pub installed: bool,
}

/// Why bytes are not an identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IdentityFormatError {
    /// Not an identity file at all.
    Magic,
    /// Of another version.
    Version(u32),
    /// The bytes are not the ones that were written.
    Checksum,
    /// The checksum holds and the content still makes no sense.
    Content(DecodeError),
}

impl fmt::Display for IdentityFormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => write!(f, "it is not an identity file"),
            Self::Version(found) => write!(
                f,
                "it has format version {found}, this release reads version {IDENTITY_FORMAT_VERSION}"
            ),
            Self::Checksum => write!(f, "its checksum does not match"),
            Self::Content(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for IdentityFormatError {}

impl From<DecodeError> for IdentityFormatError {
    fn from(error: DecodeError) -> Self {
        Self::Content(error)
    }
}

impl Identity {
    /// The file's content.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let body = self.encode_body();
        let mut out = Writer::with_capacity(HEADER_BYTES + body.len());
        let length = u32::try_from(body.len()).expect("names and records are bounded");
        out.raw(MAGIC).u32(IDENTITY_FORMAT_VERSION).u32(length);
        out.u32(checksum(body.as_slice())).raw(body.as_slice());
        out.into_bytes()
    }

    fn encode_body(&self) -> Writer {
        let mut body = Writer::new();
        body.u64(self.store.0).u64(self.incarnation).u8(consensus_tag(self.consensus));
        body.string(&self.name).bool(self.installed).bool(self.founding.is_some());
        if let Some(record) = &self.founding {
            body.bytes(&record.encode());
        }
        body
    }

    /// Reads [`Identity::encode`]'s form.
    ///
    /// # Errors
    /// The bytes are no identity that this program can use.
    pub fn decode(bytes: Bytes) -> Result<Self, IdentityFormatError> {
        let mut reader = Reader::new(bytes);
        if reader.take(MAGIC.len()).map_err(|_| IdentityFormatError::Magic)? != MAGIC[..] {
            return Err(IdentityFormatError::Magic);
        }
        let version = reader.u32()?;
        if version != IDENTITY_FORMAT_VERSION {
            return Err(IdentityFormatError::Version(version));
        }
        let length = usize::try_from(reader.u32()?).expect("usize has at least 32 bits here");
        let sum = reader.u32()?;
        let body = reader.take(length)?;
        if checksum(&body) != sum {
            return Err(IdentityFormatError::Checksum);
        }
        reader.finish()?;
        Ok(Self::decode_body(Reader::new(body))?)
    }

    fn decode_body(mut body: Reader) -> Result<Self, DecodeError> {
        let store = StoreId(body.u64()?);
        let incarnation = body.u64()?;
        let consensus = consensus_of_tag(body.u8()?)?;
        let name = body.string()?;
        let installed = body.bool()?;
        let founded = body.bool()?;
        let founding = if founded { Some(FoundingRecord::decode(body.bytes()?)?) } else { None };
        body.finish()?;
        if store == StoreId::NONE {
            return Err(DecodeError::Invalid("the store id is zero"));
        }
        Ok(Self { store, incarnation, consensus, name, founding, installed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::founding::FoundingMember;
    use proptest::prelude::*;
    use synod_transport::ClusterId;

    pub(super) fn example(founded: bool) -> Identity {
        let member = FoundingMember {
            name: "a".to_owned(),
            store: StoreId(7),
            peer_url: "http://127.0.0.1:2380".to_owned(),
        };
        let consensus = Protocol::Paxos;
        let record = FoundingRecord { cluster: ClusterId(3), consensus, members: vec![member] };
        Identity {
            store: StoreId(7),
            incarnation: 4,
            consensus,
            name: "a".to_owned(),
            founding: founded.then_some(record),
            installed: founded,
        }
    }

    #[test]
    fn an_identity_survives_a_round_trip() {
        for founded in [false, true] {
            let identity = example(founded);
            assert_eq!(Identity::decode(identity.encode()), Ok(identity));
        }
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let raw = example(true).encode().to_vec();
        for at in 0..raw.len() {
            for bit in 0..8 {
                let mut changed = raw.clone();
                changed[at] ^= 1 << bit;
                assert!(Identity::decode(Bytes::from(changed)).is_err(), "byte {at} bit {bit}");
            }
            assert!(Identity::decode(Bytes::from(raw[..at].to_vec())).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut raw = example(false).encode().to_vec();
        raw[8] = 9;
        let error = Identity::decode(Bytes::from(raw)).unwrap_err();
        assert_eq!(error, IdentityFormatError::Version(9));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
            let _ = Identity::decode(Bytes::from(raw));
        }
    }
}
