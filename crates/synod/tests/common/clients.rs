//! The generated clients, connected to one node, and the requests that the tests make.

use super::{POLL_INTERVAL, patiently};
use pb::watch_request::RequestUnion;
use synod_coordination::errors::{OUTCOME_KEY, OUTCOME_REFUSED};
use synod_coordination::proto::etcdserverpb as pb;
use synod_coordination::proto::etcdserverpb::kv_client::KvClient;
use synod_coordination::proto::etcdserverpb::maintenance_client::MaintenanceClient;
use synod_coordination::proto::etcdserverpb::watch_client::WatchClient;
use synod_coordination::proto::mvccpb::KeyValue;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Error};
use tonic::{Code, Status, Streaming};

/// Every key there is, as a range.
const ALL: &[u8] = b"\0";

/// Clients of one node.
#[derive(Clone)]
pub struct Clients {
    pub kv: KvClient<Channel>,
    pub watch: WatchClient<Channel>,
    pub maintenance: MaintenanceClient<Channel>,
}

/// A watch, for as long as both ends live.
pub struct Watching {
    _requests: mpsc::Sender<pb::WatchRequest>,
    pub responses: Streaming<pb::WatchResponse>,
}

impl Clients {
    /// Connects to a node that is running.
    pub async fn connect(endpoint: &str) -> Self {
        Self::try_connect(endpoint).await.unwrap()
    }

    /// Connects, if somebody listens.
    ///
    /// # Errors
    /// Nothing was sent.
    pub async fn try_connect(endpoint: &str) -> Result<Self, Error> {
        let channel = Endpoint::from_shared(endpoint.to_owned()).unwrap().connect().await?;
        Ok(Self {
            kv: KvClient::new(channel.clone()).max_decoding_message_size(usize::MAX),
            watch: WatchClient::new(channel.clone()).max_decoding_message_size(usize::MAX),
            maintenance: MaintenanceClient::new(channel),
        })
    }

    /// One attempt at one write; its revision.
    pub async fn try_put(
        &mut self,
        key: &str,
        value: impl Into<bytes::Bytes>,
    ) -> Result<i64, Status> {
        let (key, value) = (key.to_owned().into(), value.into());
        let put = pb::PutRequest { key, value, ..Default::default() };
        let answer = self.kv.put(put).await?.into_inner();
        Ok(answer.header.unwrap().revision)
    }

    /// Writes, waiting out elections. An attempt of which nothing is known is repeated, too: written
    /// twice the key holds the same.
    pub async fn put(&mut self, key: &str, value: &str) -> i64 {
        let trying = async {
            loop {
                match self.try_put(key, value.to_owned()).await {
                    Ok(revision) => return revision,
                    Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status}"),
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        patiently("for a write", trying).await
    }

    /// A linearizable read of everything, waiting out elections.
    pub async fn get_all(&mut self) -> pb::RangeResponse {
        let all =
            || pb::RangeRequest { key: ALL.into(), range_end: ALL.into(), ..Default::default() };
        let trying = async {
            loop {
                match self.kv.range(all()).await {
                    Ok(answer) => return answer.into_inner(),
                    Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status}"),
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        patiently("for a read", trying).await
    }

    /// The value of a key, by a linearizable read.
    pub async fn get(&mut self, key: &str) -> Option<String> {
        let found = |kv: &&KeyValue| kv.key == key.as_bytes();
        let all = self.get_all().await;
        let kv = all.kvs.iter().find(found)?;
        Some(String::from_utf8(kv.value.to_vec()).unwrap())
    }

    /// The hash of the state as of `revision`.
    pub async fn hash(&mut self, revision: i64) -> u32 {
        let answer = self.maintenance.hash_kv(pb::HashKvRequest { revision }).await;
        let answer = answer.unwrap().into_inner();
        assert_eq!(answer.hash_revision, revision);
        answer.hash
    }

    /// Watches everything from a revision on.
    ///
    /// # Errors
    /// The node did not take the watch.
    pub async fn watch_from(&mut self, start_revision: i64) -> Result<Watching, Status> {
        let (sender, requests) = mpsc::channel(1);
        let create = pb::WatchCreateRequest {
            key: ALL.into(),
            range_end: ALL.into(),
            start_revision,
            ..Default::default()
        };
        let create = pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        sender.try_send(create).expect("the channel is new and has room for one");
        let responses = self.watch.watch(ReceiverStream::new(requests)).await?.into_inner();
        Ok(Watching { _requests: sender, responses })
    }
}

/// Whether a failed request was certainly not carried out.
pub fn is_refusal(status: &Status) -> bool {
    status.metadata().get(OUTCOME_KEY).is_some_and(|outcome| outcome == OUTCOME_REFUSED)
}
