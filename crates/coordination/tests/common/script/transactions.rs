//! Transactions.

use crate::common::transcript::Transcript;
use pb::compare::TargetUnion;
use pb::request_op::Request;
use synod_coordination::proto::etcdserverpb as pb;

pub async fn run(t: &mut Transcript) {
    t.part("transactions");
    let start = vec![put("t1", "1"), put("t2", "2"), get("t1"), get_all()];
    then(t, "two puts and reads between", start).await;
    then(t, "nothing at all", vec![]).await;
    compares(t).await;
    orders(t).await;
    refusals(t).await;
    nesting(t).await;
}

pub fn op(request: Request) -> pb::RequestOp {
    pb::RequestOp { request: Some(request) }
}

pub fn put(key: &'static str, value: &'static str) -> pb::RequestOp {
    let request = pb::PutRequest { key: key.into(), value: value.into(), ..Default::default() };
    op(Request::RequestPut(request))
}

fn get(key: &'static str) -> pb::RequestOp {
    op(Request::RequestRange(pb::RangeRequest { key: key.into(), ..Default::default() }))
}

fn get_all() -> pb::RequestOp {
    let request = pb::RangeRequest { key: "t".into(), range_end: "u".into(), ..Default::default() };
    op(Request::RequestRange(request))
}

fn delete(key: &'static str, range_end: &'static str) -> pb::RequestOp {
    op(Request::RequestDeleteRange(pb::DeleteRangeRequest {
        key: key.into(),
        range_end: range_end.into(),
        prev_kv: true,
    }))
}

fn nested(request: pb::TxnRequest) -> pb::RequestOp {
    op(Request::RequestTxn(request))
}

fn compare(key: &'static str, result: i32, target: i32, union: TargetUnion) -> pb::Compare {
    pb::Compare { result, target, key: key.into(), target_union: Some(union), ..Default::default() }
}

pub async fn txn(t: &mut Transcript, what: &str, request: pb::TxnRequest) {
    let mut kv = t.clients.kv.clone();
    t.ask(what, kv.txn(request)).await;
}

async fn then(t: &mut Transcript, what: &str, success: Vec<pb::RequestOp>) {
    txn(t, what, pb::TxnRequest { success, ..Default::default() }).await;
}

async fn compares(t: &mut Transcript) {
    let targets = |zero: bool| {
        let number = if zero { 0 } else { 1 };
        [
            TargetUnion::Version(number),
            TargetUnion::CreateRevision(number),
            TargetUnion::ModRevision(number),
            TargetUnion::Value(if zero { "".into() } else { "1".into() }),
            TargetUnion::Lease(number),
        ]
    };
    for (key, range_end) in [("t1", ""), ("missing", ""), ("t", "u"), ("y", "z")] {
        for zero in [true, false] {
            for (target, union) in targets(zero).into_iter().enumerate() {
                for result in 0..4 {
                    let target = i32::try_from(target).unwrap();
                    let what = format!("{key:?}..{range_end:?} {union:?} with result {result}");
                    let mut compare = compare(key, result, target, union.clone());
                    compare.range_end = range_end.into();
                    let request = pb::TxnRequest { compare: vec![compare], ..Default::default() };
                    txn(t, &what, request).await;
                }
            }
        }
    }
    let without = pb::Compare { key: "missing".into(), ..Default::default() };
    let request = pb::TxnRequest { compare: vec![without], ..Default::default() };
    txn(t, "a compare without the given side", request).await;
}

async fn orders(t: &mut Transcript) {
    then(t, "reads only", vec![get("t1"), get("missing")]).await;
    then(t, "delete, read, put another", vec![delete("t1", ""), get_all(), put("t3", "3")]).await;
    then(t, "delete nothing, read", vec![delete("nothing", ""), get("t2")]).await;
    then(
        t,
        "delete nothing, read, put, read",
        vec![delete("nothing", ""), get("t2"), put("t2", "2b"), get("t2")],
    )
    .await;
    then(t, "overlapping deletes", vec![delete("t2", ""), delete("t", "u")]).await;
    let request = pb::TxnRequest {
        compare: vec![compare("t1", 0, 0, TargetUnion::Version(5))],
        success: vec![put("t1", "then")],
        failure: vec![put("t1", "else"), get("t1")],
    };
    txn(t, "the other branch", request).await;
}

