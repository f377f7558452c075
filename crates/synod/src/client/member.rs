//! `synod member`.

use super::connection::Cluster;
use super::output::Report;
use super::problem::{Kind, Problem};
use clap::Subcommand;
use serde_json::{Value, json};
use synod_coordination::proto::etcdserverpb::MemberListRequest;
use synod_coordination::proto::etcdserverpb::cluster_client::ClusterClient;

/// Who belongs to the cluster.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Member {
    /// All members: id, name, addresses, whether they vote
    List,
}

impl Member {
    pub(super) async fn run(self, cluster: &Cluster) -> Result<Report, Problem> {
        match self {
            Self::List => list(cluster).await,
        }
    }
}

async fn list(cluster: &Cluster) -> Result<Report, Problem> {
    let call = |channel| async move {
        ClusterClient::new(channel).member_list(MemberListRequest { linearizable: true }).await
    };
    let members = cluster.call(Kind::Read, call).await?.into_inner().members;
    let rows: Vec<Vec<String>> = members
        .iter()
        .map(|member| {
            let role = if member.is_learner { "learner" } else { "voter" };
            let urls = [member.peer_ur_ls.join(","), member.client_ur_ls.join(",")];
            let [peers, clients] = urls;
            vec![format!("{:x}", member.id), member.name.clone(), role.into(), peers, clients]
        })
        .collect();
    let object = |member: &synod_coordination::proto::etcdserverpb::Member| {
        json!({
            "member": format!("{:x}", member.id),
            "name": member.name,
            "learner": member.is_learner,
            "peer_urls": member.peer_ur_ls,
            "client_urls": member.client_ur_ls,
        })
    };
    Ok(Report {
        plain: rows.iter().map(|row| row.join("\t") + "\n").collect::<String>().into_bytes(),
        columns: vec!["member", "name", "role", "peers", "clients"],
        json: json!({ "members": members.iter().map(object).collect::<Vec<Value>>() }),
        rows,
        ..Report::default()
    })
}
