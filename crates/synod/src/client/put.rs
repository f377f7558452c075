//! `synod put`.

use super::connection::Cluster;
use super::output::Report;
use super::problem::{Kind, Problem};
use super::{Global, text};
use clap::Args;
use serde_json::json;
use std::io::Read;
use synod_coordination::proto::etcdserverpb::PutRequest;
use synod_coordination::proto::etcdserverpb::kv_client::KvClient;

/// Examples for the help.
pub(super) const HELP: &str = "\
Examples:
  synod put colour blue
  synod put config < config.toml           the value from standard input
  synod put --lease 694d7b3f service/a up  gone when the lease ends
  synod put --keep-value --lease 0 a       detach from its lease, leave the value";

/// Write a key.
#[derive(Args, Clone, Debug)]
pub(crate) struct Put {
    /// The key
    key: String,
    /// The value; without it, standard input to its end
    value: Option<String>,
    /// Attach the key to this lease; it is deleted when the lease ends
    #[arg(long, value_parser = text::id, value_name = "ID")]
    lease: Option<i64>,
    /// Keep the present value; refused if there is none
    #[arg(long, conflicts_with = "value")]
    keep_value: bool,
    /// Keep the present lease; refused if there is no such key
    #[arg(long, conflicts_with = "lease")]
    keep_lease: bool,
}

impl Put {
    pub(super) async fn run(self, cluster: &Cluster, global: &Global) -> Result<Report, Problem> {
        let request = PutRequest {
            key: text::bytes(&self.key, global.hex)?.into(),
            value: self.value(global.hex)?.into(),
            lease: self.lease.unwrap_or(0),
            prev_kv: false,
            ignore_value: self.keep_value,
            ignore_lease: self.keep_lease,
        };
        let call = |channel| {
            let request = request.clone();
            async move { KvClient::new(channel).put(request).await }
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

    fn value(&self, hex: bool) -> Result<Vec<u8>, Problem> {
        match &self.value {
            Some(value) => text::bytes(value, hex),
            None if self.keep_value => Ok(Vec::new()),
            None => {
                let mut value = Vec::new();
                let read = std::io::stdin().lock().read_to_end(&mut value);
                let wrong = |error| {
                    Problem::Usage(format!("the value cannot be read from standard input: {error}"))
                };
                read.map(|_| value).map_err(wrong)
            }
        }
    }
}
