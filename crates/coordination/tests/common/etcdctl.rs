//! Runs the real `etcdctl` and writes down what it prints, without what differs between any two
//! servers.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// Where `etcdctl` is, if it is installed.
const PROGRAM: &str = "/usr/bin/etcdctl";

pub struct Etcdctl {
    endpoint: String,
    text: String,
}

impl Etcdctl {
    pub fn new(endpoint: &str) -> Self {
        Self { endpoint: endpoint.trim_start_matches("http://").to_owned(), text: String::new() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.env_clear().env("ETCDCTL_API", "3");
        command.args(["--endpoints", &self.endpoint]).args(arguments);
        command
    }

    /// Runs a command to its end and gives what it printed, and its exit code.
    pub fn output(&self, arguments: &[&str], input: &str) -> (String, Option<i32>) {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8(text).unwrap(), output.status.code())
    }

    /// Runs a command to its end and writes down what it printed.
    pub fn run(&mut self, line: &str) {
        self.run_with(line, "");
    }

    /// The same, with something on its standard input.
    pub fn run_with(&mut self, line: &str, input: &str) {
        let arguments: Vec<&str> = line.split(' ').collect();
        let (output, code) = self.output(&arguments, input);
        self.say(line, &output, code);
    }

    /// Starts a command that does not end by itself, and waits for its first lines.
    pub fn watch(&self, line: &str) -> Watching {
        let arguments: Vec<&str> = line.split(' ').collect();
        let mut child =
            self.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Watching { child, output, line: line.to_owned() }
    }

    /// Writes down what a command printed.
    pub fn say(&mut self, line: &str, output: &str, code: Option<i32>) {
        let output = self.normalise(output);
        let code = code.map_or_else(|| "killed".to_owned(), |code| code.to_string());
        self.text.push_str(&format!("$ etcdctl {line}\n{output}[{code}]\n\n"));
    }

    /// Times and addresses differ from run to run. etcdctl also logs to standard error, with a time.
    fn normalise(&self, output: &str) -> String {
        let line = |line: &str| {
            let line = line.replace(&self.endpoint, "ENDPOINT");
            let line = line.split(" took = ").next().unwrap_or_default().to_owned();
            match line.split_once("\"msg\"").or(line.split_once("retry_interceptor.go")) {
                Some(_) => String::new(),
                None => line + "\n",
            }
        };
        output.lines().map(line).collect()
    }

    pub fn finish(self) -> String {
        self.text
    }
}

/// A running `etcdctl`.
pub struct Watching {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    line: String,
}

impl Watching {
    /// Waits for so many lines, ends it, and writes them down.
    pub fn take(mut self, lines: usize, etcdctl: &mut Etcdctl) {
        let mut text = String::new();
        for _ in 0..lines {
            self.output.read_line(&mut text).unwrap();
        }
        etcdctl.say(&self.line, &text, None);
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
