//! The client side of the command line: `synod put`, `get`, `del`, `txn`, `watch`, `lease`,
//! `status`, `member`.
//!
//! It speaks the etcd protocol, to Synod or to etcd, over the clients generated in
//! [`synod_coordination::proto`]. A write is sent at most once; what happened is in the exit code
//! ([`problem::Problem`]). What is printed is decided in [`output`], from plain data.

mod connection;
mod del;
mod get;
mod lease;
mod member;
mod output;
mod problem;
mod put;
mod range;
mod status;
mod text;
mod txn;
mod watch;

#[cfg(test)]
mod tests;

use clap::{Args, Subcommand};
use connection::Cluster;
use output::{Format, Report};
use problem::Problem;
use std::process::ExitCode;
use std::time::Duration;

/// What every client command understands.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Members to talk to, separated by commas. The next one is tried when a connection could not
    /// be made, and for reads also when a member cannot answer. A write is never sent twice.
    #[arg(
        long,
        global = true,
        env = "SYNOD_ENDPOINTS",
        default_value = "127.0.0.1:2379",
        value_delimiter = ',',
        value_name = "HOST:PORT"
    )]
    pub(crate) endpoints: Vec<String>,

    /// How to print: `plain` for people and pipes, `table` for people, `json` for programs.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Plain)]
    pub(crate) output: Format,

    /// How long to wait for an answer, in seconds. A write that is not answered by then may or may
    /// not have been done: exit code 4.
    #[arg(long, global = true, default_value = "5", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// Keys and values in the arguments are hexadecimal.
    #[arg(long, global = true)]
    pub(crate) hex: bool,
}

/// The client commands.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Command {
    /// Write a key
    #[command(after_help = put::HELP)]
    Put(put::Put),
    /// Read a key, or a range of keys
    #[command(after_help = get::HELP)]
    Get(get::Get),
    /// Delete a key, or a range of keys
    #[command(after_help = del::HELP)]
    Del(del::Del),
    /// If conditions hold do some operations, else do others; all or nothing
    #[command(after_help = txn::HELP)]
    Txn(txn::Txn),
    /// Follow the changes of a key, or of a range of keys
    #[command(after_help = watch::HELP)]
    Watch(watch::Watch),
    /// Keys that live as long as somebody renews them
    #[command(subcommand)]
    Lease(lease::Lease),
    /// How each of the endpoints is
    #[command(after_help = status::HELP)]
    Status(status::Status),
    /// Who belongs to the cluster
    #[command(subcommand)]
    Member(member::Member),
}

/// The exit codes, for the help of the whole program.
pub(crate) const EXIT_CODES: &str = "\
Exit codes of the client commands:
  0  done
  1  done, and the answer is no: no such key or lease, nothing deleted, the conditions did not hold
  2  the command line is wrong
  3  no member could answer; nothing was written
  4  the outcome is not known: the write may or may not have been done. Look before trying again
  5  refused: nothing was written; the message says why";

/// Carries out one client command and prints what came of it.
#[must_use]
pub(crate) fn run(command: Command, global: Global) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(command, &global)),
        Err(error) => {
            Err(Problem::Usage(format!("cannot start: {error}; is this process limited?")))
        }
    };
    match outcome {
        Ok(report) => report.print(global.output),
        Err(problem) => problem.print(global.output),
    }
}

async fn dispatch(command: Command, global: &Global) -> Result<Report, Problem> {
    let cluster = Cluster::new(global)?;
    match command {
        Command::Put(command) => command.run(&cluster, global).await,
        Command::Get(command) => command.run(&cluster, global).await,
        Command::Del(command) => command.run(&cluster, global).await,
        Command::Txn(command) => command.run(&cluster).await,
        Command::Watch(command) => command.run(&cluster, global).await,
        Command::Lease(command) => command.run(&cluster, global).await,
        Command::Status(command) => command.run(&cluster).await,
        Command::Member(command) => command.run(&cluster).await,
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("`{text}` is not a number of seconds"))?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(format!("`{text}` is not a positive number of seconds")),
    }
}
