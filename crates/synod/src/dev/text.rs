//! What `synod dev` prints for people. Pure.

use super::directory::Directory;
use super::nodes::NodePlan;
use std::fmt::Write;
use std::process::ExitStatus;
use std::time::Duration;

/// The cluster is up: where it is and what to try.
pub(super) fn welcome(
    directory: &Directory,
    plans: &[NodePlan],
    took: Duration,
    program: &str,
) -> String {
    let count = plans.len();
    let nodes = if count == 1 { "node" } else { "nodes" };
    let consensus = directory.made.consensus;
    let state = if directory.resumed { "goes on" } else { "runs" };
    let seconds = took.as_secs_f64();
    let mut out =
        format!("Synod {state}: {count} {nodes}, {consensus}, ready in {seconds:.1} s\n\n");
    let line = |out: &mut String, name: &str, client: &str, peer: &str, data: &str| {
        writeln!(out, "  {name:<5} {client:<23} {peer:<23} {data}").expect("a string takes it all");
    };
    line(&mut out, "node", "clients", "peers", "data");
    for plan in plans {
        let data = plan.data.display().to_string();
        line(&mut out, &plan.name, &plan.client_url(), &plan.peer_url(), &data);
    }
    out.push_str(&commands(plans, program));
    out
}

fn commands(plans: &[NodePlan], program: &str) -> String {
    let all: Vec<String> =
        plans.iter().map(|plan| format!("127.0.0.1:{}", plan.client_port)).collect();
    let all = all.join(",");
    let first = format!("127.0.0.1:{}", plans[0].client_port);
    // The client's default is the first node at its usual port.
    let at =
        if plans[0].client_port == 2379 { String::new() } else { format!(" --endpoints {first}") };
    format!(
        "\nTry, in another terminal:\n\
         \x20 {program} put greeting hello{at}\n\
         \x20 {program} get greeting{at}\n\
         \x20 {program} watch greeting{at}\n\
         \x20 {program} status --endpoints {all}\n\
         \x20 etcdctl --endpoints {all} endpoint status\n\
         \nCtrl-C stops it; the same command goes on where it was; --fresh starts over.\n"
    )
}

/// A node has ended although nobody asked it to.
pub(super) fn node_ended(
    plan: &NodePlan,
    status: &std::io::Result<ExitStatus>,
    left: usize,
    restart: &str,
) -> String {
    let name = &plan.name;
    let how = match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    let others = match left {
        0 => "No node is left.".to_owned(),
        1 => "One node is left.".to_owned(),
        left => format!("{left} nodes are left."),
    };
    format!("node {name} has ended: {how}. {others} To start it again:\n  {restart}\n")
}
