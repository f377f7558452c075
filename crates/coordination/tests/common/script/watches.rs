//! Watches. Between two servers only what one watch says is compared, in its order.

use super::transactions::{put, txn};
use crate::common::transcript::{Normalise, Transcript};
use pb::watch_request::RequestUnion;
use std::time::Duration;
use synod_coordination::proto::etcdserverpb as pb;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

/// A server that says nothing for so long has nothing to say.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

pub async fn run(t: &mut Transcript) {
    t.part("watches");
    history(t).await;
    live(t).await;
    refusals(t).await;
    progress(t).await;
}

/// An open watch stream.
pub struct Conversation {
    sender: mpsc::Sender<pb::WatchRequest>,
    opening: Option<JoinHandle<Streaming<pb::WatchResponse>>>,
    responses: Option<Streaming<pb::WatchResponse>>,
}

impl Conversation {
    pub async fn open(t: &Transcript) -> Self {
        let (sender, receiver) = mpsc::channel(16);
        let mut client = t.clients.watch.clone();
        // Some servers open the stream only with their first response.
        let opening = tokio::spawn(async move {
            client.watch(ReceiverStream::new(receiver)).await.unwrap().into_inner()
        });
        Self { sender, opening: Some(opening), responses: None }
    }

    pub async fn send(&self, union: RequestUnion) {
        self.sender.send(pb::WatchRequest { request_union: Some(union) }).await.unwrap();
    }

    pub async fn create(&self, what: &str, request: pb::WatchCreateRequest) {
        assert!(!what.is_empty());
        self.send(RequestUnion::CreateRequest(request)).await;
    }

    pub async fn next(&mut self) -> pb::WatchResponse {
        if let Some(opening) = self.opening.take() {
            self.responses = Some(opening.await.unwrap());
        }
        self.responses.as_mut().unwrap().message().await.unwrap().unwrap()
    }

    /// Writes down the next responses. Events are listed singly, since servers may cut history into
    /// responses as they like.
    pub async fn listen(&mut self, t: &mut Transcript, count: usize) {
        for _ in 0..count {
            let response = tokio::time::timeout(ANSWER_TIMEOUT, self.next()).await;
            let Ok(mut response) = response else {
                t.say("watch", "silence");
                return;
            };
            response.normalise();
            let events = std::mem::take(&mut response.events);
            if events.is_empty() {
                t.say("watch", &response);
            }
            for event in events {
                t.say(&format!("watch {} saw", response.watch_id), event);
            }
        }
    }
}

fn everything() -> pb::WatchCreateRequest {
    pb::WatchCreateRequest {
        key: b"\0".as_slice().into(),
        range_end: b"\0".as_slice().into(),
        ..Default::default()
    }
}

fn under(key: &'static str, range_end: &'static str) -> pb::WatchCreateRequest {
    pb::WatchCreateRequest { key: key.into(), range_end: range_end.into(), ..Default::default() }
}

async fn history(t: &mut Transcript) {
    let mut watch = Conversation::open(t).await;
    let request = pb::WatchCreateRequest { start_revision: 1, prev_kv: true, ..everything() };
    watch.create("all history", request).await;
    watch.listen(t, 2).await;
    let request = pb::WatchCreateRequest { start_revision: 2, filters: vec![0], ..under("a", "b") };
    watch.create("deletes only", request).await;
    watch.listen(t, 2).await;
    let request = pb::WatchCreateRequest { start_revision: 2, filters: vec![1], ..under("a", "") };
    watch.create("puts only", request).await;
    watch.listen(t, 2).await;
}

async fn live(t: &mut Transcript) {
    let mut watch = Conversation::open(t).await;
    watch.create("from now", pb::WatchCreateRequest { prev_kv: true, ..under("w", "x") }).await;
    watch.listen(t, 1).await;
    let success = vec![put("w1", "1"), put("w2", "1"), put("other", "1")];
    txn(t, "two of the three are watched", pb::TxnRequest { success, ..Default::default() }).await;
    watch.listen(t, 1).await;
    let mut kv = t.clients.kv.clone();
    let request = pb::DeleteRangeRequest { key: "w".into(), range_end: "x".into(), prev_kv: false };
    t.ask("delete both", kv.delete_range(request)).await;
    watch.listen(t, 1).await;
    watch.send(RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id: 99 })).await;
    watch.send(RequestUnion::CancelRequest(pb::WatchCancelRequest { watch_id: 0 })).await;
    watch.listen(t, 1).await;
}

async fn refusals(t: &mut Transcript) {
    let mut watch = Conversation::open(t).await;
    watch
        .create("an id of one's own", pb::WatchCreateRequest { watch_id: 5, ..under("w", "") })
        .await;
    watch.listen(t, 1).await;
    watch.create("the same id", pb::WatchCreateRequest { watch_id: 5, ..under("w", "") }).await;
    watch.listen(t, 1).await;
    watch.create("an empty range", under("b", "a")).await;
    watch.listen(t, 1).await;
    watch.create("no key", under("", "")).await;
    watch.listen(t, 1).await;
    watch
        .create("the future", pb::WatchCreateRequest { start_revision: 9999, ..under("w", "") })
        .await;
    watch.listen(t, 1).await;
}

async fn progress(t: &mut Transcript) {
    let mut watch = Conversation::open(t).await;
    watch.create("from now", under("w", "x")).await;
    watch.listen(t, 1).await;
    watch.send(RequestUnion::ProgressRequest(pb::WatchProgressRequest {})).await;
    watch.listen(t, 1).await;
}
