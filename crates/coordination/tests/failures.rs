//! What clients are told when the key space cannot answer, and when the server stops.

#![allow(clippy::unwrap_used, reason = "a test fails where something is not as expected")]

mod common;

use common::clients::Clients;
use common::server::Server;
use pb::watch_request::RequestUnion;
use std::time::Duration;
use synod_coordination::Limits;
use synod_coordination::backend::{Backend, Failure, Refused, Unknown};
use synod_coordination::errors::{OUTCOME_KEY, OUTCOME_REFUSED, OUTCOME_UNKNOWN};
use synod_coordination::proto::etcdserverpb as pb;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};

async fn start() -> (Server, Clients) {
    let server = Server::start().await;
    let clients = Clients::connect(&server.endpoint).await;
    (server, clients)
}

fn put() -> pb::PutRequest {
    pb::PutRequest { key: "a".into(), value: "1".into(), ..Default::default() }
}

fn outcome(status: &Status) -> &str {
    status.metadata().get(OUTCOME_KEY).unwrap().to_str().unwrap()
}

#[tokio::test]
async fn each_failure_has_its_code_text_and_outcome() {
    let (server, mut clients) = start().await;
    let cases = [
        (Failure::Refused(Refused::NoLeader), Code::Unavailable, "etcdserver: no leader"),
        (Failure::Refused(Refused::LeaderChanged), Code::Unavailable, "etcdserver: leader changed"),
        (
            Failure::Refused(Refused::TooManyRequests),
            Code::ResourceExhausted,
            "etcdserver: too many requests",
        ),
        (
            Failure::Refused(Refused::TooLarge),
            Code::InvalidArgument,
            "etcdserver: request is too large",
        ),
        (Failure::Refused(Refused::Stopped), Code::Unavailable, "etcdserver: server stopped"),
        (
            Failure::Refused(Refused::DiskFull),
            Code::ResourceExhausted,
            "etcdserver: mvcc: database space exceeded",
        ),
        (Failure::Unknown(Unknown::Timeout), Code::Unavailable, "etcdserver: request timed out"),
        (
            Failure::Unknown(Unknown::LeaderLost),
            Code::Unavailable,
            "etcdserver: request timed out, possibly due to previous leader failure",
        ),
        (
            Failure::Unknown(Unknown::ConnectionLost),
            Code::Unavailable,
            "etcdserver: request timed out, possibly due to connection lost",
        ),
    ];
    for (failure, code, text) in cases {
        let certain = matches!(failure, Failure::Refused(_));
        server.backend.fail_with(Some(failure));
        let status = clients.kv.put(put()).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, text));
        let expected = if certain { OUTCOME_REFUSED } else { OUTCOME_UNKNOWN };
        assert_eq!(outcome(&status), expected);
        let range = pb::RangeRequest { key: "a".into(), ..Default::default() };
        let status = clients.kv.range(range).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, text));
    }
    assert_eq!(server.backend.reader().revision().0, 1, "nothing was written");
}

#[tokio::test]
async fn serializable_reads_need_no_confirmation() {
    let (server, mut clients) = start().await;
    clients.kv.put(put()).await.unwrap();
    server.backend.fail_with(Some(Failure::Refused(Refused::NoLeader)));
    let range = pb::RangeRequest { key: "a".into(), serializable: true, ..Default::default() };
    assert_eq!(clients.kv.range(range.clone()).await.unwrap().into_inner().kvs[0].value, "1");
    let mut demanding = Request::new(range);
    demanding.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
    let status = clients.kv.range(demanding).await.unwrap_err();
    assert_eq!(status.message(), "etcdserver: no leader");
}

