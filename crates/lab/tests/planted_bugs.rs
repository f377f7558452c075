//! Property: every bug that is planted on purpose is found within its budget of seeds.
//!
//! These are the checks of the checks. Each planted bug breaks one rule that keeps data safe, in
//! the very code that runs in production, by a switch at run time. If one of these tests fails, the
//! laboratory has become blind to that kind of bug.
#![allow(clippy::disallowed_macros, reason = "the seed that caught a bug is worth reading")]

use synod_consensus::{ConsensusBug, Protocol};
use synod_group::GroupBug;
use synod_lab::{FaultKinds, LinkFaults, Planted, Property, SECOND, Sabotage, Scenario, run};
use synod_mvcc::KeySpaceBug;
use synod_storage::LogBug;

/// Runs seed after seed with a bug planted until a promise breaks, and says which.
fn hunt(planted: Planted, protocol: Protocol, stores: usize, budget: u64) -> Property {
    for seed in 0..budget {
        let report = run(Scenario { planted, ..Scenario::draw(seed, protocol, stores) });
        if let Some(violation) = report.violation {
            println!("{planted:?} on {protocol} caught by seed {seed}: {violation}");
            return violation.property;
        }
    }
    panic!("{planted:?} on {protocol} was not caught within {budget} seeds");
}

fn caught(planted: Planted, protocol: Protocol, budget: u64) {
    hunt(planted, protocol, 3, budget);
}

#[test]
fn acknowledging_before_the_sync_is_caught_on_raft() {
    caught(Planted::Consensus(ConsensusBug::AcknowledgeBeforeSync), Protocol::Raft, 30);
}

#[test]
fn acknowledging_before_the_sync_is_caught_on_paxos() {
    caught(Planted::Consensus(ConsensusBug::AcknowledgeBeforeSync), Protocol::Paxos, 30);
}

/// Leaders that fall one after the other, each with part of its log on part of the stores, are what
/// the Raft paper's figure 8 is made of. The bug that the figure warns of is so rare by chance that
/// it is planted in a directed test instead: `synod-consensus`, `tests/figure_eight.rs`.
#[test]
fn leaders_that_fall_one_after_the_other_lose_nothing() {
    for seed in 0..60 {
        let report = run(figure_eight(seed));
        assert_eq!(report.violation, None, "seed {seed}");
    }
}

fn figure_eight(seed: u64) -> Scenario {
    Scenario {
        faults: FaultKinds { leader_crash: true, ..FaultKinds::default() },
        links: LinkFaults { delay_max: 20_000, loss_per_million: 50_000, ..LinkFaults::QUIET },
        append_bytes_max: 1,
        inflight_appends_max: 1,
        sync_max: 2_000,
        fault_phase: 10 * SECOND,
        ..Scenario::draw(seed, Protocol::Raft, 5)
    }
}

#[test]
fn forgetting_the_vote_is_caught_on_raft() {
    caught(Planted::Consensus(ConsensusBug::ForgetVote), Protocol::Raft, 30);
}

#[test]
fn forgetting_the_promise_is_caught_on_paxos() {
    caught(Planted::Consensus(ConsensusBug::ForgetVote), Protocol::Paxos, 30);
}

#[test]
fn adopting_the_first_chunk_of_a_promise_as_the_whole_log_is_caught() {
    caught(Planted::Consensus(ConsensusBug::AdoptFirstChunk), Protocol::Paxos, 300);
}

#[test]
fn reading_without_a_quorum_is_caught_on_both_protocols() {
    for protocol in [Protocol::Raft, Protocol::Paxos] {
        caught(Planted::Consensus(ConsensusBug::ReadWithoutQuorum), protocol, 300);
    }
}

#[test]
fn applying_twice_what_came_twice_is_caught() {
    let property = hunt(Planted::Group(GroupBug::TakeForwardedTwice), Protocol::Raft, 3, 60);
    assert_eq!(property, Property::ProposalFate);
}

