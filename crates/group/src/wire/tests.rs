use super::*;
use proptest::prelude::*;

fn ballot() -> impl Strategy<Value = Ballot> {
    (0u64..1000, any::<u64>()).prop_map(|(round, store)| Ballot::new(round, StoreId(store)))
}

fn index() -> impl Strategy<Value = LogIndex> {
    (0..INDEX_MAX).prop_map(LogIndex)
}

fn position() -> impl Strategy<Value = Position> {
    (index(), ballot()).prop_map(|(index, ballot)| Position { index, ballot })
}

fn raw() -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![
        Just(Origin::default()),
        (any::<u64>(), 1u64..9, any::<u64>()).prop_map(|(store, incarnation, sequence)| Origin {
            store: StoreId(store),
            incarnation,
            sequence
        }),
    ]
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let membership = Membership::of_voters([StoreId(1), StoreId(2)]).encode();
    let content = prop_oneof![
        Just((EntryKind::Noop, Bytes::new())),
        raw().prop_map(|payload| (EntryKind::Command, payload)),
        Just((EntryKind::Membership, membership)),
    ];
    let list = proptest::collection::vec((ballot(), origin(), content), 0..5);
    (1u64..1000, list).prop_map(|(first, list)| {
        let entry = |(offset, (ballot, origin, (kind, payload)))| Entry {
            index: LogIndex(first + offset as u64),
            ballot,
            origin,
            kind,
            payload,
        };
        list.into_iter().enumerate().map(entry).collect()
    })
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        position().prop_map(|last| Body::Canvass { last }),
        any::<bool>().prop_map(|granted| Body::CanvassReply { granted }),
        position().prop_map(|last| Body::Vote { last }),
        any::<bool>().prop_map(|granted| Body::VoteReply { granted }),
        index().prop_map(|from| Body::Prepare { from }),
        (index(), entries(), index(), index(), index()).prop_map(
            |(from, accepted, first, last, committed)| Body::Promise {
                from,
                accepted,
                first,
                last,
                committed
            }
        ),
        Just(Body::Reject),
        (position(), entries(), index()).prop_map(|(previous, entries, committed)| Body::Append {
            previous,
            entries,
            committed
        }),
        index().prop_map(|matched| Body::Appended { matched }),
        (index(), position()).prop_map(|(previous, hint)| Body::AppendRefused { previous, hint }),
        index().prop_map(|committed| Body::Commit { committed }),
        (index(), any::<u64>()).prop_map(|(committed, round)| Body::Heartbeat { committed, round }),
        (any::<u64>(), index())
            .prop_map(|(round, verified)| Body::HeartbeatReply { round, verified }),
    ]
}

fn message() -> impl Strategy<Value = GroupMessage> {
    let numbers = || (any::<u64>(), any::<u64>());
    let proposal = (any::<u64>(), raw())
        .prop_map(|(sequence, payload)| ForwardedProposal { sequence, payload });
    let meta = (index(), ballot()).prop_map(|(index, ballot)| SnapshotMeta {
        index,
        ballot,
        membership: Membership::of_voters([StoreId(7)]),
    });
    prop_oneof![
        (ballot(), body())
            .prop_map(|(ballot, body)| { GroupMessage::Consensus(Message { ballot, body }) }),
        (ballot(), any::<u64>(), proptest::collection::vec(proposal, 0..4)).prop_map(
            |(ballot, incarnation, proposals)| GroupMessage::Propose {
                ballot,
                incarnation,
                proposals
            }
        ),
        (ballot(), any::<u64>(), proptest::collection::vec(any::<u64>(), 0..4), any::<bool>())
            .prop_map(|(ballot, incarnation, sequences, overloaded)| {
                GroupMessage::ProposeRefused { ballot, incarnation, sequences, overloaded }
            }),
        numbers()
            .prop_map(|(incarnation, sequence)| GroupMessage::ReadIndex { incarnation, sequence }),
        (numbers(), proptest::option::of(index())).prop_map(|((incarnation, sequence), index)| {
            GroupMessage::ReadIndexReply { incarnation, sequence, index }
        }),
        (numbers(), raw()).prop_map(|((incarnation, sequence), question)| GroupMessage::Ask {
            incarnation,
            sequence,
            question
        }),
        (numbers(), proptest::option::of(raw())).prop_map(|((incarnation, sequence), answer)| {
            GroupMessage::Answer { incarnation, sequence, answer }
        }),
        (any::<u64>(), meta)
            .prop_map(|(session, meta)| GroupMessage::SnapshotOffer { session, meta }),
        (numbers(), raw()).prop_map(|((session, number), after)| GroupMessage::SnapshotFetch {
            session,
            number,
            after
        }),
        (numbers(), raw(), raw(), any::<bool>()).prop_map(
            |((session, number), chunk, resume, last)| GroupMessage::SnapshotChunk {
                session,
                number,
                chunk,
                resume,
                last
            }
        ),
        (any::<u64>(), any::<bool>())
            .prop_map(|(session, installed)| GroupMessage::SnapshotEnded { session, installed }),
        any::<u64>().prop_map(|session| GroupMessage::SnapshotGone { session }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_message_survives_a_round_trip(message in message()) {
        prop_assert_eq!(decode_message(encode_message(&message)), Ok(message));
    }

    #[test]
    fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
        let _ = decode_message(Bytes::from(raw));
    }

    #[test]
    fn a_message_with_one_byte_changed_never_panics(message in message(), at: usize, to: u8) {
        let mut raw = encode_message(&message).to_vec();
        let at = at % raw.len();
        raw[at] = to;
        let _ = decode_message(Bytes::from(raw));
    }

    #[test]
    fn a_message_cut_short_is_refused(message in message(), cut: usize) {
        let raw = encode_message(&message);
        let cut = cut % raw.len();
        prop_assert!(decode_message(raw.slice(..cut)).is_err());
    }
}
