//! Every command against a face on loopback, from the command line's text to the exit code.

use super::connection::Cluster;
use super::output::{Format, Report};
use super::problem::Problem;
use super::{Command, Global, dispatch};
use clap::Parser;
use serde_json::Value;
use std::time::Duration;
use synod_coordination::backend::{Failure, Refused, Unknown};
use synod_coordination::memory::MemoryBackend;
use synod_coordination::{Limits, serve};
use tokio::net::TcpListener;

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// A face on loopback, and what a shell would know of it.
struct Shell {
    backend: MemoryBackend,
    endpoint: String,
}

impl Shell {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = listener.local_addr().unwrap().to_string();
        let backend = MemoryBackend::start();
        let serving = serve(listener, backend.clone(), Limits::default(), std::future::pending());
        tokio::spawn(serving);
        Self { backend, endpoint }
    }

    async fn run(&self, arguments: &[&str]) -> Result<Report, Problem> {
        run_at(&self.endpoint, arguments).await
    }

    /// What is printed as `plain`, and the exit code.
    async fn plain(&self, arguments: &[&str]) -> (String, u8) {
        outcome(self.run(arguments).await)
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_slice(&self.run(arguments).await.unwrap().render(Format::Json)).unwrap()
    }
}

async fn run_at(endpoints: &str, arguments: &[&str]) -> Result<Report, Problem> {
    let line = [&["synod", "--endpoints", endpoints], arguments].concat();
    let line = CommandLine::try_parse_from(line).unwrap();
    dispatch(line.command, &line.global).await
}

fn outcome(result: Result<Report, Problem>) -> (String, u8) {
    match result {
        Ok(report) => {
            let text = String::from_utf8(report.render(Format::Plain)).unwrap();
            (text, report.exit_code.unwrap_or(u8::from(report.negative)))
        }
        Err(problem) => (problem.to_string(), problem.exit_code()),
    }
}

fn said(text: &str, code: u8) -> (String, u8) {
    (text.to_owned(), code)
}

#[tokio::test]
async fn keys_are_put_got_and_deleted() {
    let shell = Shell::start().await;
    assert_eq!(shell.plain(&["put", "a", "1"]).await, said("", 0));
    assert_eq!(shell.plain(&["put", "a/b", "2"]).await, said("", 0));
    assert_eq!(shell.plain(&["get", "a"]).await, said("1\n", 0));
    assert_eq!(shell.plain(&["get", "--prefix", "a"]).await, said("a\t1\na/b\t2\n", 0));
    assert_eq!(shell.plain(&["get", "a", "a0", "--keys-only"]).await, said("a\na/b\n", 0));
    assert_eq!(shell.plain(&["get", "--all", "--count"]).await, said("2\n", 0));
    assert_eq!(shell.plain(&["get", "missing"]).await, said("", 1));
    assert_eq!(shell.plain(&["get", "a", "--revision", "1"]).await, said("", 1));
    assert_eq!(shell.plain(&["get", "a", "--revision", "99"]).await.1, 5);
    assert_eq!(shell.plain(&["--hex", "put", "ff00", "fe"]).await, said("", 0));
    let json = shell.json(&["--hex", "get", "ff00"]).await;
    assert_eq!(
        (&json["keys"][0]["key_hex"], &json["keys"][0]["value_hex"]),
        (&"ff00".into(), &"fe".into())
    );
    assert_eq!(shell.plain(&["del", "--prefix", "a"]).await, said("2\n", 0));
    assert_eq!(shell.plain(&["del", "--prefix", "a"]).await, said("0\n", 1));
}

#[tokio::test]
async fn an_order_and_a_limit_are_obeyed() {
    let shell = Shell::start().await;
    for (key, value) in [("a", "3"), ("b", "1"), ("c", "2")] {
        shell.run(&["put", key, value]).await.unwrap();
    }
    let sorted = shell.plain(&["get", "--all", "--sort", "value", "--limit", "2"]).await;
    assert_eq!(sorted, said("b\t1\nc\t2\n", 0));
    let reversed = shell.plain(&["get", "--all", "--descending", "--keys-only"]).await;
    assert_eq!(reversed, said("c\nb\na\n", 0));
}

#[tokio::test]
async fn a_transaction_takes_one_branch_and_says_which() {
    let shell = Shell::start().await;
    let lock = ["txn", "--if", "version(lock) = 0", "--then", "put lock me", "--else", "get lock"];
    assert_eq!(shell.plain(&lock).await, said("", 0));
    assert_eq!(shell.plain(&lock).await, said("lock\tme\n", 1));
    let json = shell.json(&lock).await;
    assert_eq!(json["succeeded"], false);
    assert_eq!(json["answers"][0]["get"]["keys"][0]["value"], "me");
    assert_eq!(shell.plain(&["txn", "--if", "lock = 0"]).await.1, 2);
}

