//! Brings the node and its faces up, and down again.

use super::plan::Plan;
use super::signals::StopRequests;
use super::url::HostPort;
use crate::backend::NodeBackend;
use crate::exit::Exit;
use std::io::{self, Write};
use std::net::TcpListener;
use std::time::Duration;
use synod_consensus::{GroupId, Protocol};
use synod_coordination::{Limits, ServeError};
use synod_node::identity::IdentityFile;
use synod_node::{Node, NodeConfig, NodeHandle, StopReason};
use synod_storage::RealDisk;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

/// A node that could not read yet tries again after this long: without a leader it is told so at
/// once.
const READY_RETRY_DELAY: Duration = Duration::from_millis(20);

/// Why a node ended otherwise than on request.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) exit: Exit,
    pub(super) text: String,
}

/// Runs a node until it is asked to stop or must.
pub(super) async fn serve(plan: Plan) -> Result<(), Failed> {
    let mut requests = StopRequests::listen(plan.exit_with_stdin)
        .map_err(|error| Failed { exit: Exit::Other, text: format!("signals: {error}") })?;
    let client = Bound::bind_all("listen-client-urls", &plan.listen_client)?;
    let peer = Bound::bind_all("listen-peer-urls", &plan.listen_peer)?;
    say("listening", &client.urls, &peer.urls);
    let config = node_config(&plan, &client.urls, &peer.urls)?;
    info!(name = %plan.name, data = %plan.data_directory.display(), consensus = %config.consensus, "starting");
    let starting = Node::start(config, peer.listeners);
    let node = tokio::select! {
        started = starting => started.map_err(|error| Failed {
            exit: Exit::of_start_error(&error),
            text: error.to_string(),
        })?,
        () = requests.next() => return Ok(()),
    };
    let reason =
        serve_clients(&plan, &node, client.listeners, &peer.urls, &client.urls, &mut requests)
            .await;
    node.stop().await;
    match reason {
        StopReason::Requested => {
            info!("stopped");
            Ok(())
        }
        reason => Err(Failed { exit: Exit::of_stop(&reason), text: reason.to_string() }),
    }
}

/// Listening sockets, and their URLs with the ports that were given.
struct Bound {
    listeners: Vec<TcpListener>,
    urls: Vec<String>,
}

impl Bound {
    fn bind_all(flag: &str, places: &[HostPort]) -> Result<Self, Failed> {
        let mut bound = Self { listeners: Vec::new(), urls: Vec::new() };
        for place in places {
            let (listener, url) = bind(place).map_err(|error| Failed {
                exit: Exit::CannotStart,
                text: bind_error(flag, place, &error),
            })?;
            bound.listeners.push(listener);
            bound.urls.push(url);
        }
        Ok(bound)
    }
}

fn bind(place: &HostPort) -> io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind((place.host.as_str(), place.port))?;
    let port = listener.local_addr()?.port();
    Ok((listener, place.with_port(port).to_string()))
}

fn bind_error(flag: &str, place: &HostPort, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::AddrInUse {
        let port = place.port;
        format!(
            "port {port} is taken ({place}): stop what uses it, or choose another with --{flag}"
        )
    } else {
        format!("cannot listen at {place}: {error}; choose another place with --{flag}")
    }
}

