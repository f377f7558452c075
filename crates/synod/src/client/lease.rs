//! `synod lease`.

use super::connection::Cluster;
use super::output::{Format, Report, write};
use super::problem::{Kind, Problem};
use super::{Global, text};
use clap::Subcommand;
use serde_json::{Value, json};
use std::time::Duration;
use synod_coordination::proto::etcdserverpb::lease_client::LeaseClient;
use synod_coordination::proto::etcdserverpb::{
    LeaseGrantRequest, LeaseKeepAliveRequest, LeaseLeasesRequest, LeaseRevokeRequest,
    LeaseTimeToLiveRequest,
};
use tonic::transport::Channel;
use tonic::{Code, Status};

/// Keys that live as long as somebody renews them.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Lease {
    /// Create a lease; prints its id
    #[command(
        after_help = "Example:\n  id=$(synod lease grant 30) && synod put --lease $id up yes"
    )]
    Grant {
        /// How long it lives without being renewed, in seconds; short ones are lengthened
        ttl: i64,
        /// An id of your own choice, in hexadecimal
        #[arg(long, value_parser = text::id, value_name = "ID", default_value = "0", hide_default_value = true)]
        id: i64,
    },
    /// End a lease now; the keys attached to it are deleted
    Revoke {
        /// The lease
        #[arg(value_parser = text::id)]
        id: i64,
    },
    /// Renew a lease, again and again, until interrupted or until it is gone (exit code 1)
    KeepAlive {
        /// The lease
        #[arg(value_parser = text::id)]
        id: i64,
        /// Renew once and end
        #[arg(long)]
        once: bool,
    },
    /// How long a lease still has; exit code 1 if there is no such lease
    Ttl {
        /// The lease
        #[arg(value_parser = text::id)]
        id: i64,
        /// Also the keys attached to it
        #[arg(long)]
        keys: bool,
    },
    /// All leases
    List,
}

impl Lease {
    pub(super) async fn run(self, cluster: &Cluster, global: &Global) -> Result<Report, Problem> {
        match self {
            Self::Grant { ttl, id } => grant(cluster, ttl, id).await,
            Self::Revoke { id } => revoke(cluster, id).await,
            Self::KeepAlive { id, once: true } => renew_once(cluster, id).await,
            Self::KeepAlive { id, once: false } => keep_alive(cluster, id, global.output).await,
            Self::Ttl { id, keys } => time_to_live(cluster, id, keys).await,
            Self::List => list(cluster).await,
        }
    }
}

async fn grant(cluster: &Cluster, ttl: i64, id: i64) -> Result<Report, Problem> {
    let call = |channel| async move {
        LeaseClient::new(channel).lease_grant(LeaseGrantRequest { ttl, id }).await
    };
    let response = cluster.call(Kind::Write, call).await?.into_inner();
    let id = format!("{:x}", response.id);
    Ok(Report {
        plain: format!("{id}\n").into_bytes(),
        columns: vec!["lease", "ttl"],
        rows: vec![vec![id.clone(), response.ttl.to_string()]],
        json: json!({ "lease": id, "ttl_seconds": response.ttl }),
        ..Report::default()
    })
}

async fn revoke(cluster: &Cluster, id: i64) -> Result<Report, Problem> {
    let call = |channel| async move {
        LeaseClient::new(channel).lease_revoke(LeaseRevokeRequest { id }).await
    };
    let response = cluster.call(Kind::Write, call).await?.into_inner();
    let revision = response.header.unwrap_or_default().revision;
    Ok(Report {
        columns: vec!["revision"],
        rows: vec![vec![revision.to_string()]],
        json: json!({ "revision": revision }),
        ..Report::default()
    })
}

/// One renewal, and its time to live in seconds: 0 if the lease is gone. Renewing twice does no
/// harm, so that it may be tried at every member.
async fn renew(cluster: &Cluster, id: i64) -> Result<i64, Problem> {
    let call = |channel: Channel| async move {
        let requests = tokio_stream::iter([LeaseKeepAliveRequest { id }]);
        let mut answers = LeaseClient::new(channel).lease_keep_alive(requests).await?.into_inner();
        let answer = answers.message().await?;
        answer.ok_or_else(|| Status::new(Code::Unavailable, "the member ended the renewals"))
    };
    cluster.call(Kind::Read, call).await.map(|answer| answer.ttl)
}

