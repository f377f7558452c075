//! The order in which a node comes up.
//!
//! Always holds: the data directory is locked before it is read; the incarnation is durable before
//! anyone hears of it; the founding record is durable before it is shown; the groups stand in the
//! log before they run.

mod data;
mod found;

use crate::apply::{ApplyThread, Machine};
use crate::board::{Board, Status};
use crate::clock::Clock;
use crate::config::NodeConfig;
use crate::core::{Core, Inbox, Outlets};
use crate::error::{StartError, StartErrorCause};
use crate::flush_thread::{FlushSignal, FlushThread};
use crate::gate::Gate;
use crate::handle::{HandleShared, NodeHandle};
use crate::journal::Journal;
use crate::limits::REQUESTS_IN_FLIGHT_MAX;
use crate::log_thread::LogThread;
use crate::node::{Ends, Node, Threads};
use crate::queue::Queue;
use crate::random;
use crate::requests::Requests;
use crate::sender::Sender;
use crate::snapshot_thread::SnapshotThread;
use crate::stopping::Stopping;
use data::Data;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use synod_consensus::{Config, GroupId};
use synod_group::GroupConfig;
use synod_group::journal::{Opening, Recorded};
use synod_mvcc::LeaseKeeper;
use synod_storage::{DirectoryLock, Engine, GroupLog, Log};
use synod_transport::{PeerAddress, Transport};
use tokio::sync::Semaphore;

/// Brings a node up; returns once it belongs to a founded cluster and its groups run.
pub(crate) async fn start(
    config: NodeConfig,
    peer_listeners: Vec<TcpListener>,
) -> Result<Node, StartError> {
    let directory = config.data_directory.clone();
    let failed = |cause| StartError { data_directory: directory, cause };
    start_node(config, peer_listeners).await.map_err(failed)
}

async fn start_node(
    config: NodeConfig,
    peer_listeners: Vec<TcpListener>,
) -> Result<Node, StartErrorCause> {
    let mut data = Data::open(&config)?;
    let founding = found::founding_of(&config, data.identity.identity())?;
    let gate = Gate::new(founding);
    let transport = start_transport(&gate, &config, peer_listeners)?;
    // Ends the transport should anything below fail or be given up.
    let closer = TransportCloser(Some(transport.clone()));
    let record = found::wait_until_founded(&gate, &transport, &mut data.identity).await?;
    let Data { identity, lock, mut log, mut groups, engine } = data;
    let identity = data::install(identity, &mut log, &mut groups, &record)?;
    let parts = Parts {
        config,
        gate,
        transport,
        lock,
        log,
        groups,
        engine,
        store: identity.store,
        incarnation: identity.incarnation,
        founding: record,
    };
    let node = parts.run()?;
    closer.keep_open();
    Ok(node)
}

fn start_transport(
    gate: &Gate,
    config: &NodeConfig,
    listeners: Vec<TcpListener>,
) -> Result<Transport<Gate>, StartErrorCause> {
    let seed = random::draw().map_err(StartErrorCause::System)?;
    let into_tokio = |listener: TcpListener| {
        listener.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(listener)
    };
    let listeners = listeners.into_iter().map(into_tokio).collect::<Result<_, _>>();
    let listeners = listeners.map_err(StartErrorCause::Listener)?;
    let transport = Transport::start(gate.clone(), listeners, seed);
    transport.set_peers(&peer_addresses(config, gate));
    Ok(transport)
}

/// Where the other nodes are: the configured address where there is one, so that it may change
/// between starts; else the one that the cluster was founded with.
fn peer_addresses(config: &NodeConfig, gate: &Gate) -> Vec<PeerAddress> {
    let mut urls = config.initial_cluster.clone();
    if let Some(record) = gate.founding().record() {
        urls.retain(|name, _| record.member(name).is_some());
        for member in &record.members {
            urls.entry(member.name.clone()).or_insert_with(|| member.peer_url.clone());
        }
    }
    urls.remove(&config.name);
    let address = |(name, url): (String, String)| PeerAddress { name, address: host_port(&url) };
    urls.into_iter().map(address).collect()
}

/// `http://host:port/` without what is not dialled.
fn host_port(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.trim_end_matches('/').to_owned()
}

struct TransportCloser(Option<Transport<Gate>>);

impl TransportCloser {
    fn keep_open(mut self) {
        self.0 = None;
    }
}

impl Drop for TransportCloser {
    fn drop(&mut self) {
        if let Some(transport) = &self.0 {
            transport.close();
        }
    }
}

/// Everything that a running node is made of, before its threads run.
struct Parts {
    config: NodeConfig,
    gate: Gate,
    transport: Transport<Gate>,
    lock: DirectoryLock,
    log: Log,
    groups: BTreeMap<GroupId, GroupLog>,
    engine: Arc<dyn Engine>,
    store: synod_consensus::StoreId,
    incarnation: u64,
    founding: crate::founding::FoundingRecord,
}

