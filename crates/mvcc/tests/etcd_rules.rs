//! Rules of etcd that random comparison with a twin of our own could miss, since the twin might
//! share the misunderstanding. Each was seen on a real etcd or read in its documentation.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bytes::Bytes;
use std::sync::Arc;
use synod_consensus::{Ballot, Entry, EntryKind, GroupId, LogIndex, Origin};
use synod_mvcc::{
    Applied, Command, Compare, CompareOperator, CompareTarget, Delete, DeleteReply, Event, Fatal,
    KEY_BYTES_MAX, KeyRange, KeySpace, LeaseId, Put, PutReply, Range, RangeEnd, ReadError, Refusal,
    Reply, Revision, Scrubbed, Txn, TxnOperation, TxnOperationReply, WatchLimits, WatchMessage,
    WatchPoll, WatchRequest, WatchStream,
};
use synod_storage::MemoryEngine;

struct Store {
    engine: MemoryEngine,
    space: KeySpace,
}

impl Store {
    fn new() -> Self {
        let engine = MemoryEngine::new();
        let space = KeySpace::open(Arc::new(engine.clone()), GroupId(1), 1).unwrap();
        Self { engine, space }
    }

    fn entry(&self, payload: Bytes) -> Entry {
        let index = self.space.applied().next();
        let (ballot, origin, kind) = (Ballot::ZERO, Origin::default(), EntryKind::Command);
        Entry { index, ballot, origin, kind, payload }
    }

    fn apply(&mut self, command: Command) -> Applied {
        let entry = self.entry(command.encode());
        self.space.apply(&entry).unwrap().unwrap()
    }

    fn put(&mut self, key: &str, value: &str) -> Revision {
        let applied = self.apply(Command::Put(put(key, value)));
        assert_eq!(applied.result, Ok(Reply::Put(PutReply::default())));
        applied.revision
    }

    fn delete(&mut self, key: &str) -> Applied {
        let range = KeyRange::single(bytes(key));
        self.apply(Command::Delete(Delete { range, want_previous: false }))
    }

    fn compact(&mut self, revision: i64) -> Result<Reply, Refusal> {
        self.apply(Command::Compact { revision: Revision(revision) }).result
    }

    fn scrub(&mut self) {
        while self.space.scrub(2).unwrap() == Scrubbed::More {}
    }

    fn get(&self, key: &str, revision: Option<i64>) -> Result<Option<String>, Refusal> {
        let revision = revision.map(Revision);
        let range = Range { revision, ..Range::of(KeyRange::single(bytes(key))) };
        match self.space.reader().range(&range) {
            Ok(reply) => {
                Ok(reply.keys.first().map(|kv| String::from_utf8(kv.value.to_vec()).unwrap()))
            }
            Err(ReadError::Refused(refusal)) => Err(refusal),
            Err(ReadError::Fatal(fatal)) => panic!("{fatal}"),
        }
    }