#[tokio::test]
async fn status_names_what_is_wrong() {
    let (server, mut clients) = start().await;
    let well = clients.maintenance.status(pb::StatusRequest {}).await.unwrap().into_inner();
    assert!(well.errors.is_empty() && well.leader != 0 && well.db_size > 0);
    assert!(well.version.starts_with("3.5."));
    server.backend.fail_with(Some(Failure::Refused(Refused::NoLeader)));
    let ill = clients.maintenance.status(pb::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((ill.errors, ill.leader), (vec!["etcdserver: no leader".to_owned()], 0));
}

/// A watch of everything that stays open as long as its sender.
async fn watch(
    clients: &mut Clients,
    request: pb::WatchCreateRequest,
) -> (mpsc::Sender<pb::WatchRequest>, tonic::Streaming<pb::WatchResponse>) {
    let (sender, receiver) = mpsc::channel(1);
    let request_union = Some(RequestUnion::CreateRequest(request));
    sender.send(pb::WatchRequest { request_union }).await.unwrap();
    let mut responses =
        clients.watch.watch(ReceiverStream::new(receiver)).await.unwrap().into_inner();
    assert!(responses.message().await.unwrap().unwrap().created);
    (sender, responses)
}

fn everything() -> pb::WatchCreateRequest {
    pb::WatchCreateRequest {
        key: b"\0".as_slice().into(),
        range_end: b"\0".as_slice().into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_stopping_server_tells_open_streams_and_ends() {
    let (server, mut clients) = start().await;
    let (_sender, mut responses) = watch(&mut clients, everything()).await;
    let (renewals, receiver) = mpsc::channel(1);
    let renewing = clients.lease.lease_keep_alive(ReceiverStream::new(receiver)).await.unwrap();
    server.stop().await.unwrap();
    let watching = responses.message().await.unwrap_err();
    let renewing = renewing.into_inner().message().await.unwrap_err();
    for status in [watching, renewing] {
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unavailable, "etcdserver: server stopped")
        );
    }
    drop(renewals);
}

#[tokio::test]
async fn a_watcher_that_reads_late_misses_nothing() {
    let (_server, mut clients) = start().await;
    let (_sender, mut responses) = watch(&mut clients, everything()).await;
    let count = 3000_i64;
    for number in 0..count {
        let request = pb::PutRequest {
            key: "a".into(),
            value: vec![b'v'; 2000].into(),
            lease: 0,
            ..Default::default()
        };
        let revision = clients.kv.put(request).await.unwrap().into_inner().header.unwrap().revision;
        assert_eq!(revision, number + 2);
    }
    let mut next = 2;
    while next < count + 2 {
        for event in responses.message().await.unwrap().unwrap().events {
            assert_eq!(event.kv.unwrap().mod_revision, next);
            next += 1;
        }
    }
}

#[tokio::test]
async fn an_idle_watcher_that_asked_for_it_is_told_how_far_it_is() {
    let interval = Duration::from_millis(20);
    let limits = Limits { watch_progress_interval: interval, ..Limits::default() };
    let server = Server::start_with(limits).await;
    let mut clients = Clients::connect(&server.endpoint).await;
    let request = pb::WatchCreateRequest { progress_notify: true, watch_id: 7, ..everything() };
    let (_sender, mut responses) = watch(&mut clients, request).await;
    let progress = responses.message().await.unwrap().unwrap();
    assert!(progress.events.is_empty());
    assert_eq!((progress.watch_id, progress.header.unwrap().revision), (7, 1));
}

/// Deletes sixty large keys at once and gives the responses in which a watch with previous values
/// is told so.
async fn told_of_a_large_revision(fragment: bool) -> Vec<pb::WatchResponse> {
    let (_server, mut clients) = start().await;
    let keys = 60;
    for key in 0..keys {
        let (key, value) = (format!("k{key:02}").into(), vec![b'v'; 100_000].into());
        clients.kv.put(pb::PutRequest { key, value, ..Default::default() }).await.unwrap();
    }
    let request = pb::WatchCreateRequest { fragment, prev_kv: true, ..everything() };
    let (_sender, mut responses) = watch(&mut clients, request).await;
    let request = pb::DeleteRangeRequest { key: "k".into(), range_end: "l".into(), prev_kv: false };
    clients.kv.delete_range(request).await.unwrap();
    let mut told = Vec::new();
    let mut events = 0;
    while events < keys {
        let response = responses.message().await.unwrap().unwrap();
        events += response.events.len();
        told.push(response);
    }
    told
}

#[tokio::test]
async fn a_large_revision_arrives_in_pieces_where_the_client_takes_them() {
    let told = told_of_a_large_revision(true).await;
    let (last, pieces) = told.split_last().unwrap();
    assert!(!pieces.is_empty() && !last.fragment);
    assert!(pieces.iter().all(|piece| piece.fragment));
    let keys =
        told.iter().flat_map(|piece| &piece.events).map(|event| &event.kv.as_ref().unwrap().key);
    assert!(keys.is_sorted());
}

#[tokio::test]
async fn a_large_revision_arrives_whole_where_the_client_does_not() {
    let told = told_of_a_large_revision(false).await;
    assert_eq!(told.len(), 1);
    assert!(!told[0].fragment);
}

#[tokio::test]
async fn answers_may_be_larger_than_requests() {
    let (_server, mut clients) = start().await;
    for key in ["k1", "k2", "k3", "k4", "k5"] {
        let value = vec![b'v'; 1 << 20].into();
        clients
            .kv
            .put(pb::PutRequest { key: key.into(), value, ..Default::default() })
            .await
            .unwrap();
    }
    let request = pb::RangeRequest { key: "k".into(), range_end: "l".into(), ..Default::default() };
    assert_eq!(clients.kv.range(request).await.unwrap().into_inner().kvs.len(), 5);
}
