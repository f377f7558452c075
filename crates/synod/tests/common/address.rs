//! Addresses that stay free while the node that has one is down.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};

/// How many addresses this process has given out.
static GIVEN: AtomicU8 = AtomicU8::new(0);

/// An address to listen at. A port that a killed node leaves could be taken by anybody's outgoing
/// connection before the node is back. So each comes with a loopback host of its own, from which
/// nothing ever connects, where the system has them; elsewhere the risk is taken.
pub fn free() -> SocketAddr {
    let own = (IpAddr::V4(own_host()), 0);
    let listener = TcpListener::bind(own).or_else(|_| TcpListener::bind("127.0.0.1:0"));
    listener.unwrap().local_addr().unwrap()
}

/// Different for every call in one process, and for processes that live at the same time.
fn own_host() -> Ipv4Addr {
    let [low, high, ..] = std::process::id().to_le_bytes();
    let number = GIVEN.fetch_add(1, Ordering::Relaxed);
    assert!(number < u8::MAX, "a test process starts a few dozen nodes");
    Ipv4Addr::new(127, 64 + high % 64, low, number + 1)
}