async fn renew_once(cluster: &Cluster, id: i64) -> Result<Report, Problem> {
    Ok(renewed(id, renew(cluster, id).await?))
}

fn renewed(id: i64, ttl: i64) -> Report {
    let id = format!("{id:x}");
    Report {
        plain: format!("{ttl}\n").into_bytes(),
        columns: vec!["lease", "ttl"],
        rows: vec![vec![id.clone(), ttl.to_string()]],
        json: json!({ "lease": id, "ttl_seconds": ttl }),
        negative: ttl <= 0,
        ..Report::default()
    }
}

/// Renews three times within the time to live; while no member answers, as long as the lease may
/// still live.
async fn keep_alive(cluster: &Cluster, id: i64, format: Format) -> Result<Report, Problem> {
    let mut deadline = None;
    loop {
        let asked = tokio::time::Instant::now();
        let pause = match renew(cluster, id).await {
            Ok(ttl) if ttl <= 0 => return Ok(renewed(id, ttl)),
            Ok(ttl) => {
                if write(&renewed(id, ttl).render(format)).is_err() {
                    return Ok(Report::default());
                }
                let ttl = Duration::from_secs(ttl.unsigned_abs());
                deadline = Some(asked + ttl);
                ttl / 3
            }
            Err(Problem::Unavailable(reason)) if deadline.is_some_and(|end| asked < end) => {
                eprintln!("synod: not renewed: {reason}; trying on");
                Duration::from_millis(500)
            }
            Err(problem) => return Err(problem),
        };
        tokio::time::sleep(pause).await;
    }
}

async fn time_to_live(cluster: &Cluster, id: i64, keys: bool) -> Result<Report, Problem> {
    let call = |channel| async move {
        LeaseClient::new(channel)
            .max_decoding_message_size(usize::MAX)
            .lease_time_to_live(LeaseTimeToLiveRequest { id, keys })
            .await
    };
    let response = cluster.call(Kind::Read, call).await?.into_inner();
    let gone = response.ttl < 0;
    let keys: Vec<String> = response.keys.iter().map(|key| text::readable(key)).collect();
    let id = format!("{id:x}");
    let mut plain = if gone { String::new() } else { format!("{}\n", response.ttl) };
    plain.extend(keys.iter().map(|key| format!("{key}\n")));
    let (ttl, granted) = (response.ttl, response.granted_ttl);
    let row = vec![id.clone(), ttl.to_string(), granted.to_string(), keys.join(" ")];
    Ok(Report {
        plain: plain.into_bytes(),
        columns: vec!["lease", "ttl", "granted", "keys"],
        rows: if gone { Vec::new() } else { vec![row] },
        json: if gone {
            json!({ "lease": id, "exists": false })
        } else {
            json!({ "lease": id, "exists": true, "ttl_seconds": ttl, "granted_seconds": granted, "keys": keys })
        },
        negative: gone,
        ..Report::default()
    })
}

async fn list(cluster: &Cluster) -> Result<Report, Problem> {
    let call = |channel| async move {
        LeaseClient::new(channel)
            .max_decoding_message_size(usize::MAX)
            .lease_leases(LeaseLeasesRequest {})
            .await
    };
    let response = cluster.call(Kind::Read, call).await?.into_inner();
    let ids: Vec<String> = response.leases.iter().map(|lease| format!("{:x}", lease.id)).collect();
    Ok(Report {
        plain: ids.iter().map(|id| format!("{id}\n")).collect::<String>().into_bytes(),
        columns: vec!["lease"],
        rows: ids.iter().map(|id| vec![id.clone()]).collect(),
        json: json!({ "leases": ids.into_iter().map(Value::from).collect::<Vec<_>>() }),
        ..Report::default()
    })
}
