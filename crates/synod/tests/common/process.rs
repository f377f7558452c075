//! One process of the real binary.

use super::PATIENCE;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};

/// The binary under test.
pub const SYNOD: &str = env!("CARGO_BIN_EXE_synod");

/// A running process. It ends with this value; and as it watches its stdin, it also ends when the
/// test's process is killed.
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    /// What it prints on stdout; closed when it has ended.
    lines: Receiver<String>,
    log: PathBuf,
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Everything that it wrote to stderr, in this run and those before it.
    pub said: String,
}

impl Process {
    /// Starts it with what it says on stderr appended to `log`.
    pub fn start(arguments: &[String], log: &Path) -> Self {
        let stderr = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut child = command(arguments, stderr).spawn().unwrap();
        let stdin = child.stdin.take();
        let lines = follow(child.stdout.take().unwrap());
        Self { child, stdin, lines, log: log.to_owned() }
    }

    /// Waits until it prints a line that begins with `word`.
    pub fn wait_for(&self, word: &str) -> String {
        match self.wait_for_or_end(word) {
            Some(line) => line,
            None => panic!("it ended without saying {word}: {}", self.said()),
        }
    }

    /// The same; none if it ends without.
    pub fn wait_for_or_end(&self, word: &str) -> Option<String> {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with(word) => return Some(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("it does not say {word}: {}", self.said())
                }
            }
        }
    }

    /// Ends it as a power switch would: SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(mut self) -> Ended {
        self.stdin = None;
        self.end()
    }

    /// Waits until it ends by itself.
    pub fn end(mut self) -> Ended {
        assert!(self.wait_for_or_end("\n").is_none(), "a line holds no end of line");
        let code = self.child.wait().unwrap().code();
        Ended { code, said: self.said() }
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it wrote to stderr.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &[String], stderr: File) -> Command {
    let mut command = Command::new(SYNOD);
    command.args(arguments).arg("--exit-with-stdin");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
    command
}

fn follow(stdout: ChildStdout) -> Receiver<String> {
    // A node prints two lines; nothing else is to be expected, however long it runs.
    let (sender, receiver) = mpsc::sync_channel(16);
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Nobody may be waiting any more.
            let _ = sender.send(line);
        }
    });
    receiver
}
