//! What asks a process to stop: SIGTERM, SIGINT, and a closed stdin where that was agreed.

use std::io::{self, Read};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Waits for a request to stop.
#[derive(Debug)]
pub(crate) struct StopRequests {
    interrupt: Signal,
    terminate: Signal,
    stdin_closed: Option<oneshot::Receiver<()>>,
}

impl StopRequests {
    /// Listens from now on.
    ///
    /// # Errors
    /// The operating system refuses.
    pub(crate) fn listen(with_stdin: bool) -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            stdin_closed: with_stdin.then(watch_stdin),
        })
    }

    /// Returns at the next request.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = closed(&mut self.stdin_closed) => {}
        }
    }

    /// Returns at the next signal. Whoever closes stdin may well have sent one before, so that does
    /// not count as asking again.
    pub(crate) async fn next_signal(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

async fn closed(stdin: &mut Option<oneshot::Receiver<()>>) {
    match stdin {
        Some(receiver) => {
            // Said or dropped, the reader has come to the end.
            let _ = receiver.await;
            *stdin = None;
        }
        None => std::future::pending().await,
    }
}

/// A thread of its own, which the process does not wait for: reading stdin cannot be interrupted.
fn watch_stdin() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut dropped = [0u8; 64];
        while io::stdin().read(&mut dropped).is_ok_and(|length| length > 0) {}
        let _ = sender.send(());
    });
    receiver
}
