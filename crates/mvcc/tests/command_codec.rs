//! A command survives its way through the log, and no bytes harm the decoder.

mod common;

use bytes::Bytes;
use common::generate::{command, put};
use proptest::collection::vec;
use proptest::prelude::*;
use synod_codec::DecodeError;
use synod_mvcc::{Command, Put, TXN_DEPTH_MAX, Txn, TxnOperation};

proptest! {
    #![proptest_config(common::config(2000))]

    #[test]
    fn a_command_survives_a_round_trip(command in command()) {
        prop_assert_eq!(Command::decode(command.encode()), Ok(command));
    }

    #[test]
    fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
        let _ = Command::decode(Bytes::from([&[1u8][..], &raw].concat()));
        let _ = Command::decode(raw.into());
    }

    #[test]
    fn damaged_commands_never_panic(command in command(), flips in vec((any::<usize>(), any::<u8>()), 1..4)) {
        let mut raw = command.encode().to_vec();
        for (at, with) in flips {
            let at = at % raw.len();
            raw[at] ^= with;
        }
        let _ = Command::decode(raw.into());
    }

    #[test]
    fn a_cut_command_is_refused(command in command(), cut: usize) {
        let raw = command.encode();
        prop_assert!(Command::decode(raw.slice(..cut % raw.len())).is_err());
    }

    #[test]
    fn keys_and_values_share_the_entry(put in put()) {
        let raw = Command::Put(Put { key: Bytes::from_static(b"key"), ..put }).encode();
        let Ok(Command::Put(decoded)) = Command::decode(raw.clone()) else {
            return Err(TestCaseError::fail("it was a put"));
        };
        prop_assert!(raw.as_ptr_range().contains(&decoded.key.as_ptr()));
    }
}

fn nested(depth: usize) -> Txn {
    (1..depth).fold(Txn::default(), |txn, _| Txn {
        success: vec![TxnOperation::Txn(txn)],
        ..Txn::default()
    })
}

#[test]
fn the_deepest_transaction_is_read_and_a_deeper_one_is_refused() {
    let deepest = Command::Txn(nested(TXN_DEPTH_MAX));
    let raw = deepest.encode();
    assert_eq!(Command::decode(raw.clone()), Ok(deepest));
    // One more level by hand, since the encoder would not: a transaction whose one operation is the
    // transaction that stands behind the first two bytes.
    let (header, inner) = raw.split_at(2);
    let deeper = [header, &[0, 1, 4], inner, &[0]].concat();
    let refused = DecodeError::OverLimit("depth of a transaction", TXN_DEPTH_MAX as u64 + 1);
    assert_eq!(Command::decode(deeper.into()), Err(refused));
}

#[test]
#[should_panic(expected = "nests deeper")]
fn a_transaction_too_deep_never_gets_into_a_log() {
    let _ = Command::Txn(nested(TXN_DEPTH_MAX + 1)).encode();
}

#[test]
fn a_later_version_and_an_unknown_command_are_refused() {
    let later = Command::decode(Bytes::from_static(&[2, 1]));
    assert_eq!(later, Err(DecodeError::UnknownTag("command version", 2)));
    let unknown = Command::decode(Bytes::from_static(&[1, 99]));
    assert_eq!(unknown, Err(DecodeError::UnknownTag("command", 99)));
}

/// The bytes of a few commands, as `docs/format/command.md` has them. They never change within a
/// version: what is in a log today is read by every later build.
#[test]
fn version_one_is_written_as_documented() {
    let put = Put {
        key: Bytes::from_static(b"k"),
        value: Bytes::from_static(b"vv"),
        lease: synod_mvcc::LeaseId(5),
        want_previous: true,
        ..Put::default()
    };
    assert_eq!(Command::Put(put).encode().as_ref(), b"\x01\x01\x01\x0a\x01k\x02vv");
    let compact = Command::Compact { revision: synod_mvcc::Revision(300) };
    assert_eq!(compact.encode().as_ref(), b"\x01\x04\xd8\x04");
    let expire = Command::LeaseExpire {
        epoch: 3,
        granted_through: 9,
        leases: vec![synod_mvcc::LeaseId(-1), synod_mvcc::LeaseId(1)],
    };
    assert_eq!(expire.encode().as_ref(), b"\x01\x07\x03\x09\x02\x01\x02");
}
