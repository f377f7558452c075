//! The Watch service: one task a stream moves messages between the wire and the sans-IO
//! [`WatchStream`], which decides what to say.
//!
//! The task asks for the next message only when there is room to send it: a slow client costs its
//! cursors and [`WATCH_RESPONSES_AHEAD`] responses, whatever is written meanwhile.

use crate::backend::Backend;
use crate::convert;
use crate::errors::{Error, fatal};
use crate::face::Face;
use crate::header;
use crate::limits::{LEADERLESS_GRACE, WATCH_RESPONSES_AHEAD};
use crate::proto::etcdserverpb as pb;
use pb::watch_request::RequestUnion;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use synod_mvcc::{WatchLimits, WatchPoll, WatchStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// The service.
pub(crate) struct Watch<B>(pub(crate) Face<B>);

#[tonic::async_trait]
impl<B: Backend> pb::watch_server::Watch for Watch<B> {
    type WatchStream = ReceiverStream<Result<pb::WatchResponse, Status>>;

    async fn watch(
        &self,
        request: Request<Streaming<pb::WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let demands_leader = header::demands_leader(request.metadata());
        let requests = self.0.admit(request)?;
        let (sender, receiver) = mpsc::channel(WATCH_RESPONSES_AHEAD);
        let session = Session::new(self.0.clone(), demands_leader);
        tokio::spawn(session.run(requests, sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

type Sender = mpsc::Sender<Result<pb::WatchResponse, Status>>;
type Permit<'a> = mpsc::Permit<'a, Result<pb::WatchResponse, Status>>;

/// One stream of one client.
struct Session<B> {
    face: Face<B>,
    stream: WatchStream,
    changed: watch::Receiver<u64>,
    /// Whether the stream may have something to say.
    talking: bool,
    /// Whether the client is still sending.
    listening: bool,
    leader: LeaderCheck,
}

impl<B: Backend> Session<B> {
    fn new(face: Face<B>, demands_leader: bool) -> Self {
        let changed = face.backend.revision_changed();
        Self {
            face,
            stream: WatchStream::new(WatchLimits::default()),
            changed,
            talking: false,
            listening: true,
            leader: LeaderCheck::new(demands_leader),
        }
    }

    /// Runs until the client is gone, or there is a reason to send it away.
    async fn run(mut self, mut requests: Streaming<pb::WatchRequest>, sender: Sender) {
        let mut closing = self.face.closing.clone();
        let mut progress = progress_ticks(self.face.limits.watch_progress_interval);
        let end: Result<(), Status> = loop {
            let may_listen = self.listening && self.stream.accepts_requests();
            tokio::select! {
                request = requests.message(), if may_listen => match request {
                    Ok(request) => self.take(request),
                    Err(_) => break Ok(()),
                },
                permit = sender.reserve(), if self.talking => match permit {
                    Ok(permit) => {
                        if let Err(status) = self.talk(permit) {
                            break Err(status);
                        }
                    }
                    Err(_) => break Ok(()),
                },
                moved = self.changed.changed(), if !self.talking => match moved {
                    Ok(()) => self.talking = true,
                    Err(_) => break Err(Error::Stopped.into()),
                },
                _ = progress.tick() => self.tick_progress(),
                _ = self.leader.ticks.tick(), if self.leader.demanded => {
                    let leader = self.face.backend.leadership().leader;
                    if self.leader.overdue(leader.is_some(), Instant::now()) {
                        break Err(Error::NoLeader.into());
                    }
                }
                () = closing.wait() => break Err(Error::Stopped.into()),
                () = sender.closed() => break Ok(()),
            }
        };
        if let Err(status) = end {
            // The client may be gone; then nobody is left to be told.
            let _ = sender.send(Err(status)).await;
        }
    }

    /// Takes a request; `None` is the end of the client's part, after which its watches go on.
    fn take(&mut self, request: Option<pb::WatchRequest>) {
        let Some(request) = request else {
            self.listening = false;
            return;
        };
        let reader = self.face.backend.reader();
        match request.request_union {
            Some(RequestUnion::CreateRequest(request)) => {
                self.stream.create(convert::watch_request(request), &reader);
            }
            Some(RequestUnion::CancelRequest(request)) => self.stream.cancel(request.watch_id),
            Some(RequestUnion::ProgressRequest(_)) => self.stream.request_progress(),
            None => return,
        }
        self.talking = true;
    }

    /// Sends the next message, if there is one.
    fn talk(&mut self, permit: Permit<'_>) -> Result<(), Status> {
        let reader = self.face.backend.reader();
        match self.stream.poll(&reader).map_err(|reason| fatal(&reason))? {
            WatchPoll::Message(message) => {
                let header = |revision| header::at(&self.face.backend, revision);
                permit.send(Ok(convert::response(message, reader.revision(), header)));
            }
            // Every turn of the loop lets the runtime's other tasks run when it is their time.
            WatchPoll::Busy => {}
            WatchPoll::Idle => self.talking = false,
        }
        Ok(())
    }

    fn tick_progress(&mut self) {
        self.stream.tick_progress();
        self.talking = true;
    }
}

/// Up to a tenth is added to the interval, so that streams opened together do not speak together.
fn progress_ticks(interval: Duration) -> Interval {
    let thousandth = u32::try_from(RandomState::new().hash_one(interval) % 100).expect("below 100");
    let period = interval + interval / 1000 * thousandth;
    ticks(period)
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Watches the leader for a client that does not want to stay with a member without one.
struct LeaderCheck {
    demanded: bool,
    ticks: Interval,
    leaderless_since: Option<Instant>,
}

impl LeaderCheck {
    fn new(demanded: bool) -> Self {
        Self { demanded, ticks: ticks(LEADERLESS_GRACE / 4), leaderless_since: None }
    }

    /// Whether there has been no leader for longer than the client must bear.
    fn overdue(&mut self, leader_known: bool, now: Instant) -> bool {
        if leader_known {
            self.leaderless_since = None;
            return false;
        }
        let since = *self.leaderless_since.get_or_insert(now);
        now.duration_since(since) >= LEADERLESS_GRACE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_demanding_client_is_sent_away_only_after_the_whole_grace_without_a_leader() {
        let mut check = LeaderCheck::new(true);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!check.overdue(false, at(0)));
        assert!(!check.overdue(false, at(2)));
        assert!(!check.overdue(true, at(3)), "a leader was found");
        assert!(!check.overdue(false, at(4)));
        assert!(!check.overdue(false, at(6)));
        assert!(check.overdue(false, at(7)));
    }

    #[tokio::test]
    async fn progress_comes_at_the_interval_or_up_to_a_tenth_later() {
        let interval = Duration::from_secs(600);
        for _ in 0..100 {
            let period = progress_ticks(interval).period();
            assert!(period >= interval && period < interval + interval / 10);
        }
    }
}
