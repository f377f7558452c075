//! Property: an entry of an earlier term is not committed by counting where it is (section 5.4.2 of
//! the Raft paper). The test walks through the paper's figure 8, and shows what happens when the
//! rule is broken on purpose.

mod common;

use common::Cluster;
use synod_consensus::{Body, ConsensusBug, LogIndex, Message, Protocol};

fn carries(message: &Message, payload: &str) -> bool {
    matches!(&message.body, Body::Append { entries, .. }
        if entries.iter().any(|entry| entry.payload == payload.as_bytes()))
}

/// The figure up to the moment (c): store 1, leader again, has brought its old entry to a third
/// store. Returns where that entry stands, and whether store 1 takes it for committed.
fn until_the_old_entry_is_on_three(planted: Option<ConsensusBug>) -> (Cluster, LogIndex, bool) {
    let mut cluster = Cluster::new(Protocol::Raft, 5, planted);
    // Everybody starts from the same committed entry.
    cluster.elect(1, &[2, 3, 4, 5]);
    cluster.deliver(|_, _, _| true);
    let common = cluster.replica(1).last_index();
    // (a) Store 1 leads, and its entry reaches store 2 alone.
    cluster.propose(1, "old");
    let old = common.next();
    cluster.deliver(|from, to, message| from == 1 && to == 2 && carries(message, "old"));
    cluster.crash(1);
    // (b) Store 5 is elected by 3 and 4, and falls with an entry of its own at that place.
    cluster.elect(5, &[3, 4]);
    assert_eq!(cluster.replica(5).last_index(), old);
    cluster.crash(5);
    // (c) Store 1 leads again, and brings the old entry to store 3 and nothing behind it.
    cluster.start(1);
    cluster.elect(1, &[2, 3, 4]);
    cluster.deliver(|from, to, _| [1, 2].contains(&from) && [1, 2].contains(&to));
    while cluster.replica(3).entry(old).is_none_or(|entry| entry.payload != "old") {
        assert!(cluster.deliver_one(|from, to, _| (from, to) == (1, 3) || (from, to) == (3, 1)));
    }
    cluster.deliver(|from, to, _| (from, to) == (3, 1));
    assert!(cluster.replica(3).entry(old).is_some_and(|entry| entry.payload == "old"));
    let committed = cluster.replica(1).committed() >= old;
    (cluster, old, committed)
}

#[test]
fn an_old_entry_on_a_majority_is_not_committed_before_a_new_one_is() {
    let (_, _, committed) = until_the_old_entry_is_on_three(None);
    assert!(!committed, "figure 8 (c): the entry can still be overwritten");
}

#[test]
fn counting_it_all_the_same_loses_a_committed_entry() {
    let planted = Some(ConsensusBug::CountEarlierTerm);
    let (mut cluster, old, committed) = until_the_old_entry_is_on_three(planted);
    assert!(committed, "the planted bug commits it");
    // (d) Store 5 comes back, wins with its newer entry, and replaces what was committed.
    cluster.crash(1);
    cluster.start(5);
    cluster.elect(5, &[3, 4]);
    cluster.deliver(|from, to, _| [3, 4, 5].contains(&from) && [3, 4, 5].contains(&to));
    let stands = cluster.replica(3).entry(old).expect("something stands there");
    assert_ne!(stands.payload, "old", "the committed entry is gone");
    assert!(cluster.replica(3).committed() >= old, "and another one is committed in its place");
}
