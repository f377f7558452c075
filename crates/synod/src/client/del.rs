//! `synod del`.

use super::Global;
use super::connection::Cluster;
use super::output::Report;
use super::problem::{Kind, Problem};
use super::range::Keys;
use clap::Args;
use serde_json::json;
use synod_coordination::proto::etcdserverpb::DeleteRangeRequest;
use synod_coordination::proto::etcdserverpb::kv_client::KvClient;

/// Examples for the help.
pub(super) const HELP: &str = "\
Examples:
  synod del colour
  synod del --prefix services/     prints how many keys are gone

Exit code 1: there was nothing to delete.";

/// Delete a key, or a range of keys.
#[derive(Args, Clone, Debug)]
pub(crate) struct Del {
    #[command(flatten)]
    keys: Keys,
}

impl Del {
    pub(super) async fn run(self, cluster: &Cluster, global: &Global) -> Result<Report, Problem> {
        let span = self.keys.span(global.hex)?;
        let request = DeleteRangeRequest {
            key: span.key.into(),
            range_end: span.range_end.into(),
            prev_kv: false,
        };
        let call = |channel| {
            let request = request.clone();
            async move { KvClient::new(channel).delete_range(request).await }
        };
        let response = cluster.call(Kind::Write, call).await?.into_inner();
        let revision = response.header.unwrap_or_default().revision;
        let deleted = response.deleted;
        Ok(Report {
            plain: format!("{deleted}\n").into_bytes(),
            columns: vec!["deleted", "revision"],
            rows: vec![vec![deleted.to_string(), revision.to_string()]],
            json: json!({ "deleted": deleted, "revision": revision }),
            negative: deleted == 0,
            ..Report::default()
        })
    }
}