impl Parts {
    fn run(self) -> Result<Node, StartErrorCause> {
        let clock = Clock::start();
        let stopping = Stopping::new();
        let inbox = Arc::new(Inbox::default());
        let requests = Arc::new(Requests::default());
        let (log_queue, apply_queue) = (Arc::new(Queue::default()), Arc::new(Queue::default()));
        let snapshot_queue = Arc::new(Queue::default());
        let flush = Arc::new(FlushSignal::default());
        let sender = Sender::over(self.transport.clone());
        let newest = self.groups.iter().map(|(group, log)| (*group, log.generation)).collect();
        let machines = self.open_machines()?;
        let groups = self.start_groups(clock, &machines)?;
        let notices = groups
            .iter()
            .map(|(id, group)| (*id, Status::of(group.group()), machines[id].reader()));
        let board = Arc::new(Board::new(notices));

        let directory = self.config.journal.as_deref();
        let journal = directory.map(|at| Journal::begin(at, self.incarnation, self.groups.keys()));
        let journal = journal.transpose().map_err(StartErrorCause::Journal)?;
        let core = Core::new(
            clock,
            Arc::clone(&inbox),
            groups,
            journal,
            Outlets {
                sender: sender.clone(),
                log: Arc::clone(&log_queue),
                apply: Arc::clone(&apply_queue),
                snapshots: Arc::clone(&snapshot_queue),
                requests: Arc::clone(&requests),
                board: Arc::clone(&board),
            },
        );
        let log_thread = LogThread {
            log: self.log,
            queue: Arc::clone(&log_queue),
            inbox: Arc::clone(&inbox),
            sender,
            stopping: stopping.clone(),
        };
        let apply_thread = ApplyThread {
            clock,
            engine: Arc::clone(&self.engine),
            queue: Arc::clone(&apply_queue),
            inbox: Arc::clone(&inbox),
            board: Arc::clone(&board),
            requests: Arc::clone(&requests),
            flush: Arc::clone(&flush),
            snapshots: Arc::clone(&snapshot_queue),
            stopping: stopping.clone(),
            machines,
        };
        let snapshot_thread = SnapshotThread {
            engine: Arc::clone(&self.engine),
            queue: Arc::clone(&snapshot_queue),
            board: Arc::clone(&board),
            inbox: Arc::clone(&inbox),
            stopping: stopping.clone(),
            newest,
        };
        let flush_thread = FlushThread {
            engine: Arc::clone(&self.engine),
            board: Arc::clone(&board),
            inbox: Arc::clone(&inbox),
            signal: Arc::clone(&flush),
            stopping: stopping.clone(),
            interval: self.config.flush_interval,
        };
        let handle = NodeHandle {
            shared: Arc::new(HandleShared {
                clock,
                store: self.store,
                founding: self.founding.clone(),
                inbox: Arc::clone(&inbox),
                requests: Arc::clone(&requests),
                board,
                log: Arc::clone(&log_queue),
                engine: Arc::downgrade(&self.engine),
                stopping: stopping.clone(),
                in_flight: Arc::new(Semaphore::new(REQUESTS_IN_FLIGHT_MAX)),
                request_timeout: self.config.request_timeout,
                quota_bytes: self.config.quota_bytes,
            }),
        };
        let ends = Ends {
            inbox: Arc::clone(&inbox),
            log: log_queue,
            apply: apply_queue,
            snapshots: snapshot_queue,
            flush,
            requests,
        };
        let mut threads = Threads::new(self.store, stopping, ends);
        threads.spawn("log", move || log_thread.run())?;
        threads.spawn("apply", move || apply_thread.run())?;
        threads.spawn("snapshot", move || snapshot_thread.run())?;
        threads.spawn("flush", move || flush_thread.run())?;
        threads.spawn("core", move || core.run())?;
        let members = self.founding.membership().voters;
        self.gate.run(inbox, members);
        Ok(Node::new(handle, self.transport, threads, self.lock, &self.config))
    }

    fn open_machines(&self) -> Result<BTreeMap<GroupId, Machine>, StartErrorCause> {
        let open = |(group, log): (&GroupId, &GroupLog)| {
            let keeper = LeaseKeeper::new(self.store, self.incarnation);
            let engine = Arc::clone(&self.engine);
            let machine = Machine::open(engine, *group, log.generation, keeper)
                .map_err(StartErrorCause::State)?;
            if machine.applied() < log.snapshot.index {
                let (engine, log) = (machine.applied(), log.snapshot.index);
                return Err(StartErrorCause::EngineLost { group: *group, engine, log });
            }
            Ok((*group, machine))
        };
        self.groups.iter().map(open).collect()
    }

    fn start_groups(
        &self,
        clock: Clock,
        machines: &BTreeMap<GroupId, Machine>,
    ) -> Result<BTreeMap<GroupId, Recorded>, StartErrorCause> {
        let start = |(group, log): (&GroupId, &GroupLog)| {
            let seed = random::draw().map_err(StartErrorCause::System)?;
            let config = GroupConfig {
                group: *group,
                consensus: Config::local_network(self.store, self.founding.consensus, seed),
                incarnation: self.incarnation,
                trailing_bytes: self.config.trailing_bytes,
                planted_bug: None,
            };
            let applied = machines[group].applied();
            let opening = Opening { config, log: log.clone(), applied, started: clock.now() };
            Ok((*group, Recorded::begin(&opening, self.config.journal.is_some())))
        };
        self.groups.iter().map(start).collect()
    }
}
