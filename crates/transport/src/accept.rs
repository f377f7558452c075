//! Connections from peers: greet, judge, hand over what they say.

use crate::limits::{
    FRAME_BODY_BYTES_MAX, HANDSHAKE_TIMEOUT, HELLO_BODY_BYTES_MAX, INBOUND_CONNECTIONS_MAX,
};
use crate::stream::{Ended, Incoming, read_hello, tell_refusal, write_frame};
use crate::transport::Shared;
use crate::{Frame, FrameKind, Hello, Local, Refusal};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use synod_consensus::StoreId;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

/// How long to wait after the system could give no connection (no file descriptors, say).
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Accepts connections for as long as the task lives; they end with it.
pub(crate) async fn accept_all<L: Local>(shared: Arc<Shared<L>>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok(_) if connections.len() >= INBOUND_CONNECTIONS_MAX => {
                warn_once(&shared, "accept", "too many connections to the peer port");
            }
            Ok((socket, address)) => {
                connections.spawn(serve(Arc::clone(&shared), socket, address));
            }
            Err(error) => {
                warn_once(&shared, "accept", &format!("cannot accept peers: {error}"));
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

fn warn_once<L: Local>(shared: &Shared<L>, subject: &str, text: &str) {
    if shared.reports.is_news(subject, text) {
        warn!("{text}");
    }
}

/// One connection from its first byte to its end.
async fn serve<L: Local>(shared: Arc<Shared<L>>, socket: TcpStream, address: SocketAddr) {
    let ended = match handshake(&shared, socket).await {
        Ok(connection) => hear(&shared, connection).await,
        Err(ended) => ended,
    };
    report(&shared, address, &ended);
}

struct Connection {
    store: StoreId,
    incoming: Incoming,
    socket: OwnedWriteHalf,
}

async fn handshake<L: Local>(shared: &Shared<L>, socket: TcpStream) -> Result<Connection, Ended> {
    socket.set_nodelay(true)?;
    let (read_half, mut write_half) = socket.into_split();
    let mut incoming = Incoming::new(read_half, HELLO_BODY_BYTES_MAX);
    let hearing = timeout(HANDSHAKE_TIMEOUT, hear_hello(&mut incoming));
    let hello = match hearing.await.unwrap_or(Err(Ended::Silent)) {
        Ok(hello) => hello,
        Err(Ended::Refused(refusal)) => return refuse(write_half, refusal).await,
        Err(ended) => return Err(ended),
    };
    if let Err(refusal) = shared.local.meet(None, &hello) {
        return refuse(write_half, refusal).await;
    }
    let welcome = Frame::of_connection(FrameKind::Welcome, shared.local.hello().encode());
    write_frame(&mut write_half, &welcome).await?;
    shared.dial_now(&hello.name);
    incoming.set_body_bytes_max(FRAME_BODY_BYTES_MAX);
    Ok(Connection { store: hello.store, incoming, socket: write_half })
}

async fn hear_hello(incoming: &mut Incoming) -> Result<Hello, Ended> {
    let frame = incoming.next().await?;
    match frame.kind {
        FrameKind::Hello => read_hello(frame),
        other => Err(Ended::Unexpected(other)),
    }
}

async fn refuse(mut socket: OwnedWriteHalf, refusal: Refusal) -> Result<Connection, Ended> {
    tell_refusal(&mut socket, &refusal).await;
    Err(Ended::Refused(refusal))
}

/// Hands over what the peer says until the connection ends.
async fn hear<L: Local>(shared: &Shared<L>, connection: Connection) -> Ended {
    let Connection { store, mut incoming, mut socket } = connection;
    loop {
        let frame = match incoming.next().await {
            Ok(frame) => frame,
            Err(ended) => return ended,
        };
        match frame.kind {
            FrameKind::Group => shared.local.deliver(store, frame.group, frame.body),
            FrameKind::Ping => {
                let pong = Frame::of_connection(FrameKind::Pong, Bytes::new());
                if let Err(ended) = write_frame(&mut socket, &pong).await {
                    return ended;
                }
            }
            FrameKind::Refuse => return read_refusal(frame),
            other => return Ended::Unexpected(other),
        }
    }
}

fn read_refusal(frame: Frame) -> Ended {
    Refusal::decode(frame.body).map_or_else(Ended::Body, Ended::RefusedBy)
}

/// Strangers and refused peers are named once, by host: a hostile one must not fill the log.
fn report<L: Local>(shared: &Shared<L>, address: SocketAddr, ended: &Ended) {
    let text = ended.to_string();
    if ended.is_malformed() {
        shared.count_malformed();
        if shared.reports.is_news(&format!("malformed {}", address.ip()), &text) {
            warn!(%address, "closed a connection to the peer port: {text}");
        }
    } else if let Ended::Refused(refusal) = ended {
        let subject = format!("refused {}", address.ip());
        if !refusal.is_passing() && shared.reports.is_news(&subject, &text) {
            warn!(%address, "refused a connection to the peer port: {refusal}");
        }
    } else {
        debug!(%address, "a peer's connection ended: {text}");
    }
}
