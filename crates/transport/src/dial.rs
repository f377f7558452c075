//! The connection to one peer, from this side: dial, greet, write what waits, dial again.

use crate::backoff::Backoff;
use crate::limits::{
    CONNECT_TIMEOUT, FRAME_BODY_BYTES_MAX, HANDSHAKE_TIMEOUT, HELLO_BODY_BYTES_MAX, PING_INTERVAL,
    REFUSED_DELAY, WRITE_BYTES_TARGET,
};
use crate::stream::{Ended, Incoming, read_hello, tell_refusal, write_alive, write_frame};
use crate::transport::{Peer, Shared};
use crate::{Frame, FrameKind, Hello, Local, Refusal};
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, info, warn};

/// Keeps a connection to `peer` for as long as the task lives.
pub(crate) async fn keep_connected<L: Local>(shared: Arc<Shared<L>>, peer: Arc<Peer>, seed: u64) {
    let mut backoff = Backoff::new(seed);
    loop {
        let ended = connect_and_run(&shared, &peer, &mut backoff).await;
        report(&shared, &peer, &ended);
        let delay = match ended {
            Ended::GreetAgain => continue,
            Ended::Refused(refusal) | Ended::RefusedBy(refusal) if !refusal.is_passing() => {
                REFUSED_DELAY
            }
            _ => backoff.delay(),
        };
        tokio::select! {
            () = sleep(delay) => {}
            () = peer.dial_now.notified() => {}
        }
    }
}

/// One connection from its dialling to its end.
async fn connect_and_run<L: Local>(
    shared: &Shared<L>,
    peer: &Peer,
    backoff: &mut Backoff,
) -> Ended {
    let mut greeting = shared.greeting.subscribe();
    greeting.mark_unchanged();
    let handshake = async {
        let socket = connect(&peer.address()).await?;
        timeout(HANDSHAKE_TIMEOUT, greet(shared, peer, socket)).await.unwrap_or(Err(Ended::Silent))
    };
    let (incoming, write_half, hello) = match handshake.await {
        Ok(connection) => connection,
        Err(ended) => return ended,
    };
    backoff.reset();
    shared.reports.forget(&peer.name);
    info!(peer = %peer.name, store = %hello.store, address = %peer.address(), "connected to peer");
    peer.outbox.open();
    shared.add_route(hello.store, &peer.outbox);
    let ended = tokio::select! {
        ended = write_out(peer, write_half) => ended,
        ended = watch_life(incoming) => ended,
        _ = greeting.changed() => Ended::GreetAgain,
    };
    shared.remove_route(hello.store, &peer.outbox);
    peer.outbox.close();
    ended
}

async fn connect(address: &str) -> Result<TcpStream, Ended> {
    let connecting = TcpStream::connect(address);
    let late =
        || Err(io::Error::new(io::ErrorKind::TimedOut, "the connection was not taken in time"));
    let socket = timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or_else(|_| late())?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Says who this is, hears who that is, and lets the node judge it.
async fn greet<L: Local>(
    shared: &Shared<L>,
    peer: &Peer,
    socket: TcpStream,
) -> Result<(Incoming, OwnedWriteHalf, Hello), Ended> {
    let (read_half, mut write_half) = socket.into_split();
    let mut incoming = Incoming::new(read_half, HELLO_BODY_BYTES_MAX);
    let hello = Frame::of_connection(FrameKind::Hello, shared.local.hello().encode());
    write_frame(&mut write_half, &hello).await?;
    let answer = incoming.next().await?;
    let hello = match answer.kind {
        FrameKind::Welcome => read_hello(answer)?,
        FrameKind::Refuse => return Err(read_refusal(answer)),
        other => return Err(Ended::Unexpected(other)),
    };
    if let Err(refusal) = judge(shared, peer, &hello) {
        tell_refusal(&mut write_half, &refusal).await;
        return Err(Ended::Refused(refusal));
    }
    incoming.set_body_bytes_max(FRAME_BODY_BYTES_MAX);
    Ok((incoming, write_half, hello))
}

fn read_refusal(frame: Frame) -> Ended {
    match Refusal::decode(frame.body) {
        Ok(refusal) => Ended::RefusedBy(refusal),
        Err(error) => Ended::Body(error),
    }
}

fn judge<L: Local>(shared: &Shared<L>, peer: &Peer, hello: &Hello) -> Result<(), Refusal> {
    if hello.name != peer.name {
        return Err(Refusal::misrouted(&peer.name, &hello.name));
    }
    shared.local.meet(Some(&peer.name), hello)
}

/// Writes what waits, many frames at once, and a ping from time to time.
async fn write_out(peer: &Peer, mut socket: OwnedWriteHalf) -> Ended {
    let mut raw = Vec::with_capacity(WRITE_BYTES_TARGET);
    let mut ping = interval(PING_INTERVAL);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = peer.outbox.ready() => {}
            _ = ping.tick() => Frame::of_connection(FrameKind::Ping, Bytes::new()).encode_into(&mut raw),
        }
        while peer.outbox.drain_into(&mut raw) || !raw.is_empty() {
            if let Err(ended) = write_alive(&mut socket, &raw).await {
                return ended;
            }
            raw.clear();
        }
        raw.shrink_to(WRITE_BYTES_TARGET);
    }
}

/// Takes the other side's signs of life, and ends when they stay away.
async fn watch_life(mut incoming: Incoming) -> Ended {
    loop {
        match incoming.next().await {
            Ok(frame) => match frame.kind {
                FrameKind::Pong => {}
                FrameKind::Refuse => return read_refusal(frame),
                other => return Ended::Unexpected(other),
            },
            Err(ended) => return ended,
        }
    }
}

/// Says once per peer what is wrong, and tells the node when it is refused.
fn report<L: Local>(shared: &Shared<L>, peer: &Peer, ended: &Ended) {
    if let Ended::RefusedBy(refusal) = ended {
        shared.local.refused_by(&peer.name, refusal);
    }
    if !shared.reports.is_news(&peer.name, &ended.to_string()) {
        return;
    }
    let (name, address) = (&peer.name, peer.address());
    match ended {
        Ended::GreetAgain => debug!(peer = %name, "greeting peer again"),
        Ended::Refused(refusal) | Ended::RefusedBy(refusal) if refusal.is_passing() => {
            debug!(peer = %name, %address, "not yet: {refusal}");
        }
        Ended::Refused(refusal) => warn!(peer = %name, %address, "refused peer: {refusal}"),
        Ended::RefusedBy(refusal) => warn!(peer = %name, %address, "peer refuses: {refusal}"),
        other => info!(peer = %name, %address, "no connection to peer: {other}"),
    }
}
