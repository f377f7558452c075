//! The life of a development cluster: up, watched, down.

use super::directory::Directory;
use super::nodes::{Event, NodePlan, RunningNode, check_ports, plan, start_arguments, stop_all};
use super::{DevFlags, Failed, text};
use crate::exit::Exit;
use crate::server::StopRequests;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A cluster that is not ready after this long will not be: something is wrong that the nodes' log
/// lines tell.
const READY_PATIENCE: Duration = Duration::from_secs(60);

/// Lines and events of nodes that wait to be printed. A node that says more waits.
const EVENTS_AHEAD: usize = 256;

/// See the module's text.
struct Cluster {
    plans: Vec<NodePlan>,
    /// The command that starts each node by hand.
    restarts: Vec<String>,
    nodes: Vec<RunningNode>,
    events: mpsc::Receiver<Event>,
}

/// Runs a cluster until it is asked to stop.
pub(super) async fn run(flags: DevFlags) -> Result<(), Failed> {
    let mut requests = StopRequests::listen(false)
        .map_err(|error| Failed::new(Exit::Other, format!("signals: {error}")))?;
    let begun = Instant::now();
    let directory = Directory::open(&flags)?;
    let plans = plan(&directory.root, directory.made.nodes, flags.base_port)?;
    check_ports(&plans)?;
    let mut cluster = Cluster::start(&directory, plans, &flags.log_level)?;
    let up = tokio::select! {
        up = timeout(READY_PATIENCE, cluster.wait_until_ready()) => up,
        () = requests.next() => {
            cluster.stop().await;
            return Ok(());
        }
    };
    match up {
        Ok(Ok(())) => {}
        Ok(Err(failed)) => {
            cluster.stop().await;
            return Err(failed);
        }
        Err(_) => {
            cluster.stop().await;
            let text = "the cluster did not get ready; run it again with --log-level info";
            return Err(Failed::new(Exit::Other, text));
        }
    }
    print!("{}", text::welcome(&directory, &cluster.plans, begun.elapsed(), &program()));
    let ended = tokio::select! {
        failed = cluster.watch() => Err(failed),
        () = requests.next() => Ok(()),
    };
    eprintln!("stopping");
    let second = tokio::select! {
        () = cluster.stop() => false,
        () = requests.next() => true,
    };
    if second {
        cluster.nodes.iter_mut().for_each(RunningNode::kill);
    }
    eprintln!("stopped; the data stays in {}", directory.root.display());
    ended
}

/// How this program was called: what people can type again.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "synod".to_owned())
}

impl Cluster {
    fn start(directory: &Directory, plans: Vec<NodePlan>, log_level: &str) -> Result<Self, Failed> {
        let (sender, events) = mpsc::channel(EVENTS_AHEAD);
        let (mut nodes, mut restarts) = (Vec::new(), Vec::new());
        for (number, plan) in plans.iter().enumerate() {
            let arguments = start_arguments(plan, &plans, directory.made.consensus);
            restarts.push(format!("{} {}", program(), arguments.join(" ")));
            nodes.push(RunningNode::start(number, &arguments, log_level, sender.clone())?);
        }
        Ok(Self { plans, restarts, nodes, events })
    }

    /// Every node serves; or one has ended before, which leaves the cluster as it was.
    async fn wait_until_ready(&mut self) -> Result<(), Failed> {
        let mut waiting = self.nodes.len();
        while waiting > 0 {
            match self.next_event().await {
                Event::Ready => waiting -= 1,
                Event::Line(number, line) => self.print_line(number, &line),
                Event::Ended(number, status) => {
                    self.nodes[number].ended();
                    let name = &self.plans[number].name;
                    let how = status.map_or_else(|error| error.to_string(), |one| one.to_string());
                    let text =
                        format!("node {name} did not come up ({how}): its own words are above");
                    return Err(Failed::new(Exit::CannotStart, text));
                }
            }
        }
        Ok(())
    }

    /// Says what happens; returns when no node is left.
    async fn watch(&mut self) -> Failed {
        loop {
            match self.next_event().await {
                Event::Ready => {}
                Event::Line(number, line) => self.print_line(number, &line),
                Event::Ended(number, status) => {
                    self.nodes[number].ended();
                    let left = self.nodes.iter().filter(|node| node.is_running()).count();
                    let (plan, restart) = (&self.plans[number], &self.restarts[number]);
                    eprint!("{}", text::node_ended(plan, &status, left, restart));
                    if left == 0 {
                        return Failed::new(Exit::Other, "every node has ended");
                    }
                }
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            // Every node's follower has ended, and told so.
            None => std::future::pending().await,
        }
    }

    fn print_line(&self, number: usize, line: &str) {
        eprintln!("[{}] {line}", self.plans[number].name);
    }

    async fn stop(&mut self) {
        let plans = &self.plans;
        let print = |number: usize, line: &str| eprintln!("[{}] {line}", plans[number].name);
        stop_all(&mut self.nodes, &mut self.events, print).await;
    }
}
