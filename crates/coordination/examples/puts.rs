//! A first, small comparison: puts against any etcd v3 endpoints, closed loop.
//!
//! `cargo run --release -p synod-coordination --example puts -- ENDPOINTS CLIENTS SECONDS`
//!
//! Six connections, spread over the endpoints; values of 256 bytes over 1,000 keys a client. A closed
//! loop hides what a stall does to those who would have come meanwhile: read the percentiles as
//! service times, nothing more.

use bytes::Bytes;
use std::time::{Duration, Instant};
use synod_coordination::proto::etcdserverpb::PutRequest;
use synod_coordination::proto::etcdserverpb::kv_client::KvClient;
use tonic::transport::{Channel, Endpoint};

const CONNECTIONS: usize = 6;
const VALUE_BYTES: usize = 256;
const KEYS: u64 = 1_000;
const WARM_UP: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [endpoints, clients, seconds] = arguments.as_slice() else {
        eprintln!("usage: puts HOST:PORT[,HOST:PORT...] CLIENTS SECONDS");
        std::process::exit(2);
    };
    let endpoints: Vec<&str> = endpoints.split(',').collect();
    let clients: usize = clients.parse().expect("CLIENTS is a number");
    let lasts = Duration::from_secs(seconds.parse().expect("SECONDS is a number"));
    let channels = connect(&endpoints).await;
    let begin = Instant::now() + WARM_UP;
    let workers: Vec<_> = (0..clients)
        .map(|client| {
            let channel = channels[client % CONNECTIONS].clone();
            tokio::spawn(work(client, KvClient::new(channel), begin, begin + lasts))
        })
        .collect();
    let mut micros = Vec::new();
    for worker in workers {
        micros.extend(worker.await.expect("a worker does not panic"));
    }
    micros.sort_unstable();
    let at = |share: usize| micros.get(micros.len() * share / 1_000).copied().unwrap_or(0);
    println!(
        "{clients} clients: {:.0} puts/s, p50 {} us, p99 {} us, max {} us",
        micros.len() as f64 / lasts.as_secs_f64(),
        at(500),
        at(990),
        micros.last().copied().unwrap_or(0)
    );
}

async fn connect(endpoints: &[&str]) -> Vec<Channel> {
    let mut channels = Vec::new();
    for number in 0..CONNECTIONS {
        let uri = format!("http://{}", endpoints[number % endpoints.len()]);
        let endpoint = Endpoint::from_shared(uri).expect("an endpoint is HOST:PORT");
        let channel = endpoint.tcp_nodelay(true).connect().await;
        channels.push(channel.expect("every endpoint can be reached"));
    }
    channels
}

async fn work(client: usize, mut kv: KvClient<Channel>, begin: Instant, end: Instant) -> Vec<u64> {
    let value = Bytes::from(vec![7; VALUE_BYTES]);
    let mut micros = Vec::new();
    for number in 0u64.. {
        let key = Bytes::from(format!("client{client}/key{}", number % KEYS));
        let asked = Instant::now();
        if asked >= end {
            break;
        }
        let request = PutRequest { key, value: value.clone(), ..PutRequest::default() };
        kv.put(request).await.expect("the cluster is healthy");
        if asked >= begin {
            micros.push(u64::try_from(asked.elapsed().as_micros()).expect("it fits"));
        }
    }
    micros
}
