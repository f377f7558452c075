//! The real binary: what it says when it starts, and what it refuses to start as.

#![allow(clippy::unwrap_used, reason = "in a test an error is a failure")]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

const SYNOD: &str = env!("CARGO_BIN_EXE_synod");

/// `--flag=value` for a node that listens at free ports.
fn node_arguments(directory: &TempDir) -> Vec<String> {
    let data = directory.path().join("data");
    vec![
        "start".to_owned(),
        format!("--data-dir={}", data.display()),
        "--listen-client-urls=http://127.0.0.1:0".to_owned(),
        "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
        "--exit-with-stdin".to_owned(),
    ]
}

struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Running {
    fn start(arguments: &[String]) -> Self {
        let mut child = Command::new(SYNOD)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The line that begins with `word`, or what went wrong.
    fn line(&mut self, word: &str) -> String {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if line.starts_with(word) {
                return line;
            }
        }
        let mut words = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
        panic!("it ended without saying {word}: {words}");
    }

    /// Closes its stdin and waits for its end.
    fn stop(mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a start ends that is refused. Its stdin is closed, which must not be why it ends.
fn refused(arguments: &[&str]) -> Output {
    let arguments = arguments.iter().filter(|argument| **argument != "--exit-with-stdin");
    Command::new(SYNOD).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn it_says_where_it_listens_and_when_it_serves_and_stops_with_stdin() {
    let directory = tempfile::tempdir().unwrap();
    let mut node = Running::start(&node_arguments(&directory));
    let listening = node.line("listening ");
    let ready = node.line("ready ");
    assert_eq!(listening.strip_prefix("listening "), ready.strip_prefix("ready "));
    assert!(
        ready.contains("client=http://127.0.0.1:") && ready.contains(" peer=http://"),
        "{ready}"
    );
    assert!(!ready.contains(":0 "), "a free port was taken: {ready}");
    assert_eq!(node.stop(), Some(0));
}

#[test]
fn a_second_process_on_the_same_data_is_refused_and_the_first_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = node_arguments(&directory);
    let mut node = Running::start(&arguments);
    node.line("ready ");
    let second = refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(second.status.code(), Some(6));
    let process = format!("process {}", node.child.id());
    let said = text(&second);
    assert!(said.contains(&process) && said.contains("--data-dir"), "{said}");
    assert_eq!(node.stop(), Some(0));
}

#[test]
fn a_taken_port_is_named_with_the_flag_before_any_data_is_touched() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for flag in ["--listen-client-urls", "--listen-peer-urls"] {
        let mut arguments = node_arguments(&directory);
        arguments.retain(|argument| !argument.starts_with(flag));
        arguments.push(format!("{flag}=http://127.0.0.1:{port}"));
        let output = refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(6));
        let said = text(&output);
        assert!(said.contains(&format!("port {port} is taken")) && said.contains(flag), "{said}");
    }
    assert!(!directory.path().join("data").exists());
}

#[test]
fn nothing_listens_beyond_loopback_unless_the_operator_says_so() {
    for command in ["start", "etcd"] {
        let output = refused(&[command, "--listen-peer-urls=http://0.0.0.0:1"]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(text(&output).contains("--insecure"), "{}", text(&output));
    }
}

#[test]
fn called_etcd_it_takes_etcds_flags_and_refuses_what_nobody_knows() {
    let directory = tempfile::tempdir().unwrap();
    let etcd = directory.path().join("etcd");
    std::os::unix::fs::symlink(SYNOD, &etcd).unwrap();
    let unknown = Command::new(&etcd).arg("--no-such-flag").output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown).contains("--no-such-flag"));
    let data = directory.path().join("member");
    let mut child = Command::new(&etcd)
        .args(["-name", "m", "--listen-client-urls", "http://127.0.0.1:0", "--exit-with-stdin"])
        .args(["--listen-peer-urls=http://127.0.0.1:0", "--snapshot-count", "10"])
        .arg(format!("-data-dir={}", data.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut node = Running { child, lines };
    node.line("ready ");
    drop(node.child.stdin.take());
    assert_eq!(node.child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    node.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("--snapshot-count 10 has no effect"), "{said}");
}