#[test]
fn applying_twice_after_a_restart_is_caught() {
    caught(Planted::KeySpace(KeySpaceBug::ApplyTwiceAfterReplay), Protocol::Raft, 30);
}

#[test]
fn dropping_a_watch_event_at_the_compaction_is_caught() {
    caught(Planted::KeySpace(KeySpaceBug::DropEventAtCompaction), Protocol::Raft, 300);
}

#[test]
fn scrubbing_the_newest_version_is_caught() {
    caught(Planted::KeySpace(KeySpaceBug::ScrubDropsNewestVersion), Protocol::Raft, 60);
}

#[test]
fn expiring_a_lease_by_a_lessor_whose_epoch_is_over_is_caught() {
    caught(Planted::KeySpace(KeySpaceBug::IgnoreLessorEpoch), Protocol::Raft, 1000);
}

#[test]
fn reclaiming_a_segment_too_early_is_caught() {
    caught(Planted::Log(LogBug::ReclaimTooEarly), Protocol::Raft, 60);
}

#[test]
fn a_log_that_does_not_sync_is_caught() {
    caught(Planted::Log(LogBug::SkipSync), Protocol::Paxos, 30);
}

/// Which promise breaks when others are passed over: so that each check is seen to notice.
fn breaks(property: Property, change: impl Fn(&mut Scenario), protocol: Protocol, budget: u64) {
    for seed in 0..budget {
        let mut scenario = Scenario::draw(seed, protocol, 3);
        change(&mut scenario);
        let report = run(scenario);
        if let Some(violation) = report.violation.filter(|it| it.property == property) {
            println!("{property:?} on {protocol} trips at seed {seed}: {violation}");
            return;
        }
    }
    panic!("{property:?} did not trip within {budget} seeds");
}

#[test]
fn two_values_at_one_position_are_noticed() {
    let hasty = |scenario: &mut Scenario| {
        scenario.planted = Planted::Consensus(ConsensusBug::AcknowledgeBeforeSync);
        scenario.muted = vec![
            Property::CommittedOnQuorum,
            Property::Monotonic,
            Property::ElectionSafety,
            Property::LeaderCompleteness,
        ];
    };
    breaks(Property::StateMachineSafety, hasty, Protocol::Paxos, 1_000);
}

#[test]
fn an_event_that_a_watcher_is_not_told_is_noticed() {
    let forgetful = |scenario: &mut Scenario| {
        scenario.planted = Planted::KeySpace(KeySpaceBug::DropEventAtCompaction);
        scenario.muted = vec![Property::ReplicaEquality];
    };
    breaks(Property::WatchCompleteness, forgetful, Protocol::Raft, 1_000);
}

#[test]
fn a_lease_that_ends_too_early_is_noticed() {
    // Clocks that err by up to three tenths, where the checks allow for none.
    let wrong = |scenario: &mut Scenario| {
        scenario.drift_per_million = 300_000;
        scenario.drift_believed_per_million = 0;
    };
    breaks(Property::LeaseSafety, wrong, Protocol::Raft, 500);
}

#[test]
fn a_store_that_cannot_serve_is_noticed() {
    let cut_off = |scenario: &mut Scenario| scenario.sabotage = Sabotage::CutOff;
    breaks(Property::Liveness, cut_off, Protocol::Raft, 10);
}

#[test]
fn disks_that_lose_everything_are_noticed() {
    let wiped = |scenario: &mut Scenario| scenario.sabotage = Sabotage::WipeDisks;
    breaks(Property::Durability, wiped, Protocol::Paxos, 50);
}

#[test]
fn a_recording_that_is_cut_short_is_noticed() {
    let cut = |scenario: &mut Scenario| {
        scenario.record = true;
        scenario.sabotage = Sabotage::CutRecordings;
    };
    breaks(Property::Replay, cut, Protocol::Raft, 10);
}
