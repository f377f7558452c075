//! What the cluster knows of its nodes: the founding record, and what each says of itself in
//! group 0 under `node/<store id>`.

use crate::founding::FoundingRecord;
use bytes::Bytes;
use synod_codec::{DecodeError, Reader as Fields, Writer};
use synod_consensus::StoreId;
use synod_mvcc::{KeyRange, Range, RangeEnd, Reader};
use tracing::warn;

/// The version of a node's own record.
const RECORD_VERSION: u8 = 1;

/// In front of the store id, in hexadecimal, in a record's key.
const KEY_PREFIX: &str = "node/";

/// The first key behind all records: `/` is followed by `0`.
const KEY_END: &str = "node0";

/// What a node says of itself, in group 0.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeRecord {
    /// Its name.
    pub name: String,
    /// Where other nodes reach it.
    pub peer_urls: Vec<String>,
    /// Where clients reach it.
    pub client_urls: Vec<String>,
    /// The release that it runs.
    pub release: String,
}

/// A member of the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its disk.
    pub store: StoreId,
    /// What it says of itself; without client URLs until it first said so.
    pub record: NodeRecord,
}

impl NodeRecord {
    /// Where the record of `store` stands.
    pub(crate) fn key(store: StoreId) -> Bytes {
        Bytes::from(format!("{KEY_PREFIX}{:016x}", store.0))
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Writer::new();
        out.u8(RECORD_VERSION).string(&self.name).string(&self.release);
        for urls in [&self.peer_urls, &self.client_urls] {
            out.varint(urls.len() as u64);
            urls.iter().for_each(|url| {
                out.string(url);
            });
        }
        out.into_bytes()
    }

    pub(crate) fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(bytes);
        match fields.u8()? {
            RECORD_VERSION => {}
            other => return Err(DecodeError::UnknownTag("node record version", u64::from(other))),
        }
        let (name, release) = (fields.string()?, fields.string()?);
        let (peer_urls, client_urls) = (read_urls(&mut fields)?, read_urls(&mut fields)?);
        fields.finish()?;
        Ok(Self { name, peer_urls, client_urls, release })
    }
}

fn read_urls(fields: &mut Fields) -> Result<Vec<String>, DecodeError> {
    let count = fields.count("URLs of a node")?;
    (0..count).map(|_| fields.string()).collect()
}

/// The founding members, each as it describes itself in the state behind `meta`.
pub(crate) fn members(founding: &FoundingRecord, meta: &Reader) -> Vec<Member> {
    let mut members: Vec<Member> = founding
        .members
        .iter()
        .map(|member| Member {
            store: member.store,
            record: NodeRecord {
                name: member.name.clone(),
                peer_urls: vec![member.peer_url.clone()],
                ..NodeRecord::default()
            },
        })
        .collect();
    for (key, record) in records(meta) {
        if let Some(member) = members.iter_mut().find(|one| NodeRecord::key(one.store) == key) {
            member.record = record;
        }
    }
    members
}

fn records(meta: &Reader) -> Vec<(Bytes, NodeRecord)> {
    let start = Bytes::from_static(KEY_PREFIX.as_bytes());
    let end = RangeEnd::Before(Bytes::from_static(KEY_END.as_bytes()));
    let found = match meta.range(&Range::of(KeyRange { start, end })) {
        Ok(found) => found.keys,
        Err(error) => {
            warn!("cannot read the nodes' records: {error}");
            Vec::new()
        }
    };
    let record = |key_value: synod_mvcc::KeyValue| {
        NodeRecord::decode(key_value.value).ok().map(|record| (key_value.key, record))
    };
    found.into_iter().filter_map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_survives_a_round_trip(
            name in ".{0,20}", peer_urls: Vec<String>, client_urls: Vec<String>, release in ".{0,9}",
        ) {
            let record = NodeRecord { name, peer_urls, client_urls, release };
            prop_assert_eq!(NodeRecord::decode(record.encode()), Ok(record));
        }

        #[test]
        fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
            let _ = NodeRecord::decode(Bytes::from(raw));
        }
    }

    #[test]
    fn the_bounds_hold_every_record_and_nothing_else() {
        for store in [1, u64::MAX] {
            let key = NodeRecord::key(StoreId(store));
            assert!(key.as_ref() > KEY_PREFIX.as_bytes() && key.as_ref() < KEY_END.as_bytes());
        }
    }
}