    /// Everything that a watch of all keys is told from a revision on.
    fn watch_from(&self, start: i64) -> Vec<WatchMessage> {
        let reader = self.space.reader();
        let mut stream = WatchStream::new(WatchLimits::default());
        let start = Some(Revision(start));
        stream.create(WatchRequest { start, ..WatchRequest::new(KeyRange::all()) }, &reader);
        let mut told = Vec::new();
        while let WatchPoll::Message(message) = stream.poll(&reader).unwrap() {
            told.push(message);
        }
        told
    }
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn put(key: &str, value: &str) -> Put {
    Put { key: bytes(key), value: bytes(value), ..Put::default() }
}

#[test]
fn a_new_key_space_is_at_revision_one_and_its_first_write_at_two() {
    let mut store = Store::new();
    assert_eq!(store.space.reader().revision(), Revision(1));
    assert_eq!(store.put("a", "1"), Revision(2));
}

#[test]
fn deleting_nothing_takes_no_revision() {
    let mut store = Store::new();
    store.put("a", "1");
    let applied = store.delete("b");
    assert_eq!(applied.revision, Revision(2));
    assert_eq!(applied.result, Ok(Reply::Delete(DeleteReply::default())));
}

#[test]
fn a_new_key_space_can_be_compacted_at_zero_once() {
    let mut store = Store::new();
    assert_eq!(store.space.reader().compact_revision(), Revision(-1));
    assert_eq!(store.compact(0), Ok(Reply::Compact));
    assert_eq!(store.compact(0), Err(Refusal::Compacted { at: Revision(0) }));
    assert_eq!(store.compact(2), Err(Refusal::FutureRevision));
}

#[test]
fn the_compact_revision_itself_stays_readable() {
    let mut store = Store::new();
    store.put("a", "1");
    store.put("a", "2");
    store.put("a", "3");
    store.compact(3).unwrap();
    store.scrub();
    assert_eq!(store.get("a", Some(2)), Err(Refusal::Compacted { at: Revision(3) }));
    assert_eq!(store.get("a", Some(3)), Ok(Some("2".to_owned())));
    assert_eq!(store.get("a", Some(4)), Ok(Some("3".to_owned())));
    assert_eq!(store.get("a", Some(5)), Err(Refusal::FutureRevision));
    assert_eq!(store.get("a", Some(-7)), Ok(Some("3".to_owned())), "not above zero is the newest");
}

#[test]
fn a_deletion_at_the_compact_revision_is_told_to_a_watch_that_starts_there() {
    let mut store = Store::new();
    store.put("a", "1");
    store.delete("a");
    store.compact(3).unwrap();
    store.scrub();
    let told = store.watch_from(3);
    let [WatchMessage::Created { .. }, WatchMessage::Events { events, .. }] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(events, &[(Event::Delete { key: bytes("a"), revision: Revision(3) }, None)]);
}

#[test]
fn a_watch_below_the_compaction_is_created_and_then_cancelled() {
    let mut store = Store::new();
    store.put("a", "1");
    store.put("a", "2");
    store.compact(3).unwrap();
    let told = store.watch_from(2);
    assert!(matches!(told[0], WatchMessage::Created { revision: Revision(3), .. }));
    let at = Revision(3);
    let reason = synod_mvcc::CancelReason::Compacted { at };
    assert_eq!(told[1..], [WatchMessage::Canceled { id: 0, reason }]);
}

#[test]
fn versions_start_over_after_a_deletion() {
    let mut store = Store::new();
    store.put("a", "1");
    store.put("a", "2");
    store.delete("a");
    store.put("a", "3");
    let reply = store.space.reader().range(&Range::of(KeyRange::all())).unwrap();
    let kv = &reply.keys[0];
    assert_eq!((kv.version, kv.create_revision, kv.mod_revision), (1, Revision(5), Revision(5)));
}

#[test]
fn a_put_without_lease_detaches_and_one_with_an_unknown_lease_is_refused() {
    let mut store = Store::new();
    let lease = LeaseId(7);
    let leased = Command::Put(Put { lease, ..put("a", "1") });
    assert_eq!(store.apply(leased.clone()).result, Err(Refusal::LeaseNotFound));
    store.apply(Command::LeaseGrant { lease, ttl_seconds: 10 });
    store.apply(leased);
    assert_eq!(store.space.reader().lease_keys(lease).unwrap(), [bytes("a")]);
    store.put("a", "2");
    assert!(store.space.reader().lease_keys(lease).unwrap().is_empty());
    store.apply(Command::LeaseRevoke { lease });
    assert_eq!(store.get("a", None), Ok(Some("2".to_owned())));
}

#[test]
fn a_revoked_lease_takes_its_keys_along_in_order_and_in_one_revision() {
    let mut store = Store::new();
    let lease = LeaseId(7);
    store.apply(Command::LeaseGrant { lease, ttl_seconds: 10 });
    for key in ["b", "c", "a"] {
        store.apply(Command::Put(Put { lease, ..put(key, "1") }));
    }
    let applied = store.apply(Command::LeaseRevoke { lease });
    assert_eq!(applied.revision, Revision(5));
    let events = store.space.reader().events(Revision(5), Revision(5)).unwrap();
    let keys: Vec<_> = events.iter().map(|(event, _)| event.key().clone()).collect();
    assert_eq!(keys, ["a", "b", "c"]);
    assert_eq!(store.apply(Command::LeaseRevoke { lease }).result, Err(Refusal::LeaseNotFound));
}

#[test]
fn a_short_lease_is_raised_and_grants_are_counted() {
    let mut store = Store::new();
    let grant = |lease, ttl_seconds| Command::LeaseGrant { lease: LeaseId(lease), ttl_seconds };
    let granted = |lease, ttl_seconds, grant| {
        Ok(Reply::LeaseGrant { lease: LeaseId(lease), ttl_seconds, grant })
    };
    assert_eq!(store.apply(grant(-5, -3)).result, granted(-5, 2, 1));
    assert_eq!(store.apply(grant(-5, 9)).result, Err(Refusal::LeaseExists));
    assert_eq!(store.apply(grant(6, 9)).result, granted(6, 9, 2));
}

#[test]
fn an_expiry_of_a_deposed_lessor_is_refused_and_a_lease_granted_since_is_spared() {
    let mut store = Store::new();
    let lease = LeaseId(1);
    let expire = |epoch, granted_through| Command::LeaseExpire {
        epoch,
        granted_through,
        leases: vec![lease],
    };
    store.apply(Command::LessorEpoch { claimant: Origin::default() });
    store.apply(Command::LeaseGrant { lease, ttl_seconds: 10 });
    assert_eq!(store.apply(expire(0, 1)).result, Err(Refusal::StaleLessor));
    assert_eq!(store.apply(expire(1, 0)).result, Ok(Reply::LeaseEnd { leases: vec![] }));
    assert_eq!(store.apply(expire(1, 1)).result, Ok(Reply::LeaseEnd { leases: vec![lease] }));
    store.apply(Command::LeaseGrant { lease, ttl_seconds: 10 });
    let again = store.apply(expire(1, 1));
    assert_eq!(again.result, Ok(Reply::LeaseEnd { leases: vec![] }), "a proposal that came late");
}

#[test]
fn a_compare_on_missing_keys_sees_zeros_but_no_value() {
    let mut store = Store::new();
    let holds = |store: &mut Store, range: KeyRange, operator, target| {
        let compares = vec![Compare { range, operator, target }];
        match store.apply(Command::Txn(Txn { compares, ..Txn::default() })).result {
            Ok(Reply::Txn(reply)) => reply.succeeded,
            other => panic!("{other:?}"),
        }
    };
    use CompareOperator::{Equal, Greater, NotEqual};
    let missing = || KeyRange::single(bytes("a"));
    let empty = || KeyRange { start: bytes("a"), end: RangeEnd::Before(bytes("b")) };
    for range in [missing, empty] {
        assert!(holds(&mut store, range(), Equal, CompareTarget::Create(Revision(0))));
        assert!(!holds(&mut store, range(), Greater, CompareTarget::Create(Revision(0))));
        assert!(!holds(&mut store, range(), Equal, CompareTarget::Value(Bytes::new())));
        assert!(!holds(&mut store, range(), NotEqual, CompareTarget::Value(bytes("x"))));
    }
    store.put("a", "1");
    store.put("aa", "1");
    assert!(holds(&mut store, empty(), Equal, CompareTarget::Version(1)));
    store.put("aa", "2");
    assert!(!holds(&mut store, empty(), Equal, CompareTarget::Version(1)), "for every key");
}

#[test]
fn nested_compares_are_judged_before_the_first_write() {
    let mut store = Store::new();
    let absent = Compare {
        range: KeyRange::single(bytes("a")),
        operator: CompareOperator::Equal,
        target: CompareTarget::Version(0),
    };
    let inner = Txn {
        compares: vec![absent],
        success: vec![TxnOperation::Put(put("b", "1"))],
        ..Txn::default()
    };
    let outer = Txn {
        success: vec![TxnOperation::Put(put("a", "1")), TxnOperation::Txn(inner)],
        ..Txn::default()
    };
    assert_eq!(store.apply(Command::Txn(outer)).revision, Revision(2), "one for the whole");
    assert_eq!(store.get("b", None), Ok(Some("1".to_owned())));
}

#[test]
fn a_range_in_a_transaction_sees_the_puts_before_it() {
    let mut store = Store::new();
    let read = || TxnOperation::Range(Range::of(KeyRange::single(bytes("a"))));
    let success = vec![read(), TxnOperation::Put(put("a", "1")), read()];
    let applied = store.apply(Command::Txn(Txn { success, ..Txn::default() }));
    let Ok(Reply::Txn(reply)) = applied.result else { panic!("{applied:?}") };
    let counts: Vec<_> = reply
        .replies
        .iter()
        .filter_map(|reply| match reply {
            TxnOperationReply::Range(range) => Some(range.count),
            _ => None,
        })
        .collect();
    assert_eq!(counts, [0, 1]);
}

#[test]
fn a_revision_out_of_reach_refuses_the_whole_transaction() {
    let mut store = Store::new();
    store.put("a", "1");
    let future = Range { revision: Some(Revision(3)), ..Range::of(KeyRange::all()) };
    let success = vec![TxnOperation::Put(put("b", "1")), TxnOperation::Range(future)];
    let applied = store.apply(Command::Txn(Txn { success, ..Txn::default() }));
    assert_eq!(applied, Applied { revision: Revision(2), result: Err(Refusal::FutureRevision) });
    assert_eq!(store.get("b", None), Ok(None));
}

#[test]
fn a_range_with_its_ends_the_wrong_way_round_is_empty() {
    let mut store = Store::new();
    store.put("b", "1");
    let range = KeyRange { start: bytes("c"), end: RangeEnd::Before(bytes("a")) };
    assert_eq!(store.space.reader().range(&Range::of(range)).unwrap().count, 0);
}

#[test]
fn a_key_that_is_too_long_is_refused_and_can_be_asked_for() {
    let mut store = Store::new();
    let longest = "\0".repeat(KEY_BYTES_MAX);
    assert_eq!(store.put(&longest, "1"), Revision(2));
    let longer = "\0".repeat(KEY_BYTES_MAX + 1);
    let refused = store.apply(Command::Put(put(&longer, "1")));
    assert_eq!(refused.result, Err(Refusal::KeyTooLong));
    assert_eq!(store.get(&longer, None), Ok(None));
    let up_to = KeyRange { start: Bytes::new(), end: RangeEnd::Before(bytes(&longer)) };
    assert_eq!(store.space.reader().range(&Range::of(up_to)).unwrap().count, 1);
    assert_eq!(store.delete(&longer).revision, Revision(2));
}

#[test]
fn an_unknown_command_stops_the_replica_and_changes_nothing() {
    let mut store = Store::new();
    store.put("a", "1");
    let before = store.space.reader().hash_everything().unwrap();
    let entry = store.entry(Bytes::from_static(&[1, 99]));
    let fatal = store.space.apply(&entry).unwrap_err();
    assert!(matches!(fatal, Fatal::UnknownCommand { index: LogIndex(2), .. }), "{fatal}");
    assert_eq!(store.space.reader().hash_everything().unwrap(), before);
    assert_eq!(store.space.applied(), LogIndex(1));
}

#[test]
#[should_panic(expected = "applied in order, once")]
fn an_entry_out_of_order_is_never_applied() {
    let mut store = Store::new();
    let entry = store.entry(Command::Put(put("a", "1")).encode());
    store.space.apply(&entry).unwrap();
    let _ = store.space.apply(&entry);
}

#[test]
fn a_reader_keeps_its_state_while_everything_is_compacted_away() {
    let mut store = Store::new();
    store.put("a", "1");
    store.put("b", "1");
    let reader = store.space.reader();
    store.put("a", "2");
    store.delete("b");
    store.compact(5).unwrap();
    store.scrub();
    let reply = reader.range(&Range::of(KeyRange::all())).unwrap();
    let values: Vec<_> = reply.keys.iter().map(|kv| kv.mod_revision.0).collect();
    assert_eq!((values, reader.compact_revision()), (vec![2, 3], Revision(-1)));
}

#[test]
fn a_scrub_leaves_only_what_can_be_seen() {
    let mut store = Store::new();
    for round in 0..50 {
        store.put("a", &round.to_string());
        store.put("b", "1");
        store.delete("b");
    }
    let before = count_records(&store);
    store.compact(store.space.reader().revision().0).unwrap();
    store.scrub();
    // The last value of `a`, the last deletion's event, and the state.
    assert_eq!((before, count_records(&store)), (50 * 3 * 2 + 1, 3));
}

#[test]
fn compaction_after_compaction_leaves_nothing_behind() {
    let mut store = Store::new();
    for round in 0..10 {
        let revision = store.put("a", &round.to_string());
        store.compact(revision.0).unwrap();
        store.scrub();
        assert_eq!(count_records(&store), 3, "the value, its event, and the state");
    }
}

#[test]
fn every_state_of_keys_with_many_versions_can_be_read() {
    let mut store = Store::new();
    for round in 0..60 {
        store.put(["a", "b", "c"][round % 3], &round.to_string());
    }
    for revision in 4..=61i64 {
        let at = Range { revision: Some(Revision(revision)), ..Range::of(KeyRange::all()) };
        let reply = store.space.reader().range(&at).unwrap();
        let mut written: Vec<_> = reply.keys.iter().map(|kv| kv.mod_revision.0).collect();
        written.sort_unstable();
        assert_eq!(written, [revision - 2, revision - 1, revision]);
    }
}

fn count_records(store: &Store) -> usize {
    use synod_storage::Engine;
    let everything = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    store.engine.view().scan(everything).count()
}
