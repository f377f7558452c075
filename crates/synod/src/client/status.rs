//! `synod status`.

use super::connection::Cluster;
use super::output::Report;
use super::problem::Problem;
use clap::Args;
use serde_json::{Value, json};
use synod_coordination::proto::etcdserverpb::kv_client::KvClient;
use synod_coordination::proto::etcdserverpb::maintenance_client::MaintenanceClient;
use synod_coordination::proto::etcdserverpb::{RangeRequest, StatusRequest, StatusResponse};
use tonic::transport::Channel;

/// Notes for the help.
pub(super) const HELP: &str = "\
Each endpoint is asked for its own view, and for a read that needs the consent of a majority: a
member is `ok` only if that read is answered.

Exit code 3: some endpoint cannot be reached, or cannot answer such a read.";

/// How each of the endpoints is.
#[derive(Args, Clone, Debug)]
pub(crate) struct Status {}

/// What one endpoint says.
struct Health {
    status: StatusResponse,
    read: Result<(), String>,
}

impl Status {
    pub(super) async fn run(self, cluster: &Cluster) -> Result<Report, Problem> {
        let answers = cluster.each(ask).await;
        let healthy = |answer: &Result<Health, Problem>| {
            answer.as_ref().is_ok_and(|health| health.read.is_ok())
        };
        let all_healthy = answers.iter().all(|(_, answer)| healthy(answer));
        let rows: Vec<_> = answers.iter().map(|(address, answer)| row(address, answer)).collect();
        let plain = rows.iter().map(|row| row.join("\t") + "\n").collect::<String>();
        let json = answers.iter().map(|(address, answer)| object(address, answer)).collect();
        Ok(Report {
            plain: plain.into_bytes(),
            columns: COLUMNS.to_vec(),
            rows,
            json: Value::Array(json),
            exit_code: (!all_healthy).then_some(3),
            ..Report::default()
        })
    }
}

async fn ask(channel: Channel) -> Result<Health, tonic::Status> {
    let status = MaintenanceClient::new(channel.clone()).status(StatusRequest {}).await?;
    let read = RangeRequest { key: b"health".as_slice().into(), ..RangeRequest::default() };
    let read = KvClient::new(channel).range(read).await;
    Ok(Health {
        status: status.into_inner(),
        read: read.map(|_| ()).map_err(|status| status.message().to_owned()),
    })
}

const COLUMNS: [&str; 9] =
    ["endpoint", "health", "member", "version", "role", "term", "index", "applied", "bytes"];

fn row(address: &str, answer: &Result<Health, Problem>) -> Vec<String> {
    let health = match answer {
        Ok(health) => health,
        Err(problem) => {
            let mut row = vec![address.to_owned(), problem.to_string()];
            row.resize(COLUMNS.len(), String::new());
            return row;
        }
    };
    let status = &health.status;
    vec![
        address.to_owned(),
        health.read.clone().err().unwrap_or_else(|| "ok".into()),
        format!("{:x}", member(status)),
        status.version.clone(),
        role(status).to_owned(),
        status.raft_term.to_string(),
        status.raft_index.to_string(),
        status.raft_applied_index.to_string(),
        status.db_size.to_string(),
    ]
}

fn object(address: &str, answer: &Result<Health, Problem>) -> Value {
    match answer {
        Ok(Health { status, read }) => json!({
            "endpoint": address,
            "healthy": read.is_ok(),
            "member": format!("{:x}", member(status)),
            "version": status.version,
            "role": role(status),
            "leader": format!("{:x}", status.leader),
            "term": status.raft_term,
            "index": status.raft_index,
            "applied": status.raft_applied_index,
            "database_bytes": status.db_size,
            "database_used_bytes": status.db_size_in_use,
            "errors": status.errors.iter().chain(read.as_ref().err()).collect::<Vec<_>>(),
        }),
        Err(problem) => json!({
            "endpoint": address, "healthy": false, "errors": [problem.to_string()],
        }),
    }
}

fn member(status: &StatusResponse) -> u64 {
    status.header.as_ref().map_or(0, |header| header.member_id)
}

fn role(status: &StatusResponse) -> &'static str {
    match (status.is_learner, status.leader) {
        (true, _) => "learner",
        (false, 0) => "no leader",
        (false, leader) if leader == member(status) => "leader",
        (false, _) => "follower",
    }
}
