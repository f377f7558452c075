//! Clients that go on while nodes die: writers, readers, and watchers.
//!
//! Always holds: a value is sent once, whatever came of it; a watcher goes on behind the last event
//! that it saw; all of them move to the next node when theirs is lost.

use super::clients::{Clients, Watching, is_refusal};
use super::history::{Attempt, FIRST_REVISION, Outcome, Seen};
use super::{PATIENCE, POLL_INTERVAL};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;
use synod_coordination::proto::etcdserverpb as pb;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tonic::Status;

/// Writers share so few keys that each is overwritten all the time.
const KEYS: usize = 20;

/// What the clients of one test have in common. Clones share it.
#[derive(Clone)]
pub struct Load {
    endpoints: Arc<[String]>,
    /// Acknowledged writes so far.
    acknowledged: watch::Sender<u64>,
    /// The highest revision that was acknowledged.
    newest: Arc<AtomicI64>,
    stop: watch::Sender<bool>,
    /// The last revision that watchers must see, once it is known.
    last: watch::Sender<Option<i64>>,
}

impl Load {
    pub fn new(endpoints: Vec<String>) -> Self {
        Self {
            endpoints: endpoints.into(),
            acknowledged: watch::Sender::new(0),
            newest: Arc::new(AtomicI64::new(FIRST_REVISION)),
            stop: watch::Sender::new(false),
            last: watch::Sender::new(None),
        }
    }

    /// Waits until so many more writes were acknowledged.
    pub async fn wait_for_writes(&self, more: u64) {
        let mut acknowledged = self.acknowledged.subscribe();
        let target = *acknowledged.borrow() + more;
        let waiting = acknowledged.wait_for(|count| *count >= target);
        super::patiently("for writes", waiting).await.unwrap();
    }

    /// Writers and readers are to end.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Watchers are to end once they have seen `revision`.
    pub fn end_watches_at(&self, revision: i64) {
        self.last.send_replace(Some(revision));
    }

    /// Connects to the first node that listens, from number `at` on.
    async fn reach(&self, at: &mut usize) -> Clients {
        loop {
            let endpoint = &self.endpoints[*at % self.endpoints.len()];
            if let Ok(clients) = Clients::try_connect(endpoint).await {
                return clients;
            }
            *at += 1;
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Writes one value after another until told to stop; what came of each.
    pub async fn write(self, writer: usize) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        let mut at = writer;
        while !*self.stop.borrow() {
            let mut node = self.reach(&mut at).await;
            while self.write_one(&mut node, writer, &mut attempts).await {}
            at += 1;
        }
        attempts
    }

    /// Whether to go on at the same node.
    async fn write_one(
        &self,
        node: &mut Clients,
        writer: usize,
        attempts: &mut Vec<Attempt>,
    ) -> bool {
        let number = attempts.len();
        let (key, value) = (format!("key-{}", number % KEYS), format!("{writer}-{number}"));
        let begun = Instant::now();
        let answer = timeout(PATIENCE, node.try_put(&key, value.clone())).await;
        let ended = Instant::now();
        let outcome = answer.map_or(Outcome::Unknown, outcome);
        attempts.push(Attempt { key, value, outcome, begun, ended });
        if let Outcome::Acknowledged(revision) = outcome {
            self.newest.fetch_max(revision, Ordering::SeqCst);
            self.acknowledged.send_modify(|count| *count += 1);
        } else {
            // A cluster without a leader refuses faster than is worth recording.
            sleep(POLL_INTERVAL).await;
        }
        matches!(outcome, Outcome::Acknowledged(_)) && !*self.stop.borrow()
    }

    /// Reads until told to stop, and fails on a read that does not know of a write that was
    /// acknowledged before it began; how many reads were answered.
    pub async fn read(self, reader: usize) -> u64 {
        let (mut at, mut answered) = (reader, 0);
        while !*self.stop.borrow() {
            let mut node = self.reach(&mut at).await;
            while let Some(revision) = self.read_one(&mut node).await {
                assert!(revision.seen >= revision.written, "a stale read: {revision:?}");
                answered += 1;
                if *self.stop.borrow() {
                    break;
                }
            }
            at += 1;
        }
        answered
    }

    async fn read_one(&self, node: &mut Clients) -> Option<ReadRevision> {
        let written = self.newest.load(Ordering::SeqCst);
        let request = pb::RangeRequest { key: "key-0".into(), ..Default::default() };
        let answer = timeout(PATIENCE, node.kv.range(request)).await;
        sleep(POLL_INTERVAL).await;
        let answer = answer.ok()?.ok()?.into_inner();
        Some(ReadRevision { written, seen: answer.header.unwrap().revision })
    }

    /// Watches everything from the first revision to the last; what it saw.
    pub async fn watch(self, watcher: usize) -> Vec<Seen> {
        let (mut seen, mut at) = (Vec::new(), watcher);
        let mut last = self.last.subscribe();
        loop {
            let next = next_revision(&seen);
            if last.borrow().is_some_and(|last| next > last) {
                return seen;
            }
            let mut node = self.reach(&mut at).await;
            if let Ok(mut watching) = node.watch_from(next).await {
                follow(&mut watching, &mut last, &mut seen).await;
            }
            at += 1;
        }
    }
}

#[derive(Debug)]
struct ReadRevision {
    /// Acknowledged before the read began.
    written: i64,
    /// Of which the answer knows.
    seen: i64,
}

fn outcome(answer: Result<i64, Status>) -> Outcome {
    match answer {
        Ok(revision) => Outcome::Acknowledged(revision),
        Err(status) if is_refusal(&status) => Outcome::Refused,
        Err(_) => Outcome::Unknown,
    }
}

fn next_revision(seen: &[Seen]) -> i64 {
    seen.last().map_or(FIRST_REVISION, |seen| seen.revision) + i64::from(!seen.is_empty())
}

/// Takes what a node says until it is lost, or the last revision was seen.
async fn follow(
    watching: &mut Watching,
    last: &mut watch::Receiver<Option<i64>>,
    seen: &mut Vec<Seen>,
) {
    loop {
        let next = next_revision(seen);
        tokio::select! {
            response = watching.responses.message() => match response {
                Ok(Some(response)) => take(response, seen),
                Ok(None) | Err(_) => return,
            },
            _ = last.wait_for(|last| last.is_some_and(|last| next > last)) => return,
        }
    }
}

fn take(response: pb::WatchResponse, seen: &mut Vec<Seen>) {
    assert!(!response.canceled, "nothing was compacted: {response:?}");
    for event in response.events {
        let kv = event.kv.unwrap();
        let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        seen.push(Seen { revision: kv.mod_revision, key: text(kv.key), value: text(kv.value) });
    }
}
