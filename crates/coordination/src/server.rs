//! Puts the services on a socket, and takes them off it again.

use crate::backend::Backend;
use crate::cluster::Cluster;
use crate::face::{Closing, Face};
use crate::kv::Kv;
use crate::lease::Lease;
use crate::limits::{
    CONNECTION_WINDOW_BYTES, DRAIN_TIMEOUT, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, Limits,
    MAX_CONCURRENT_STREAMS, MAX_PENDING_RESETS, REQUEST_OVERHEAD_BYTES, STREAM_WINDOW_BYTES,
};
use crate::maintenance::Maintenance;
use crate::oversize::RewordOversize;
use crate::proto::etcdserverpb::{
    cluster_server::ClusterServer, kv_server::KvServer, lease_server::LeaseServer,
    maintenance_server::MaintenanceServer, watch_server::WatchServer,
};
use crate::watch::Watch;
use std::fmt;
use std::future::Future;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// Why serving ended before it was asked to.
#[derive(Debug)]
pub struct ServeError(tonic::transport::Error);

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the client listener failed: {}; restart the member", self.0)
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// All services as routes, for a host that has its own HTTP server. Open streams end with
/// `server stopped` when `closing` becomes true or its sender is dropped.
pub fn routes<B: Backend>(backend: B, limits: Limits, closing: watch::Receiver<bool>) -> Routes {
    let message_bytes = limits.max_request_bytes + REQUEST_OVERHEAD_BYTES;
    let face = Face::new(backend, limits, Closing::from(closing));
    // Answers are not limited: a range may well be larger than any request.
    macro_rules! service {
        ($server:ident, $service:ident) => {
            $server::new($service(face.clone()))
                .max_decoding_message_size(message_bytes)
                .max_encoding_message_size(usize::MAX)
        };
    }
    Routes::new(service!(KvServer, Kv))
        .add_service(service!(WatchServer, Watch))
        .add_service(service!(LeaseServer, Lease))
        .add_service(service!(ClusterServer, Cluster))
        .add_service(service!(MaintenanceServer, Maintenance))
}

/// Serves clients on `listener` until `shutdown` completes; then open streams are told that the
/// server stops, and open calls have [`DRAIN_TIMEOUT`] to end.
///
/// The traffic is not encrypted: whoever binds beyond loopback puts TLS in front.
///
/// # Errors
/// If the listener fails.
pub async fn serve<B: Backend>(
    listener: TcpListener,
    backend: B,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (closer, closing) = watch::channel(false);
    let mut drained = closing.clone();
    let asked = closing.clone();
    let serving = server()
        .layer(RewordOversize)
        .add_routes(routes(backend, limits, closing))
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            Closing::from(asked).signal(),
        );
    let overdue = async move {
        // The sender outlives this future: it is dropped at the end of the function.
        let _ = drained.wait_for(|closing| *closing).await;
        tokio::time::sleep(DRAIN_TIMEOUT).await;
    };
    let close = async {
        shutdown.await;
        closer.send_replace(true);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = serving => result.map_err(ServeError),
        () = overdue => Ok(()),
        () = close => unreachable!("it waits for ever once it has closed"),
    }
}

fn server() -> Server {
    Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
}
