//! Whole connections over loopback: what arrives, what is refused, and what a stranger can do.

#![allow(clippy::unwrap_used, reason = "in a test an error is a failure")]

use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use synod_consensus::{GroupId, Protocol, StoreId};
use synod_transport::{
    ClusterId, FRAME_MAGIC, Frame, FrameKind, FrameReader, Hello, Local, PROTOCOL_VERSION,
    PeerAddress, Refusal, RefusalCode, Transport,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Longer than anything here takes; reaching it fails the test.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, PartialEq)]
enum Seen {
    Message(StoreId, GroupId, Bytes),
    RefusedBy(String, RefusalCode),
}

/// A node that admits everyone but stores that changed under a name.
struct TestNode {
    hello: Mutex<Hello>,
    known: Mutex<BTreeMap<String, StoreId>>,
    seen: mpsc::UnboundedSender<Seen>,
}

#[derive(Clone)]
struct Shared(Arc<TestNode>);

impl Local for Shared {
    fn hello(&self) -> Hello {
        self.0.hello.lock().unwrap().clone()
    }

    fn meet(&self, _dialled: Option<&str>, peer: &Hello) -> Result<(), Refusal> {
        let mut known = self.0.known.lock().unwrap();
        let store = *known.entry(peer.name.clone()).or_insert(peer.store);
        if store == peer.store {
            Ok(())
        } else {
            Err(Refusal::store_changed(&peer.name, store, peer.store))
        }
    }

    fn refused_by(&self, name: &str, refusal: &Refusal) {
        let _ = self.0.seen.send(Seen::RefusedBy(name.to_owned(), refusal.code));
    }

    fn deliver(&self, from: StoreId, group: GroupId, body: Bytes) {
        let _ = self.0.seen.send(Seen::Message(from, group, body));
    }
}

struct Started {
    transport: Transport<Shared>,
    node: Shared,
    seen: mpsc::UnboundedReceiver<Seen>,
    address: SocketAddr,
}

async fn start(name: &str, store: u64) -> Started {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    start_on(listener, name, store)
}

fn start_on(listener: TcpListener, name: &str, store: u64) -> Started {
    let address = listener.local_addr().unwrap();
    let (sender, seen) = mpsc::unbounded_channel();
    let hello = Hello {
        version: PROTOCOL_VERSION,
        cluster: ClusterId::NONE,
        token_hash: 0,
        consensus: Protocol::Raft,
        store: StoreId(store),
        name: name.to_owned(),
        incarnation: 1,
        founding: None,
    };
    let node = Shared(Arc::new(TestNode {
        hello: Mutex::new(hello),
        known: Mutex::default(),
        seen: sender,
    }));
    let transport = Transport::start(node.clone(), vec![listener], store);
    Started { transport, node, seen, address }
}

fn at(name: &str, address: SocketAddr) -> PeerAddress {
    PeerAddress { name: name.to_owned(), address: address.to_string() }
}

/// Sends until it arrives: the transport promises no more than that.
async fn send_until_seen(from: &Started, to: &mut Started, store: u64, text: &'static str) {
    let body = Bytes::from_static(text.as_bytes());
    let sending = async {
        loop {
            from.transport.send(StoreId(store), GroupId(7), body.clone());
            let wait = timeout(Duration::from_millis(20), to.seen.recv()).await;
            if let Ok(Some(Seen::Message(_, group, seen))) = wait
                && seen == body
            {
                assert_eq!(group, GroupId(7));
                return;
            }
        }
    };
    timeout(PATIENCE, sending).await.expect("the message should arrive");
}

async fn next(node: &mut Started) -> Seen {
    timeout(PATIENCE, node.seen.recv()).await.expect("something should be seen").unwrap()
}

#[tokio::test]
async fn messages_arrive_with_the_store_that_the_handshake_gave() {
    let (a, mut b) = (start("a", 1).await, start("b", 2).await);
    a.transport.set_peers(&[at("b", b.address)]);
    send_until_seen(&a, &mut b, 2, "hello").await;
    let many = 1000u32;
    (0..many).for_each(|number| {
        a.transport.send(StoreId(2), GroupId(1), Bytes::from(number.to_le_bytes().to_vec()));
    });
    let mut expected = 0;
    while expected < many {
        let Seen::Message(from, group, body) = next(&mut b).await else { panic!("refused") };
        if group == GroupId(1) {
            assert_eq!((from, body), (StoreId(1), Bytes::from(expected.to_le_bytes().to_vec())));
            expected += 1;
        }
    }
}

