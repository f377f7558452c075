//! Requests that are too large, and the few answers of the other services that two different
//! servers share.

use crate::common::transcript::Transcript;
use synod_coordination::proto::etcdserverpb as pb;

pub async fn run(t: &mut Transcript) {
    t.part("limits");
    let mut kv = t.clients.kv.clone();
    let large = |bytes: usize| pb::PutRequest {
        key: "large".into(),
        value: vec![b'x'; bytes].into(),
        ..Default::default()
    };
    t.ask("just small enough", kv.put(large(1536 * 1024 - 100))).await;
    t.ask("too large for the log", kv.put(large(1536 * 1024 + 1))).await;
    t.ask("too large for the wire", kv.put(large(2 * 1024 * 1024))).await;
    let mut cluster = t.clients.cluster.clone();
    t.ask("members", cluster.member_list(pb::MemberListRequest::default())).await;
    let mut maintenance = t.clients.maintenance.clone();
    t.ask("defragment", maintenance.defragment(pb::DefragmentRequest {})).await;
}
