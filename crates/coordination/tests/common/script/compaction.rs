//! Compaction, and what of the past can be read after it.

use super::watches::Conversation;
use crate::common::transcript::Transcript;
use synod_coordination::proto::etcdserverpb as pb;

pub async fn run(t: &mut Transcript) {
    t.part("compaction");
    let mut kv = t.clients.kv.clone();
    let mut compact = async |t: &mut Transcript, what: &str, revision| {
        let request = pb::CompactionRequest { revision, physical: false };
        t.ask(what, kv.compact(request)).await;
    };
    compact(t, "before the beginning", -1).await;
    compact(t, "at nothing, the first time", 0).await;
    compact(t, "at nothing, again", 0).await;
    compact(t, "ahead of time", 9999).await;
    compact(t, "at 11", 11).await;
    compact(t, "at 11 again", 11).await;
    compact(t, "below", 5).await;
    reads(t).await;
    watches(t).await;
}

async fn reads(t: &mut Transcript) {
    let mut kv = t.clients.kv.clone();
    for revision in [1, 10, 11, 12] {
        let request = pb::RangeRequest {
            key: b"\0".as_slice().into(),
            range_end: b"\0".as_slice().into(),
            revision,
            ..Default::default()
        };
        t.ask(&format!("read at {revision}"), kv.range(request)).await;
    }
}

async fn watches(t: &mut Transcript) {
    let mut watch = Conversation::open(t).await;
    let create = |start_revision, watch_id| pb::WatchCreateRequest {
        key: b"\0".as_slice().into(),
        range_end: b"\0".as_slice().into(),
        start_revision,
        watch_id,
        prev_kv: true,
        ..Default::default()
    };
    watch.create("from before the compaction", create(3, 31)).await;
    watch.listen(t, 2).await;
    watch.create("from the compaction", create(11, 32)).await;
    watch.listen(t, 2).await;
}