#[tokio::test]
async fn a_peer_that_restarts_is_found_again() {
    let (a, mut b) = (start("a", 1).await, start("b", 2).await);
    a.transport.set_peers(&[at("b", b.address)]);
    send_until_seen(&a, &mut b, 2, "before").await;
    let address = b.address;
    b.transport.close();
    drop(b);
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let mut b = start_on(listener, "b", 2);
    send_until_seen(&a, &mut b, 2, "after").await;
}

#[tokio::test]
async fn a_store_that_changed_under_a_name_is_refused_and_told_why() {
    let (b, mut a) = (start("b", 2).await, start("a", 3).await);
    b.node.0.known.lock().unwrap().insert("a".to_owned(), StoreId(1));
    a.transport.set_peers(&[at("b", b.address)]);
    assert_eq!(next(&mut a).await, Seen::RefusedBy("b".to_owned(), RefusalCode::StoreChanged));
    assert!(!a.transport.is_connected(StoreId(2)));
}

#[tokio::test]
async fn an_address_that_leads_to_another_node_is_refused() {
    let (mut a, mut c) = (start("a", 1).await, start("c", 3).await);
    a.transport.set_peers(&[at("b", c.address)]);
    // The other node hears of it, and nothing else goes to it.
    a.transport.send(StoreId(3), GroupId(1), Bytes::from_static(b"lost"));
    c.transport.set_peers(&[at("a", a.address)]);
    send_until_seen(&c, &mut a, 1, "the other way works").await;
    assert!(!a.transport.is_connected(StoreId(3)));
    assert!(c.seen.try_recv().is_err());
}

#[tokio::test]
async fn a_new_greeting_reaches_every_dialled_peer() {
    let (a, mut b) = (start("a", 1).await, start("b", 2).await);
    a.transport.set_peers(&[at("b", b.address)]);
    send_until_seen(&a, &mut b, 2, "first").await;
    b.node.0.known.lock().unwrap().insert("a".to_owned(), StoreId(9));
    a.node.0.hello.lock().unwrap().store = StoreId(9);
    a.transport.greet_again();
    let heard = async {
        loop {
            a.transport.send(StoreId(2), GroupId(1), Bytes::new());
            let wait = timeout(Duration::from_millis(20), b.seen.recv()).await;
            if let Ok(Some(Seen::Message(StoreId(9), ..))) = wait {
                return;
            }
        }
    };
    timeout(PATIENCE, heard).await.expect("the new store id should be heard");
}

/// Everything that the peer port answers until it closes the connection.
async fn talk(address: SocketAddr, raw: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).await.unwrap();
    // The other side may close before everything is written, which is the point.
    let _ = socket.write_all(raw).await;
    let mut answer = Vec::new();
    let reading = socket.read_to_end(&mut answer);
    let _ = timeout(PATIENCE, reading).await.expect("the connection should be closed");
    answer
}

fn framed(kind: FrameKind, body: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    Frame::of_connection(kind, Bytes::copy_from_slice(body)).encode_into(&mut raw);
    raw
}

#[tokio::test]
async fn malformed_bytes_close_their_connection_and_nothing_else() {
    let (a, mut b) = (start("a", 1).await, start("b", 2).await);
    a.transport.set_peers(&[at("b", b.address)]);
    send_until_seen(&a, &mut b, 2, "before").await;
    let mut hostile_length = framed(FrameKind::Hello, b"");
    hostile_length[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut flipped = framed(FrameKind::Hello, b"abc");
    *flipped.last_mut().unwrap() ^= 1;
    let hostile = [
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
        hostile_length,
        flipped,
        framed(FrameKind::Hello, &PROTOCOL_VERSION.to_le_bytes()),
        framed(FrameKind::Group, b"before any greeting"),
        framed(FrameKind::Pong, b""),
        [FRAME_MAGIC.to_le_bytes().as_slice(), &[0xff; 64]].concat(),
    ];
    for raw in &hostile {
        assert_eq!(talk(b.address, raw).await, b"");
    }
    assert_eq!(b.transport.counters().malformed, hostile.len() as u64);
    send_until_seen(&a, &mut b, 2, "after").await;
}

#[tokio::test]
async fn another_version_is_told_so() {
    let b = start("b", 2).await;
    let answer = talk(b.address, &framed(FrameKind::Hello, b"\x63\x00\x00\x00later")).await;
    let mut reader = FrameReader::new(1 << 16);
    reader.buffer().extend_from_slice(&answer);
    let frame = reader.next_frame().unwrap().unwrap();
    assert_eq!(frame.kind, FrameKind::Refuse);
    let refusal = Refusal::decode(frame.body).unwrap();
    assert_eq!(refusal.code, RefusalCode::Version);
    assert!(refusal.text.contains("version 99"), "{refusal}");
}
