//! The lessor's promises, one test each.

use super::*;
use crate::Revision;

const SECOND: u64 = 1_000_000;

fn at(seconds: u64) -> Instant {
    Instant(seconds * SECOND)
}

fn info(lease: i64, ttl_seconds: i64) -> LeaseInfo {
    LeaseInfo { lease: LeaseId(lease), ttl_seconds, grant: 1 }
}

fn reigning(leases: &[LeaseInfo]) -> Lessor {
    let mut lessor = Lessor::new();
    lessor.become_lessor(at(100), 7, 3, leases);
    lessor
}

fn applied(reply: Reply) -> Applied {
    Applied { revision: Revision(1), result: Ok(reply) }
}

fn expiry(leases: &[i64]) -> Option<Command> {
    let leases = leases.iter().copied().map(LeaseId).collect();
    Some(Command::LeaseExpire { epoch: 7, granted_through: 3, leases })
}

#[test]
fn a_new_lessor_gives_every_lease_its_full_time() {
    let mut lessor = reigning(&[info(1, 10), info(2, 20)]);
    assert_eq!(lessor.next_timeout(), at(110));
    assert_eq!(lessor.poll(Instant(at(110).0 - 1)), None);
    assert_eq!(lessor.poll(at(110)), expiry(&[1]));
    assert_eq!(lessor.poll(at(200)), None, "one expiry at a time");
    assert_eq!(lessor.next_timeout(), Instant::NEVER);
}

#[test]
fn a_renewal_counts_from_when_leadership_was_confirmed_and_never_shortens() {
    let mut lessor = reigning(&[info(1, 10)]);
    assert_eq!(lessor.renew(at(105), LeaseId(1)), Renewal::Renewed { ttl_seconds: 10 });
    assert_eq!(lessor.renew(at(102), LeaseId(1)), Renewal::Renewed { ttl_seconds: 10 });
    assert_eq!(lessor.next_timeout(), at(115));
    let left = lessor.remaining(Instant(at(106).0 + 1), LeaseId(1)).unwrap();
    assert_eq!((left.ttl_seconds, left.granted_seconds), (8, 10), "whole seconds, rounded down");
}

#[test]
fn a_lease_is_never_renewed_after_its_expiry_was_proposed() {
    let mut lessor = reigning(&[info(1, 10)]);
    assert!(lessor.poll(at(110)).is_some());
    assert_eq!(lessor.renew(at(110), LeaseId(1)), Renewal::ExpiryProposed);
    lessor.expiry_done(at(111));
    assert_eq!(lessor.renew(at(111), LeaseId(1)), Renewal::ExpiryProposed);
    assert_eq!(lessor.remaining(at(111), LeaseId(1)).unwrap().ttl_seconds, 0);
}

#[test]
fn a_failed_expiry_is_proposed_again_after_a_pause() {
    let mut lessor = reigning(&[info(1, 10)]);
    assert!(lessor.poll(at(110)).is_some());
    lessor.expiry_done(at(110));
    assert_eq!(lessor.poll(at(110)), None);
    let later = at(110).after(Duration::from_millis(RETRY_DELAY_MS));
    assert_eq!(lessor.next_timeout(), later);
    assert_eq!(lessor.poll(later), expiry(&[1]));
}

#[test]
fn an_applied_expiry_forgets_the_leases() {
    let mut lessor = reigning(&[info(1, 10), info(2, 30)]);
    assert!(lessor.poll(at(110)).is_some());
    lessor.observe(at(111), &applied(Reply::LeaseEnd { leases: vec![LeaseId(1)] }));
    lessor.expiry_done(at(111));
    assert_eq!(lessor.renew(at(111), LeaseId(1)), Renewal::NotFound);
    assert_eq!(lessor.next_timeout(), at(130));
}

#[test]
fn a_lease_granted_again_does_not_inherit_the_expiry() {
    let mut lessor = reigning(&[info(1, 10)]);
    assert!(lessor.poll(at(110)).is_some());
    lessor.observe(at(111), &applied(Reply::LeaseEnd { leases: vec![LeaseId(1)] }));
    let grant = Reply::LeaseGrant { lease: LeaseId(1), ttl_seconds: 10, grant: 4 };
    lessor.observe(at(111), &applied(grant));
    lessor.expiry_done(at(112));
    assert_eq!(lessor.next_timeout(), at(121));
    assert!(matches!(lessor.renew(at(112), LeaseId(1)), Renewal::Renewed { .. }));
}

#[test]
fn another_epoch_ends_the_reign() {
    let mut lessor = reigning(&[info(1, 10)]);
    lessor.observe(at(101), &applied(Reply::LessorEpoch { epoch: 7 }));
    assert_eq!(lessor.epoch(), Some(7));
    lessor.observe(at(101), &applied(Reply::LessorEpoch { epoch: 8 }));
    assert_eq!(lessor.epoch(), None);
    assert_eq!(lessor.renew(at(101), LeaseId(1)), Renewal::NotLessor);
    assert_eq!(lessor.poll(at(500)), None);
}

#[test]
fn expiries_come_in_bounded_batches() {
    let count = EXPIRE_BATCH_MAX as i64 + 5;
    let leases: Vec<_> = (1..=count).map(|lease| info(lease, 10)).collect();
    let mut lessor = reigning(&leases);
    let mut seen = 0;
    while let Some(Command::LeaseExpire { leases, .. }) = lessor.poll(at(200)) {
        assert!(leases.len() <= EXPIRE_BATCH_MAX && leases.is_sorted());
        seen += leases.len() as i64;
        lessor.observe(at(200), &applied(Reply::LeaseEnd { leases }));
        lessor.expiry_done(at(200));
    }
    assert_eq!(seen, count);
}
