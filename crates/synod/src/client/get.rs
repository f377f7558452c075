//! `synod get`.

use super::connection::Cluster;
use super::output::Report;
use super::problem::{Kind, Problem};
use super::range::Keys;
use super::{Global, text};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use synod_coordination::proto::etcdserverpb::kv_client::KvClient;
use synod_coordination::proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use synod_coordination::proto::etcdserverpb::{RangeRequest, RangeResponse};
use synod_coordination::proto::mvccpb::KeyValue;

/// Examples for the help.
pub(super) const HELP: &str = "\
Examples:
  synod get colour                    the value, nothing else
  synod get --prefix services/        one key and value a line, a tab between
  synod get --prefix services/ --keys-only --limit 10
  synod get --all --count             how many keys there are
  synod get colour --revision 17      as it was then
  synod get colour -o json            with revisions, version and lease

Exit code 1: there is no such key.";

/// Read a key, or a range of keys.
#[derive(Args, Clone, Debug)]
pub(crate) struct Get {
    #[command(flatten)]
    keys: Keys,
    /// As it was at this revision
    #[arg(long, default_value_t = 0, value_name = "REVISION", hide_default_value = true)]
    revision: i64,
    /// At most this many keys
    #[arg(long, default_value_t = 0, value_name = "COUNT", hide_default_value = true)]
    limit: i64,
    /// Sort by
    #[arg(long, value_enum, default_value_t = Sort::Key)]
    sort: Sort,
    /// The other way round
    #[arg(long)]
    descending: bool,
    /// Only the keys, no values
    #[arg(long, conflicts_with = "count")]
    keys_only: bool,
    /// Only how many keys there are
    #[arg(long)]
    count: bool,
    /// Ask one member for what it knows, without confirming that it is the newest: answers even
    /// when no leader does
    #[arg(long)]
    stale: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Sort {
    Key,
    Version,
    Created,
    Modified,
    Value,
}

impl Get {
    pub(super) async fn run(self, cluster: &Cluster, global: &Global) -> Result<Report, Problem> {
        let request = self.request(global.hex)?;
        let call = |channel| {
            let request = request.clone();
            async move { client(channel).range(request).await }
        };
        let response = cluster.call(Kind::Read, call).await?.into_inner();
        Ok(self.report(&response))
    }

    fn request(&self, hex: bool) -> Result<RangeRequest, Problem> {
        let span = self.keys.span(hex)?;
        let target = match self.sort {
            Sort::Key => SortTarget::Key,
            Sort::Version => SortTarget::Version,
            Sort::Created => SortTarget::Create,
            Sort::Modified => SortTarget::Mod,
            Sort::Value => SortTarget::Value,
        };
        let order = if self.descending { SortOrder::Descend } else { SortOrder::Ascend };
        Ok(RangeRequest {
            key: span.key.into(),
            range_end: span.range_end.into(),
            limit: self.limit,
            revision: self.revision,
            sort_order: order.into(),
            sort_target: target.into(),
            serializable: self.stale,
            keys_only: self.keys_only,
            count_only: self.count,
            ..RangeRequest::default()
        })
    }

    fn report(&self, response: &RangeResponse) -> Report {
        let negative = !self.count && response.kvs.is_empty();
        if self.count {
            let count = response.count;
            return Report {
                plain: format!("{count}\n").into_bytes(),
                columns: vec!["count"],
                rows: vec![vec![count.to_string()]],
                json: answer(response),
                negative,
                ..Report::default()
            };
        }
        let line = |kv: &KeyValue| match (self.keys.is_single(), self.keys_only) {
            (_, true) => [&kv.key[..], b"\n"].concat(),
            (true, false) => [&kv.value[..], b"\n"].concat(),
            (false, false) => [&kv.key[..], b"\t", &kv.value, b"\n"].concat(),
        };
        Report {
            plain: response.kvs.iter().flat_map(line).collect(),
            columns: COLUMNS.to_vec(),
            rows: response.kvs.iter().map(row).collect(),
            json: answer(response),
            negative,
            ..Report::default()
        }
    }
}

/// A client that takes answers of any size: the caller asked for them.
pub(super) fn client(channel: tonic::transport::Channel) -> KvClient<tonic::transport::Channel> {
    KvClient::new(channel).max_decoding_message_size(usize::MAX)
}

/// The headings of a table of keys.
pub(super) const COLUMNS: [&str; 6] = ["key", "value", "version", "created", "modified", "lease"];

/// A key as a row of a table.
pub(super) fn row(kv: &KeyValue) -> Vec<String> {
    vec![
        text::readable(&kv.key),
        text::readable(&kv.value),
        kv.version.to_string(),
        kv.create_revision.to_string(),
        kv.mod_revision.to_string(),
        lease(kv.lease).unwrap_or_default(),
    ]
}

/// A key as a JSON object.
pub(super) fn object(kv: &KeyValue) -> Value {
    let mut object = Map::new();
    text::put(&mut object, "key", &kv.key);
    text::put(&mut object, "value", &kv.value);
    object.insert("version".into(), kv.version.into());
    object.insert("create_revision".into(), kv.create_revision.into());
    object.insert("mod_revision".into(), kv.mod_revision.into());
    if let Some(lease) = lease(kv.lease) {
        object.insert("lease".into(), lease.into());
    }
    Value::Object(object)
}

/// The answer to a read as a JSON object.
pub(super) fn answer(response: &RangeResponse) -> Value {
    let revision = response.header.as_ref().map_or(0, |header| header.revision);
    let keys: Vec<Value> = response.kvs.iter().map(object).collect();
    json!({ "revision": revision, "count": response.count, "more": response.more, "keys": keys })
}

fn lease(id: i64) -> Option<String> {
    (id != 0).then(|| format!("{id:x}"))
}
