//! The one binary: a server, a cluster on one machine to try things out, and a client.
//!
//! Called by the name `etcd`, or as `synod etcd`, it takes the flags with which an etcd member is
//! started. Everything else is in the modules; this file only finds out which of them is meant.

mod backend;
mod client;
mod dev;
mod etcd;
mod exit;
mod replay;
mod server;
mod sim;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// The name under which the binary behaves as etcd does.
const ETCD_NAME: &str = "etcd";

const HELP: &str = client::EXIT_CODES;

/// The distributed foundation of a backend, in one binary
#[derive(Parser, Debug)]
#[command(name = "synod", version, max_term_width = 100, after_long_help = HELP)]
struct CommandLine {
    #[command(flatten)]
    global: client::Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a cluster on this machine, to try things out
    #[command(after_long_help = dev::HELP)]
    Dev(dev::DevFlags),
    /// Run one node of a cluster
    #[command(after_long_help = server::HELP)]
    Start(Box<server::StartFlags>),
    /// Run one node, with the flags of an etcd member
    #[command(disable_help_flag = true)]
    Etcd {
        /// etcd's own flags; `synod etcd --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Replay recordings of a node's groups, and compare
    #[command(after_long_help = replay::HELP)]
    Replay(replay::ReplayFlags),
    /// Simulate clusters under faults, and check every promise
    #[command(after_long_help = sim::HELP)]
    Sim(sim::SimFlags),
    #[command(flatten)]
    Client(client::Command),
}

fn main() -> ExitCode {
    if let Some(arguments) = etcd_arguments(std::env::args_os()) {
        return etcd::run(arguments);
    }
    let CommandLine { global, command } = CommandLine::parse();
    match command {
        Command::Dev(flags) => dev::run(flags),
        Command::Start(flags) => server::run(*flags, &[]),
        Command::Etcd { arguments } => etcd::run(arguments),
        Command::Replay(flags) => replay::run(&flags),
        Command::Sim(flags) => sim::run(&flags),
        Command::Client(command) => client::run(command, global),
    }
}

/// What is meant for etcd, if this is to be one. Taken apart before anything else: etcd's flags are
/// not written as ours are.
fn etcd_arguments(mut arguments: impl Iterator<Item = OsString>) -> Option<Vec<String>> {
    let called_etcd = is_called_etcd(arguments.next());
    let mut rest = arguments.map(|one| one.to_string_lossy().into_owned()).peekable();
    if called_etcd || rest.next_if(|first| first == ETCD_NAME).is_some() {
        return Some(rest.collect());
    }
    None
}

fn is_called_etcd(program: Option<OsString>) -> bool {
    program.is_some_and(|program| Path::new(&program).file_stem() == Some(ETCD_NAME.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        CommandLine::command().debug_assert();
    }

    #[test]
    fn etcds_arguments_are_taken_as_they_are() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let taken = |line: &str| etcd_arguments(words(line).into_iter());
        assert_eq!(taken("etcd -name=a"), Some(vec!["-name=a".to_owned()]));
        assert_eq!(taken("synod etcd --help"), Some(vec!["--help".to_owned()]));
        assert_eq!(taken("synod start etcd"), None);
    }

    #[test]
    fn only_the_name_etcd_makes_it_etcd() {
        assert!(is_called_etcd(Some("/usr/local/bin/etcd".into())));
        assert!(!is_called_etcd(Some("/usr/local/bin/synod".into())));
        assert!(!is_called_etcd(Some("/etcd/synod".into())));
        assert!(!is_called_etcd(None));
    }
}
