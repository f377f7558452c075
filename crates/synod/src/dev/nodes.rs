//! The nodes' processes: how each is started, what it says, how it is stopped.

use super::Failed;
use crate::exit::Exit;
use rustix::process::{Pid, Signal, kill_process};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use synod_consensus::Protocol;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A node that has not ended this long after it was asked to is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Each node takes two ports: one for clients, one for peers.
const PORTS_PER_NODE: u16 = 2;

/// One node of the cluster, before it is started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct NodePlan {
    pub(super) name: String,
    pub(super) client_port: u16,
    pub(super) peer_port: u16,
    pub(super) data: PathBuf,
}

impl NodePlan {
    pub(super) fn client_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.client_port)
    }

    pub(super) fn peer_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.peer_port)
    }
}

/// The nodes of a cluster.
pub(super) fn plan(root: &Path, count: u16, base_port: u16) -> Result<Vec<NodePlan>, Failed> {
    let last = u32::from(base_port) + u32::from(count * PORTS_PER_NODE) - 1;
    if base_port == 0 || last > u32::from(u16::MAX) {
        let text = format!("--base-port {base_port}: {count} nodes need ports 1 to 65535");
        return Err(Failed::new(Exit::Usage, text));
    }
    let node = |number: u16| {
        let client_port = base_port + (number - 1) * PORTS_PER_NODE;
        let name = format!("n{number}");
        NodePlan { client_port, peer_port: client_port + 1, data: root.join(&name), name }
    };
    Ok((1..=count).map(node).collect())
}

/// Finds a taken port before any process is started.
pub(super) fn check_ports(plans: &[NodePlan]) -> Result<(), Failed> {
    for port in plans.iter().flat_map(|plan| [plan.client_port, plan.peer_port]) {
        if let Err(error) = TcpListener::bind(("127.0.0.1", port)) {
            let text = format!(
                "port {port} on 127.0.0.1 is taken ({error}): stop what uses it, or choose other \
                 ports with --base-port"
            );
            return Err(Failed::new(Exit::CannotStart, text));
        }
    }
    Ok(())
}

/// The arguments that start a node, without what ties it to this process.
pub(super) fn start_arguments(
    plan: &NodePlan,
    all: &[NodePlan],
    consensus: Protocol,
) -> Vec<String> {
    let cluster: Vec<String> =
        all.iter().map(|one| format!("{}={}", one.name, one.peer_url())).collect();
    vec![
        "start".to_owned(),
        format!("--name={}", plan.name),
        format!("--data-dir={}", plan.data.display()),
        format!("--listen-client-urls={}", plan.client_url()),
        format!("--listen-peer-urls={}", plan.peer_url()),
        format!("--initial-cluster={}", cluster.join(",")),
        format!("--consensus={consensus}"),
    ]
}

/// What a node's process does.
#[derive(Debug)]
pub(super) enum Event {
    /// One more node serves clients.
    Ready,
    /// It wrote a line to its log.
    Line(usize, String),
    /// It has ended.
    Ended(usize, std::io::Result<ExitStatus>),
}

/// A running node.
#[derive(Debug)]
pub(super) struct RunningNode {
    process: Option<u32>,
    /// Closing it asks the node to stop, even when this process is killed.
    stdin: Option<ChildStdin>,
}

impl RunningNode {
    /// Starts a node; what it does comes out of `events`, as the node numbered `number`.
    pub(super) fn start(
        number: usize,
        arguments: &[String],
        log_level: &str,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, Failed> {
        let failed = |error: std::io::Error| {
            Failed::new(Exit::Other, format!("cannot start a node's process: {error}"))
        };
        let program = std::env::current_exe().map_err(failed)?;
        let mut child = Command::new(program)
            .args(arguments)
            .arg(format!("--log-level={log_level}"))
            .arg("--exit-with-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (process, stdin) = (child.id(), child.stdin.take());
        tokio::spawn(follow(number, child, events));
        Ok(Self { process, stdin })
    }

    /// Asks the node to stop.
    pub(super) fn ask_to_stop(&mut self) {
        self.stdin = None;
    }

    /// Ends the node at once.
    pub(super) fn kill(&mut self) {
        self.signal(Signal::KILL);
    }

    /// The process has ended: its number may soon be another's.
    pub(super) fn ended(&mut self) {
        self.process = None;
        self.stdin = None;
    }

    pub(super) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(process) = process {
            // It may have ended a moment ago; then there is nothing to signal.
            let _ = kill_process(process, signal);
        }
    }
}

/// Passes on what a node says until it ends.
async fn follow(number: usize, mut child: Child, events: mpsc::Sender<Event>) {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ready = async {
        let Some(stdout) = stdout else { return };
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.starts_with("ready ") {
                // A receiver that is gone has stopped listening to anything.
                let _ = events.send(Event::Ready).await;
            }
        }
    };
    let log = async {
        let Some(stderr) = stderr else { return };
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let _ = events.send(Event::Line(number, line)).await;
        }
    };
    tokio::join!(ready, log);
    let status = child.wait().await;
    let _ = events.send(Event::Ended(number, status)).await;
}

/// Stops every node in order, and kills those that do not stop.
pub(super) async fn stop_all(
    nodes: &mut [RunningNode],
    events: &mut mpsc::Receiver<Event>,
    on_line: impl Fn(usize, &str),
) {
    nodes.iter_mut().for_each(RunningNode::ask_to_stop);
    let all_ended = async {
        while nodes.iter().any(RunningNode::is_running) {
            match events.recv().await {
                Some(Event::Ended(number, _)) => nodes[number].ended(),
                Some(Event::Line(number, line)) => on_line(number, &line),
                Some(Event::Ready) => {}
                None => return,
            }
        }
    };
    if timeout(STOP_PATIENCE, all_ended).await.is_err() {
        nodes.iter_mut().for_each(RunningNode::kill);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_node_has_etcds_ports_and_the_others_follow() {
        let plans = plan(Path::new("d"), 3, 2379).unwrap();
        let ports: Vec<_> = plans.iter().map(|plan| (plan.client_port, plan.peer_port)).collect();
        assert_eq!(ports, [(2379, 2380), (2381, 2382), (2383, 2384)]);
        assert_eq!(plans[2].data, Path::new("d/n3"));
    }

    #[test]
    fn ports_beyond_the_last_are_refused() {
        assert!(plan(Path::new("d"), 3, 65530).is_ok());
        assert!(plan(Path::new("d"), 3, 65531).unwrap_err().text.contains("--base-port"));
        assert!(plan(Path::new("d"), 1, 0).is_err());
    }

    #[test]
    fn a_taken_port_is_named_with_the_flag_that_helps() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let plan = NodePlan {
            name: "n1".to_owned(),
            client_port: port,
            peer_port: port,
            data: PathBuf::new(),
        };
        let text = check_ports(&[plan]).unwrap_err().text;
        assert!(text.contains(&port.to_string()) && text.contains("--base-port"), "{text}");
    }
}
