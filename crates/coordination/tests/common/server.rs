//! Synod's face over a key space in memory, on loopback.

use synod_coordination::memory::MemoryBackend;
use synod_coordination::{Limits, ServeError, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub struct Server {
    pub backend: MemoryBackend,
    pub endpoint: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub async fn start_with(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let backend = MemoryBackend::start();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            // Dropping the sender stops the server as well.
            let _ = stopped.await;
        };
        let serving = tokio::spawn(serve(listener, backend.clone(), limits, shutdown));
        Self { backend, endpoint, stop, serving }
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(self) -> Result<(), ServeError> {
        // It may have ended by itself; then joining tells why.
        let _ = self.stop.send(());
        self.serving.await.unwrap()
    }
}
