//! Leases.

use super::transactions::{put, txn};
use crate::common::transcript::{Normalise, Transcript};
use synod_coordination::proto::etcdserverpb as pb;

pub async fn run(t: &mut Transcript) {
    t.part("leases");
    let mut lease = t.clients.lease.clone();
    t.ask("none", lease.lease_leases(pb::LeaseLeasesRequest {})).await;
    grants(t).await;
    attachments(t).await;
    keep_alives(t).await;
    ends(t).await;
}

async fn grants(t: &mut Transcript) {
    let steps = [
        ("a lease", 100, 60),
        ("the same id again", 100, 60),
        ("a short one", 101, 1),
        ("none at all", 102, 0),
        ("less than none", 103, -5),
        ("a negative id", -7, 60),
        ("too long", 104, 9_000_000_001),
        ("the same id again, too long", 100, 9_000_000_001),
    ];
    let mut lease = t.clients.lease.clone();
    for (what, id, ttl) in steps {
        t.ask(&format!("grant {what}"), lease.lease_grant(pb::LeaseGrantRequest { ttl, id })).await;
    }
    let drawn = lease.lease_grant(pb::LeaseGrantRequest { ttl: 60, id: 0 }).await.unwrap();
    let drawn = drawn.into_inner();
    t.say("a drawn id is positive", (drawn.id > 0, drawn.ttl));
    t.ask("revoke it", lease.lease_revoke(pb::LeaseRevokeRequest { id: drawn.id })).await;
    // The short ones would run out in the middle of the conversation.
    for id in [101, 102, 103] {
        t.ask(&format!("revoke {id}"), lease.lease_revoke(pb::LeaseRevokeRequest { id })).await;
    }
}

async fn attachments(t: &mut Transcript) {
    let mut kv = t.clients.kv.clone();
    for key in ["l3", "l1", "l2"] {
        let request = pb::PutRequest { key: key.into(), lease: 100, ..Default::default() };
        t.ask(&format!("attach {key}"), kv.put(request)).await;
    }
    let detach = pb::PutRequest { key: "l2".into(), ..Default::default() };
    t.ask("a put without a lease detaches", kv.put(detach)).await;
    let keep = pb::PutRequest {
        key: "l3".into(),
        value: "kept".into(),
        ignore_lease: true,
        prev_kv: true,
        ..Default::default()
    };
    t.ask("a put that keeps the lease", kv.put(keep)).await;
    let mut lease = t.clients.lease.clone();
    for (id, keys) in [(100, true), (100, false), (-7, true), (555, true)] {
        let request = pb::LeaseTimeToLiveRequest { id, keys };
        t.ask(&format!("time to live of {id}"), lease.lease_time_to_live(request)).await;
    }
}

async fn keep_alives(t: &mut Transcript) {
    let requests = [100, 555, -7].map(|id| pb::LeaseKeepAliveRequest { id });
    let mut lease = t.clients.lease.clone();
    let answers = lease.lease_keep_alive(tokio_stream::iter(requests)).await.unwrap();
    let mut answers = answers.into_inner();
    while let Some(mut answer) = answers.message().await.unwrap() {
        answer.normalise();
        t.say("keep alive", answer);
    }
}

async fn ends(t: &mut Transcript) {
    let mut lease = t.clients.lease.clone();
    t.ask("revoke", lease.lease_revoke(pb::LeaseRevokeRequest { id: 100 })).await;
    t.ask("revoke again", lease.lease_revoke(pb::LeaseRevokeRequest { id: 100 })).await;
    t.ask("revoke without keys", lease.lease_revoke(pb::LeaseRevokeRequest { id: -7 })).await;
    t.ask("none is left", lease.lease_leases(pb::LeaseLeasesRequest {})).await;
    let mut kv = t.clients.kv.clone();
    let request = pb::RangeRequest { key: "l".into(), range_end: "m".into(), ..Default::default() };
    t.ask("what was attached is gone", kv.range(request)).await;
    txn(
        t,
        "one more write",
        pb::TxnRequest { success: vec![put("l9", "1")], ..Default::default() },
    )
    .await;
}
