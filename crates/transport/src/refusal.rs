//! Why two nodes do not talk: a code to act on and a text for people. Pure.

use crate::hello::{ClusterId, PROTOCOL_VERSION};
use bytes::Bytes;
use std::fmt;
use synod_codec::{DecodeError, Reader, Writer};
use synod_consensus::{Protocol, StoreId};

/// The longest text of a refusal that is read from a peer, in bytes.
const TEXT_BYTES_MAX: usize = 2048;

/// What a program may act on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusalCode {
    /// The other node speaks another version of this protocol.
    Version,
    /// The other node was given another cluster token.
    Token,
    /// The other node runs the other consensus protocol.
    Consensus,
    /// Both belong to a cluster, and not to the same one.
    OtherCluster,
    /// The name belongs to another store: a wiped or replaced disk under an old name.
    StoreChanged,
    /// No member has this name.
    UnknownName,
    /// The address leads to another node than the configuration says.
    Misrouted,
    /// The two lists of members differ.
    ListsDiffer,
    /// The store was seen in a later incarnation: its disk is a copy or an old backup.
    OldIncarnation,
    /// The store id is the receiver's own: one disk was copied to two nodes.
    SameStore,
    /// The other node is about to belong to a cluster and cannot tell of it yet: ask again.
    Joining,
    /// A code of a later version.
    Other(u8),
}

impl RefusalCode {
    fn tag(self) -> u8 {
        match self {
            Self::Version => 1,
            Self::Token => 2,
            Self::Consensus => 3,
            Self::OtherCluster => 4,
            Self::StoreChanged => 5,
            Self::UnknownName => 6,
            Self::Misrouted => 7,
            Self::ListsDiffer => 8,
            Self::OldIncarnation => 9,
            Self::SameStore => 10,
            Self::Joining => 11,
            Self::Other(tag) => tag,
        }
    }

    fn of_tag(tag: u8) -> Self {
        match tag {
            1 => Self::Version,
            2 => Self::Token,
            3 => Self::Consensus,
            4 => Self::OtherCluster,
            5 => Self::StoreChanged,
            6 => Self::UnknownName,
            7 => Self::Misrouted,
            8 => Self::ListsDiffer,
            9 => Self::OldIncarnation,
            10 => Self::SameStore,
            11 => Self::Joining,
            other => Self::Other(other),
        }
    }
}