async fn refusals(t: &mut Transcript) {
    then(t, "an operation without content", vec![pb::RequestOp::default()]).await;
    then(t, "a put without a key", vec![put("", "1")]).await;
    then(t, "a key put twice", vec![put("d", "1"), put("d", "2")]).await;
    then(t, "a key put and deleted", vec![put("d", "1"), delete("a", "e")]).await;
    then(t, "a key deleted and put", vec![delete("a", "e"), put("d", "1")]).await;
    let request =
        pb::TxnRequest { failure: vec![put("d", "1"), put("d", "2")], ..Default::default() };
    txn(t, "a key put twice in the other branch", request).await;
    let keyless = pb::TxnRequest { compare: vec![pb::Compare::default()], ..Default::default() };
    txn(t, "a compare without a key", keyless).await;
    let operations = |count: usize| vec![get("t1"); count];
    then(t, "129 operations", operations(129)).await;
    let request = pb::TxnRequest {
        compare: vec![compare("t1", 0, 0, TargetUnion::Version(1)); 129],
        ..Default::default()
    };
    txn(t, "129 compares", request).await;
    let mut crowded = operations(100);
    crowded[0] = nested(pb::TxnRequest { success: operations(29), ..Default::default() });
    then(t, "100 operations with 29 inside one", crowded).await;
    let ahead = pb::RangeRequest { key: "t1".into(), revision: 9999, ..Default::default() };
    let ahead = op(Request::RequestRange(ahead));
    then(t, "a read ahead of time", vec![ahead.clone()]).await;
    then(t, "a write and a read ahead of time", vec![put("never", "1"), ahead]).await;
    then(t, "the write did not happen", vec![get("never")]).await;
    let missing_lease =
        pb::PutRequest { key: "never".into(), value: "1".into(), lease: 77, ..Default::default() };
    let missing_lease = op(Request::RequestPut(missing_lease));
    then(t, "a lease that is not there", vec![put("never2", "1"), missing_lease]).await;
    let keep = pb::PutRequest { key: "never".into(), ignore_value: true, ..Default::default() };
    then(t, "keep the value of nothing", vec![put("never2", "1"), op(Request::RequestPut(keep))])
        .await;
    then(t, "neither write happened", vec![get("never"), get("never2")]).await;
}

async fn nesting(t: &mut Transcript) {
    let inner = |key, success, failure| {
        let compare = vec![compare(key, 2, 0, TargetUnion::Version(1))];
        nested(pb::TxnRequest { compare, success, failure })
    };
    let both = inner("n1", vec![put("n1", "then"), get("n1")], vec![put("n1", "else")]);
    then(t, "one inside", vec![both.clone(), get("n1")]).await;
    then(t, "the same again takes the other branch", vec![both]).await;
    let blind =
        vec![put("n2", "outer"), inner("n2", vec![put("n3", "unseen")], vec![put("n3", "seen")])];
    then(t, "compares inside do not see writes outside", blind).await;
    let reads = nested(pb::TxnRequest { success: vec![get("n1")], ..Default::default() });
    then(t, "only reads inside", vec![reads]).await;
    let clash = vec![put("n4", "outer"), inner("n4", vec![put("n4", "inner")], vec![])];
    then(t, "a key put outside and inside", clash).await;
    let side_by_side = |success| nested(pb::TxnRequest { success, ..Default::default() });
    let clash = vec![side_by_side(vec![put("n5", "1")]), side_by_side(vec![put("n5", "2")])];
    then(t, "a key put in two nested transactions", clash).await;
    let clash = vec![side_by_side(vec![delete("n5", "n6")]), side_by_side(vec![put("n5", "2")])];
    then(t, "a key deleted in one and put in another", clash).await;
    // The other way round etcd lets it pass; see `unlike_etcd.rs`.
}