#[tokio::test]
async fn a_lease_is_granted_renewed_and_ended() {
    let shell = Shell::start().await;
    assert_eq!(shell.plain(&["lease", "grant", "60", "--id", "4d"]).await, said("4d\n", 0));
    assert_eq!(shell.plain(&["lease", "grant", "60", "--id", "4d"]).await.1, 5);
    assert_eq!(shell.plain(&["put", "a", "1", "--lease", "4d"]).await, said("", 0));
    assert_eq!(shell.plain(&["lease", "keep-alive", "4d", "--once"]).await, said("60\n", 0));
    let json = shell.json(&["lease", "ttl", "4d", "--keys"]).await;
    assert_eq!((&json["granted_seconds"], &json["keys"][0]), (&60.into(), &"a".into()));
    assert_eq!(shell.plain(&["lease", "list"]).await, said("4d\n", 0));
    assert_eq!(shell.plain(&["lease", "revoke", "4d"]).await, said("", 0));
    assert_eq!(shell.plain(&["get", "a"]).await, said("", 1));
    assert_eq!(shell.plain(&["lease", "ttl", "4d"]).await, said("", 1));
    assert_eq!(shell.plain(&["lease", "keep-alive", "4d"]).await, said("0\n", 1));
}

#[tokio::test]
async fn a_watch_ends_after_the_events_that_were_asked_for() {
    let shell = Shell::start().await;
    shell.run(&["put", "a", "1"]).await.unwrap();
    shell.run(&["del", "a"]).await.unwrap();
    assert_eq!(shell.plain(&["watch", "a", "--from", "1", "--events", "2"]).await, said("", 0));
    assert_eq!(shell.plain(&["watch", "b", "a", "--events", "1"]).await.1, 5);
}

#[tokio::test]
async fn status_and_members_are_shown() {
    let shell = Shell::start().await;
    let (status, code) = shell.plain(&["status"]).await;
    assert!(status.starts_with(&format!("{}\tok\t5d0d\t3.5.", shell.endpoint)) && code == 0);
    assert!(shell.plain(&["member", "list"]).await.0.starts_with("5d0d\tmemory\tvoter\t"));
    shell.backend.fail_with(Some(Failure::Refused(Refused::NoLeader)));
    let (status, code) = shell.plain(&["status"]).await;
    assert!(status.contains("etcdserver: no leader") && code == 3);
}

#[tokio::test]
async fn exit_codes_tell_refused_unavailable_and_unknown_apart() {
    let shell = Shell::start().await;
    let cases = [
        (Failure::Refused(Refused::NoLeader), 3, 3),
        (Failure::Refused(Refused::DiskFull), 5, 5),
        (Failure::Unknown(Unknown::Timeout), 4, 3),
        (Failure::Fatal("the disk is gone".into()), 4, 3),
    ];
    for (failure, write, read) in cases {
        shell.backend.fail_with(Some(failure.clone()));
        assert_eq!(shell.plain(&["put", "a", "1"]).await.1, write, "{failure:?}");
        assert_eq!(shell.plain(&["get", "a"]).await.1, read, "{failure:?}");
    }
}

#[tokio::test]
async fn a_write_goes_on_only_from_a_member_that_was_never_reached() {
    let (first, second) = (Shell::start().await, Shell::start().await);
    let nobody = "127.0.0.1:1";
    let elsewhere = format!("{nobody},{}", second.endpoint);
    assert_eq!(outcome(run_at(&elsewhere, &["put", "a", "1"]).await), said("", 0));
    assert_eq!(outcome(run_at(nobody, &["put", "a", "1"]).await).1, 3);
    let both = format!("{},{}", first.endpoint, second.endpoint);
    first.backend.fail_with(Some(Failure::Unknown(Unknown::LeaderLost)));
    assert_eq!(outcome(run_at(&both, &["put", "b", "1"]).await).1, 4);
    assert_eq!(second.plain(&["get", "b"]).await, said("", 1), "the write was not sent again");
    assert_eq!(outcome(run_at(&both, &["get", "a"]).await), said("1\n", 0), "the read was");
}

#[tokio::test]
async fn a_member_that_never_answers_leaves_a_write_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    // It takes the connection and says nothing: the write may be on its way to a log.
    let silent = tokio::spawn(async move { listener.accept().await.unwrap() });
    let result = run_at(&endpoint, &["--timeout", "0.2", "put", "a", "1"]).await;
    let connected = silent.await.unwrap();
    assert_eq!(outcome(result).1, 4);
    drop(connected);
}

#[test]
fn wrong_arguments_are_found_before_anything_is_connected() {
    let parse = |line: &[&str]| CommandLine::try_parse_from([&["synod"], line].concat()).is_ok();
    assert!(!parse(&["get"]));
    assert!(!parse(&["get", "a", "--prefix", "--all"]));
    assert!(!parse(&["--timeout", "0", "get", "a"]));
    assert!(!parse(&["lease", "revoke", "xyz"]));
    assert!(parse(&["-o", "json", "get", "--all"]));
    let global = |endpoints: &str| {
        CommandLine::try_parse_from(["synod", "--endpoints", endpoints, "status"]).unwrap().global
    };
    assert!(Cluster::new(&global("https://a:1")).is_err());
    assert!(Cluster::new(&global("http://a:1,b:2")).is_ok());
    assert_eq!(global("a:1").timeout, Duration::from_secs(5));
}
