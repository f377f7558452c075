//! Where Synod differs from etcd on purpose: `docs/compatibility.md` gives the reasons.

#![allow(clippy::unwrap_used, reason = "a test fails where something is not as expected")]

mod common;

use common::clients::Clients;
use common::server::Server;
use pb::range_request::{SortOrder, SortTarget};
use pb::watch_request::RequestUnion;
use synod_coordination::errors::OUTCOME_KEY;
use synod_coordination::proto::etcdserverpb as pb;
use synod_coordination::proto::mvccpb::event::EventType;
use tonic::Code;

async fn start() -> (Server, Clients) {
    let server = Server::start().await;
    let clients = Clients::connect(&server.endpoint).await;
    (server, clients)
}

async fn put(clients: &mut Clients, key: &'static str, value: &'static str) -> i64 {
    let request = pb::PutRequest { key: key.into(), value: value.into(), ..Default::default() };
    clients.kv.put(request).await.unwrap().into_inner().header.unwrap().revision
}

fn watch(request: pb::WatchCreateRequest) -> pb::WatchRequest {
    pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(request)) }
}

#[tokio::test]
async fn the_limit_cuts_after_the_sort_even_without_an_order() {
    let (_server, mut clients) = start().await;
    for (key, value) in [("a", "3"), ("b", "2"), ("c", "1")] {
        put(&mut clients, key, value).await;
    }
    let request = pb::RangeRequest {
        key: "a".into(),
        range_end: b"\0".as_slice().into(),
        limit: 1,
        sort_order: SortOrder::None.into(),
        sort_target: SortTarget::Value.into(),
        ..Default::default()
    };
    let response = clients.kv.range(request).await.unwrap().into_inner();
    assert_eq!(response.kvs[0].key, "c");
}

#[tokio::test]
async fn a_deletion_at_the_compacted_revision_is_still_told() {
    let (_server, mut clients) = start().await;
    put(&mut clients, "a", "1").await;
    let request = pb::DeleteRangeRequest { key: "a".into(), ..Default::default() };
    let revision =
        clients.kv.delete_range(request).await.unwrap().into_inner().header.unwrap().revision;
    clients.kv.compact(pb::CompactionRequest { revision, physical: true }).await.unwrap();
    let request =
        pb::WatchCreateRequest { key: "a".into(), start_revision: revision, ..Default::default() };
    let requests = tokio_stream::iter([watch(request)]);
    let mut responses = clients.watch.watch(requests).await.unwrap().into_inner();
    assert!(responses.message().await.unwrap().unwrap().created);
    let told = responses.message().await.unwrap().unwrap();
    assert_eq!(told.events[0].r#type(), EventType::Delete);
    assert_eq!(told.events[0].kv.as_ref().unwrap().mod_revision, revision);
}

#[tokio::test]
async fn a_key_put_in_one_nested_transaction_and_deleted_in_the_next_is_a_duplicate() {
    use pb::request_op::Request;
    let (_server, mut clients) = start().await;
    let op = |request| pb::RequestOp { request: Some(request) };
    let nested = |request| {
        op(Request::RequestTxn(pb::TxnRequest { success: vec![op(request)], ..Default::default() }))
    };
    let put = Request::RequestPut(pb::PutRequest { key: "a".into(), ..Default::default() });
    let delete = Request::RequestDeleteRange(pb::DeleteRangeRequest {
        key: "a".into(),
        ..Default::default()
    });
    let request =
        pb::TxnRequest { success: vec![nested(put), nested(delete)], ..Default::default() };
    let status = clients.kv.txn(request).await.unwrap_err();
    assert_eq!(status.message(), "etcdserver: duplicate key given in txn request");
}

#[tokio::test]
async fn a_key_longer_than_the_key_space_takes_is_refused() {
    let (_server, mut clients) = start().await;
    let request = pb::PutRequest { key: vec![b'k'; 32_001].into(), ..Default::default() };
    let status = clients.kv.put(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "etcdserver: key is longer than 32000 bytes");
}

#[tokio::test]
async fn every_error_says_whether_the_request_was_certainly_refused() {
    let (_server, mut clients) = start().await;
    let status = clients.kv.put(pb::PutRequest::default()).await.unwrap_err();
    assert_eq!(status.metadata().get(OUTCOME_KEY).unwrap(), "refused");
    let request =
        pb::PutRequest { key: "k".into(), value: vec![0; 3 << 20].into(), ..Default::default() };
    let status = clients.kv.put(request).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.metadata().get(OUTCOME_KEY).unwrap(), "refused");
}

#[tokio::test]
async fn what_is_not_offered_is_refused_in_so_many_words() {
    let (_server, mut clients) = start().await;
    let member = clients.cluster.member_add(pb::MemberAddRequest::default()).await.unwrap_err();
    let leader =
        clients.maintenance.move_leader(pb::MoveLeaderRequest::default()).await.unwrap_err();
    let snapshot = clients.maintenance.snapshot(pb::SnapshotRequest {}).await.unwrap_err();
    for status in [member, leader, snapshot] {
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(status.message().starts_with("synod: "), "{}", status.message());
    }
}
