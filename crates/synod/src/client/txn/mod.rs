//! `synod txn`: conditions and operations in a small language of one argument each.

mod parse;
mod token;

use super::connection::Cluster;
use super::output::Report;
use super::problem::{Kind, Problem};
use super::{get, text};
use clap::Args;
use serde_json::{Value, json};
use synod_coordination::proto::etcdserverpb::response_op::Response;
use synod_coordination::proto::etcdserverpb::{ResponseOp, TxnRequest, TxnResponse};

/// Examples for the help.
pub(super) const HELP: &str = "\
Conditions compare version, created, modified, value or lease of a key with =, !=, < or >:
  version(a) = 0        the key does not exist
  modified(a) = 17      nobody wrote it since revision 17
  value(a) != \"two words\"
Operations:
  get KEY [--prefix]    put KEY VALUE [--lease ID]    del KEY [--prefix]
Words with spaces, quotes, brackets or operators in them stand in double quotes, where \\\" \\\\ \\n
\\t and \\xNN mean what they usually do.

Examples:
  synod txn --if 'version(lock) = 0' --then 'put lock me' --else 'get lock'
  synod txn --if 'value(a) = 1' --if 'value(b) = 1' --then 'put a 2' --then 'put b 2'

Prints the answers of the branch that was taken. Exit code 1: the conditions did not hold, and the
--else operations were done.";

/// If conditions hold do some operations, else do others; all or nothing.
#[derive(Args, Clone, Debug)]
pub(crate) struct Txn {
    /// A condition; all must hold
    #[arg(long = "if", value_name = "CONDITION")]
    conditions: Vec<String>,
    /// An operation to do if they do
    #[arg(long = "then", value_name = "OPERATION")]
    success: Vec<String>,
    /// An operation to do if they do not
    #[arg(long = "else", value_name = "OPERATION")]
    failure: Vec<String>,
}

impl Txn {
    pub(super) async fn run(self, cluster: &Cluster) -> Result<Report, Problem> {
        let request = self.request()?;
        let call = |channel| {
            let request = request.clone();
            async move { get::client(channel).txn(request).await }
        };
        // A transaction that only reads would be a read, but nobody sends one through here.
        let response = cluster.call(Kind::Write, call).await?.into_inner();
        Ok(report(&response))
    }

    fn request(&self) -> Result<TxnRequest, Problem> {
        let operations = |texts: &[String]| {
            texts.iter().map(|text| parse::operation(text)).collect::<Result<Vec<_>, _>>()
        };
        let compare = self.conditions.iter().map(|text| parse::condition(text));
        Ok(TxnRequest {
            compare: compare.collect::<Result<_, _>>()?,
            success: operations(&self.success)?,
            failure: operations(&self.failure)?,
        })
    }
}

fn report(response: &TxnResponse) -> Report {
    let revision = response.header.as_ref().map_or(0, |header| header.revision);
    let answers: Vec<Answer> = response.responses.iter().map(Answer::of).collect();
    Report {
        plain: answers.iter().flat_map(|answer| answer.plain.clone()).collect(),
        columns: vec!["operation", "answer"],
        rows: answers.iter().flat_map(|answer| answer.rows.clone()).collect(),
        json: json!({
            "succeeded": response.succeeded,
            "revision": revision,
            "answers": answers.iter().map(|answer| answer.json.clone()).collect::<Vec<_>>(),
        }),
        negative: !response.succeeded,
        ..Report::default()
    }
}

/// The answer of one operation, in each format.
struct Answer {
    plain: Vec<u8>,
    rows: Vec<Vec<String>>,
    json: Value,
}

impl Answer {
    fn of(response: &ResponseOp) -> Self {
        match &response.response {
            Some(Response::ResponseRange(range)) => Self {
                plain: range
                    .kvs
                    .iter()
                    .flat_map(|kv| [&kv.key[..], b"\t", &kv.value, b"\n"].concat())
                    .collect(),
                rows: range
                    .kvs
                    .iter()
                    .map(|kv| text::readable(&kv.key) + " = " + &text::readable(&kv.value))
                    .map(|answer| vec!["get".into(), answer])
                    .collect(),
                json: json!({ "get": get::answer(range) }),
            },
            Some(Response::ResponsePut(_)) => Self::said("put", "done".into(), json!({})),
            Some(Response::ResponseDeleteRange(delete)) => Self::said(
                "del",
                format!("{} deleted", delete.deleted),
                json!({ "deleted": delete.deleted }),
            ),
            // Neither is asked for by any operation of the language.
            Some(Response::ResponseTxn(_)) | None => Self::said("?", String::new(), json!({})),
        }
    }

    fn said(operation: &str, answer: String, json: Value) -> Self {
        Self {
            plain: Vec::new(),
            rows: vec![vec![operation.into(), answer]],
            json: json!({ operation: json }),
        }
    }
}
