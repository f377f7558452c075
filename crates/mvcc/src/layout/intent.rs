//! The record of a prepared write: reserved from the first day, written by nothing yet.
//!
//! A transaction across groups will leave an intent on every key it means to change, and resolve it
//! once its fate is known. A key has at most one intent, at (kind intent, escaped key); the state
//! record counts them, and reads look for none while the count is 0. A key space that holds any is
//! refused by this version, so that no version ever reads past a prepared write.

use crate::LeaseId;
use bytes::Bytes;
use synod_codec::{DecodeError, Reader, Writer};

/// A transaction across groups; drawn at random by its coordinator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TransactionId(pub [u8; 16]);

/// A prepared, not yet decided write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Intent {
    /// Whose it is; tells where its fate is recorded.
    pub transaction: TransactionId,
    /// The transaction's start: its reads saw what was committed before this timestamp.
    pub start_timestamp: u64,
    /// What the key will become.
    pub write: IntentWrite,
}

/// What an intent means to do to its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IntentWrite {
    /// Write.
    Put {
        /// The value.
        value: Bytes,
        /// Attach to this lease.
        lease: LeaseId,
    },
    /// Delete.
    Delete,
}

const INTENT_FORM: u8 = 1;
const PUT: u8 = 1;
const DELETE: u8 = 2;

impl Intent {
    /// The record's bytes; `docs/mvcc.md` has the table.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.u8(INTENT_FORM).raw(&self.transaction.0).u64(self.start_timestamp);
        match &self.write {
            IntentWrite::Put { value, lease } => writer.u8(PUT).signed(lease.0).raw(value),
            IntentWrite::Delete => writer.u8(DELETE),
        };
        writer.into_bytes()
    }

    /// Reads what [`Intent::encode`] wrote.
    pub fn decode(raw: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(raw);
        match reader.u8()? {
            INTENT_FORM => {}
            other => return Err(DecodeError::UnknownTag("intent record", other.into())),
        }
        let id = reader.take(16)?;
        let transaction = TransactionId(id.as_ref().try_into().expect("sixteen were taken"));
        let start_timestamp = reader.u64()?;
        let write = match reader.u8()? {
            PUT => IntentWrite::Put { lease: LeaseId(reader.signed()?), value: reader.rest() },
            DELETE => {
                reader.finish()?;
                IntentWrite::Delete
            }
            other => return Err(DecodeError::UnknownTag("intent's write", other.into())),
        };
        Ok(Self { transaction, start_timestamp, write })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_intent_survives_a_round_trip(id: [u8; 16], start: u64, put: Option<(Vec<u8>, i64)>) {
            let write = match put {
                Some((value, lease)) => {
                    IntentWrite::Put { value: value.into(), lease: LeaseId(lease) }
                }
                None => IntentWrite::Delete,
            };
            let transaction = TransactionId(id);
            let intent = Intent { transaction, start_timestamp: start, write };
            prop_assert_eq!(Intent::decode(intent.encode()), Ok(intent));
        }

        #[test]
        fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
            let _ = Intent::decode(raw.into());
        }
    }
}