fn node_config(plan: &Plan, client: &[String], peer: &[String]) -> Result<NodeConfig, Failed> {
    let or_else = |given: &[String], bound: &[String]| {
        if given.is_empty() { bound.to_vec() } else { given.to_vec() }
    };
    let peer_urls = or_else(&plan.advertise_peer, peer);
    let mut initial_cluster = plan.initial_cluster.clone();
    if initial_cluster.is_empty() {
        initial_cluster.insert(plan.name.clone(), peer_urls[0].clone());
    }
    Ok(NodeConfig {
        consensus: consensus_of(plan)?,
        initial_cluster,
        may_found: plan.may_found,
        cluster_token: plan.cluster_token.clone(),
        peer_urls,
        client_urls: or_else(&plan.advertise_client, client),
        quota_bytes: plan.quota_bytes,
        journal: plan.journal.clone(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        ..NodeConfig::new(&plan.name, &plan.data_directory)
    })
}

/// Without a flag, a directory keeps the protocol that it was made with.
fn consensus_of(plan: &Plan) -> Result<Protocol, Failed> {
    if let Some(protocol) = plan.consensus {
        return Ok(protocol);
    }
    if !plan.data_directory.is_dir() {
        return Ok(Protocol::default());
    }
    let directory = plan.data_directory.display();
    let failed = |exit, error: &dyn std::fmt::Display| Failed {
        exit,
        text: format!("the data directory {directory}: {error}"),
    };
    let disk =
        RealDisk::open(&plan.data_directory).map_err(|error| failed(Exit::CannotStart, &error))?;
    let identity = IdentityFile::peek(&disk).map_err(|error| failed(Exit::Data, &error))?;
    Ok(identity.map_or(Protocol::default(), |identity| identity.consensus))
}

/// Serves clients until the node stops or is asked to.
async fn serve_clients(
    plan: &Plan,
    node: &Node,
    listeners: Vec<TcpListener>,
    peer_urls: &[String],
    client_urls: &[String],
    requests: &mut StopRequests,
) -> StopReason {
    let (closer, closing) = watch::channel(false);
    let mut faces = JoinSet::new();
    for listener in listeners {
        let limits = Limits { quota_bytes: plan.quota_bytes.unwrap_or(0), ..Limits::default() };
        faces.spawn(serve_face(listener, node.handle(), limits, closing.clone()));
    }
    let ready = announce_ready(node.handle(), client_urls.to_vec(), peer_urls.to_vec());
    let ready = tokio::spawn(ready);
    let handle = node.handle();
    let reason = tokio::select! {
        reason = handle.stopped() => reason,
        () = requests.next() => StopReason::Requested,
        Some(face) = faces.join_next() => StopReason::State(face_ended(face)),
    };
    ready.abort();
    if reason == StopReason::Requested {
        info!("stopping: telling clients");
    }
    closer.send_replace(true);
    tokio::select! {
        () = drain(&mut faces) => {}
        () = requests.next_signal() => warn!("asked again: not waiting for clients any longer"),
    }
    reason
}

async fn serve_face(
    listener: TcpListener,
    node: NodeHandle,
    limits: Limits,
    mut closing: watch::Receiver<bool>,
) -> Result<(), String> {
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    let listener =
        tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
    let shutdown = async move {
        // Said or dropped: either way it is over.
        let _ = closing.wait_for(|closing| *closing).await;
    };
    synod_coordination::serve(listener, NodeBackend::new(node), limits, shutdown)
        .await
        .map_err(|error: ServeError| error.to_string())
}

fn face_ended(face: Result<Result<(), String>, tokio::task::JoinError>) -> String {
    match face {
        Ok(Ok(())) => "the client listener ended by itself".to_owned(),
        Ok(Err(error)) => error,
        Err(error) => format!("the client listener broke: {error}"),
    }
}

async fn drain(faces: &mut JoinSet<Result<(), String>>) {
    while faces.join_next().await.is_some() {}
}

/// Says that the node serves once a read was confirmed by the cluster.
async fn announce_ready(node: NodeHandle, client: Vec<String>, peer: Vec<String>) {
    while node.linearize(GroupId::DEFAULT).await.is_err() {
        if node.stop_reason().is_some() {
            return;
        }
        tokio::time::sleep(READY_RETRY_DELAY).await;
    }
    say("ready", &client, &peer);
}

/// One line for whoever started this process. A closed stdout is nobody's harm.
fn say(what: &str, client: &[String], peer: &[String]) {
    let mut out = io::stdout();
    let line = format!("{what} client={} peer={}\n", client.join(","), peer.join(","));
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}