/// Why a node will not talk to another, in a code and in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// To act on.
    pub code: RefusalCode,
    /// What is wrong and what to do; written by the side that refuses, from its point of view.
    pub text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    fn new(code: RefusalCode, text: String) -> Self {
        Self { code, text }
    }

    /// Whether it is over by itself in a moment.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.code == RefusalCode::Joining
    }

    /// The peer speaks version `theirs`.
    #[must_use]
    pub fn version(theirs: u32) -> Self {
        let ours = PROTOCOL_VERSION;
        let text = format!(
            "the peer protocols differ: version {ours} here, version {theirs} there; \
             run the same release of synod on both nodes"
        );
        Self::new(RefusalCode::Version, text)
    }

    /// The peer, `name`, was started with another cluster token.
    #[must_use]
    pub fn token(name: &str) -> Self {
        let text = format!(
            "node {name} was started with another --initial-cluster-token: it belongs to another \
             cluster, or one of the two has a typing error"
        );
        Self::new(RefusalCode::Token, text)
    }

    /// The peer, `name`, runs another protocol.
    #[must_use]
    pub fn consensus(name: &str, ours: Protocol, theirs: Protocol) -> Self {
        let text = format!(
            "node {name} runs {theirs}, this node {ours}: start every node of a cluster with the \
             same --consensus"
        );
        Self::new(RefusalCode::Consensus, text)
    }

    /// The peer, `name`, holds another cluster's data.
    #[must_use]
    pub fn other_cluster(name: &str, ours: ClusterId, theirs: ClusterId) -> Self {
        let text = format!(
            "node {name} holds data of cluster {theirs}, this node of cluster {ours}: check its \
             --data-dir and the addresses in --initial-cluster"
        );
        Self::new(RefusalCode::OtherCluster, text)
    }

    /// The peer, `name`, is about to belong to cluster `theirs`, and cannot tell of it yet.
    #[must_use]
    pub fn joining(name: &str, theirs: ClusterId) -> Self {
        let text = format!(
            "node {name} is about to belong to cluster {theirs}; nothing needs to be done unless \
             this goes on"
        );
        Self::new(RefusalCode::Joining, text)
    }

    /// The peer, `name`, was founded as store `known` and now says `presented`.
    #[must_use]
    pub fn store_changed(name: &str, known: StoreId, presented: StoreId) -> Self {
        let text = format!(
            "name {name} was store {known}, now says {presented}: its disk was wiped or replaced. \
             What it promised is lost with the old disk, so it may not vote under the old name. \
             Restore the old data directory, or replace the member by one with a new name"
        );
        Self::new(RefusalCode::StoreChanged, text)
    }

    /// Nobody is called `name`.
    #[must_use]
    pub fn unknown_name(name: &str) -> Self {
        let text = format!(
            "no member is called {name}: give every node the same --initial-cluster, with the name \
             that each was started with"
        );
        Self::new(RefusalCode::UnknownName, text)
    }

    /// The address of `expected` was answered by `actual`.
    #[must_use]
    pub fn misrouted(expected: &str, actual: &str) -> Self {
        let text = format!(
            "the peer address of node {expected} leads to node {actual}: check the addresses in \
             --initial-cluster"
        );
        Self::new(RefusalCode::Misrouted, text)
    }

    /// The founding record names `theirs`, the configuration `ours`.
    #[must_use]
    pub fn lists_differ(ours: &str, theirs: &str) -> Self {
        let text = format!(
            "the lists of members differ: {ours} here, {theirs} there; give every node the same \
             --initial-cluster"
        );
        Self::new(RefusalCode::ListsDiffer, text)
    }

    /// Store `store` was seen in incarnation `seen`, and now says `presented`.
    #[must_use]
    pub fn old_incarnation(name: &str, store: StoreId, seen: u64, presented: u64) -> Self {
        let text = format!(
            "node {name} (store {store}) says this is its start number {presented}, but start \
             number {seen} was seen already: its disk is a copy or was restored from a backup. Such \
             a disk has forgotten what it promised: replace the member by one with a new name"
        );
        Self::new(RefusalCode::OldIncarnation, text)
    }

    /// The peer, `name`, presents this node's own store id.
    #[must_use]
    pub fn same_store(name: &str, store: StoreId) -> Self {
        let text = format!(
            "node {name} says it is store {store}, which is this node's own: a data directory was \
             copied, or the node's address is its own; every node needs a data directory that only \
             it has ever used"
        );
        Self::new(RefusalCode::SameStore, text)
    }

    /// Two names present the store `store`.
    #[must_use]
    pub fn shared_store(name: &str, other: &str, store: StoreId) -> Self {
        let text = format!(
            "nodes {name} and {other} both say they are store {store}: a data directory was copied; \
             every node needs a data directory that only it has ever used"
        );
        Self::new(RefusalCode::SameStore, text)
    }

    /// The body of a refuse frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Writer::new();
        out.u8(self.code.tag()).string(&self.text);
        out.into_bytes()
    }

    /// Reads [`Refusal::encode`]'s form.
    ///
    /// # Errors
    /// The bytes are no refusal.
    pub fn decode(body: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let code = RefusalCode::of_tag(reader.u8()?);
        let text = reader.string()?;
        reader.finish()?;
        if text.len() > TEXT_BYTES_MAX {
            return Err(DecodeError::OverLimit("length of a refusal", text.len() as u64));
        }
        Ok(Self { code, text: text.escape_debug().to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
            let _ = Refusal::decode(Bytes::from(raw));
        }

        #[test]
        fn every_code_survives_a_round_trip(tag: u8) {
            prop_assert_eq!(RefusalCode::of_tag(tag).tag(), tag);
        }
    }

    #[test]
    fn a_refusal_survives_a_round_trip() {
        let refusal = Refusal::store_changed("b", StoreId(1), StoreId(2));
        assert_eq!(Refusal::decode(refusal.encode()), Ok(refusal));
    }

    #[test]
    fn a_peer_cannot_write_control_characters_into_the_log() {
        let sent = Refusal { code: RefusalCode::Token, text: "a\nforged \u{1b}[2J line".into() };
        let read = Refusal::decode(sent.encode()).unwrap();
        assert!(!read.text.chars().any(char::is_control));
    }
}
