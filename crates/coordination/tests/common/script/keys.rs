//! Puts, ranges, deletes.

use crate::common::transcript::Transcript;
use synod_coordination::proto::etcdserverpb as pb;

pub async fn run(t: &mut Transcript) {
    t.part("keys");
    range(t, "an empty key space", |r| *r = all()).await;
    puts(t).await;
    ranges(t).await;
    deletes(t).await;
}

fn all() -> pb::RangeRequest {
    pb::RangeRequest {
        key: b"\0".as_slice().into(),
        range_end: b"\0".as_slice().into(),
        ..Default::default()
    }
}

async fn range(t: &mut Transcript, what: &str, edit: impl FnOnce(&mut pb::RangeRequest)) {
    let mut request = pb::RangeRequest::default();
    edit(&mut request);
    let mut kv = t.clients.kv.clone();
    t.ask(what, kv.range(request)).await;
}

async fn put(
    t: &mut Transcript,
    what: &str,
    key: &'static str,
    value: &'static str,
    edit: impl FnOnce(&mut pb::PutRequest),
) {
    let mut request = pb::PutRequest { key: key.into(), value: value.into(), ..Default::default() };
    edit(&mut request);
    let mut kv = t.clients.kv.clone();
    t.ask(what, kv.put(request)).await;
}

async fn puts(t: &mut Transcript) {
    put(t, "no key", "", "1", |_| {}).await;
    put(t, "a new key", "a", "1", |_| {}).await;
    put(t, "the key before", "a", "2", |r| r.prev_kv = true).await;
    put(t, "the key before a new one", "b", "1", |r| r.prev_kv = true).await;
    put(t, "keep the value of nothing", "x", "", |r| r.ignore_value = true).await;
    put(t, "keep the lease of nothing", "x", "1", |r| r.ignore_lease = true).await;
    put(t, "keep the value", "a", "", |r| r.ignore_value = true).await;
    put(t, "keep the value and give one", "a", "3", |r| r.ignore_value = true).await;
    put(t, "keep the lease and give one", "a", "3", |r| {
        r.ignore_lease = true;
        r.lease = 9;
    })
    .await;
    put(t, "two faults", "a", "3", |r| {
        r.ignore_value = true;
        r.ignore_lease = true;
        r.lease = 9;
    })
    .await;
    put(t, "a lease that is not there", "a", "3", |r| r.lease = 9).await;
    put(t, "an empty value", "c", "", |_| {}).await;
    put(t, "a nested name", "a/b", "9", |_| {}).await;
    put(t, "a value of others", "b", "0", |_| {}).await;
}

async fn ranges(t: &mut Transcript) {
    range(t, "no key", |_| {}).await;
    range(t, "one key", |r| r.key = "a".into()).await;
    range(t, "a missing key", |r| r.key = "zz".into()).await;
    range(t, "all", |r| *r = all()).await;
    let from_b = |r: &mut pb::RangeRequest| {
        r.key = "b".into();
        r.range_end = b"\0".as_slice().into();
    };
    range(t, "all from b", from_b).await;
    let prefix_a = |r: &mut pb::RangeRequest| {
        r.key = "a".into();
        r.range_end = "b".into();
    };
    range(t, "prefix a", prefix_a).await;
    range(t, "a range that ends before it begins", |r| {
        r.key = "b".into();
        r.range_end = "a".into();
    })
    .await;
    range(t, "an empty range", |r| {
        r.key = "a".into();
        r.range_end = "a".into();
    })
    .await;
    for limit in [1, 2, 4, 5, -1] {
        range(t, &format!("limit {limit}"), |r| *r = pb::RangeRequest { limit, ..all() }).await;
    }
    for revision in [-1, 1, 2, 3, 5, 999] {
        let what = format!("revision {revision}");
        range(t, &what, |r| *r = pb::RangeRequest { revision, ..all() }).await;
    }
    range(t, "keys only", |r| *r = pb::RangeRequest { keys_only: true, ..all() }).await;
    range(t, "count only", |r| *r = pb::RangeRequest { count_only: true, ..all() }).await;
    range(t, "count only with a limit", |r| {
        *r = pb::RangeRequest { count_only: true, limit: 2, ..all() };
    })
    .await;
    range(t, "serializable", |r| *r = pb::RangeRequest { serializable: true, ..all() }).await;
    sorts(t).await;
    filters(t).await;
}

async fn sorts(t: &mut Transcript) {
    for sort_target in 0..5 {
        for sort_order in 0..3 {
            // Without an order etcd cuts before it sorts; see `unlike_etcd.rs`.
            let limits = if sort_order == 0 && sort_target != 0 { vec![0] } else { vec![0, 2] };
            for limit in limits {
                let what = format!("sort by {sort_target}, order {sort_order}, limit {limit}");
                range(t, &what, |r| {
                    *r = pb::RangeRequest { sort_target, sort_order, limit, ..all() };
                })
                .await;
            }
        }
    }
}

async fn filters(t: &mut Transcript) {
    let bounds = [-1, 3, 5, 99];
    for bound in bounds {
        range(t, &format!("modified at least {bound}"), |r| {
            *r = pb::RangeRequest { min_mod_revision: bound, ..all() };
        })
        .await;
        range(t, &format!("modified at most {bound}"), |r| {
            *r = pb::RangeRequest { max_mod_revision: bound, ..all() };
        })
        .await;
        range(t, &format!("created at least {bound}, limit 1"), |r| {
            *r = pb::RangeRequest { min_create_revision: bound, limit: 1, ..all() };
        })
        .await;
        range(t, &format!("created at most {bound}, limit 1"), |r| {
            *r = pb::RangeRequest { max_create_revision: bound, limit: 1, ..all() };
        })
        .await;
    }
}

async fn deletes(t: &mut Transcript) {
    let steps: [(&str, &str, &str, bool); 7] = [
        ("no key", "", "", false),
        ("nothing", "zz", "", false),
        ("nothing, with what was there", "zz", "", true),
        ("one", "c", "", false),
        ("a range, with what was there", "a", "b", true),
        ("the same again", "a", "b", true),
        ("a range that ends before it begins", "c", "a", true),
    ];
    for (what, key, range_end, prev_kv) in steps {
        let request =
            pb::DeleteRangeRequest { key: key.into(), range_end: range_end.into(), prev_kv };
        let mut kv = t.clients.kv.clone();
        t.ask(&format!("delete {what}"), kv.delete_range(request)).await;
    }
    put(t, "a key again after its deletion", "a", "1", |_| {}).await;
    range(t, "its version is 1 again", |r| r.key = "a".into()).await;
}
