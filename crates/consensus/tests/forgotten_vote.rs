//! Property: a vote outlives a restart. If it did not, one voter could make two leaders of one term.

mod common;

use common::Cluster;
use synod_consensus::{Body, ConsensusBug, Message, Protocol, Role};

fn is_vote(message: &Message) -> bool {
    matches!(message.body, Body::Vote { .. })
}

/// Stores 1 and 3 campaign in the same term; store 2 votes for 1, restarts, and is asked by 3. How
/// many of them lead then.
fn leaders_of_one_term(planted: Option<ConsensusBug>) -> usize {
    let mut cluster = Cluster::new(Protocol::Raft, 3, planted);
    cluster.campaign_together(&[1, 3], 2);
    let asks = |(from, to, it): &&(u64, u64, Message)| (*from, *to) == (3, 2) && is_vote(it);
    let from_three = cluster.pool.iter().find(asks).cloned();
    let from_three = from_three.expect("store 3 campaigns, too");
    assert!(cluster.deliver_one(|from, to, it| (from, to) == (1, 2) && is_vote(it)));
    cluster.deliver(|from, to, _| (from, to) == (2, 1));
    cluster.crash(2);
    cluster.start(2);
    cluster.pool.push(from_three);
    cluster.deliver(|from, to, it| (from, to) == (3, 2) && is_vote(it) || (from, to) == (2, 3));
    let leads = |store| cluster.replica(store).soft_state().role == Role::Leader;
    [1, 3].into_iter().filter(|store| leads(*store)).count()
}

#[test]
fn a_restarted_voter_does_not_vote_again() {
    assert_eq!(leaders_of_one_term(None), 1);
}

#[test]
fn a_voter_that_forgets_makes_two_leaders_of_one_term() {
    assert_eq!(leaders_of_one_term(Some(ConsensusBug::ForgetVote)), 2);
}
