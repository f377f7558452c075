//! `synod replay`: makes a recording's calls again, and compares what comes back.

use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use synod_group::journal::replay;

pub(crate) const HELP: &str = "\
A node that is started with --journal DIRECTORY writes one recording for each of its groups. A
recording holds everything that happened to the group, and from time to time a fingerprint of
everything that the group wanted done. The replay must come to the same fingerprints.

Exit codes:
  0  every recording replays exactly
  1  a recording parts from its replay, or cannot be read
  2  the command line is wrong";

#[derive(Args, Debug)]
pub(crate) struct ReplayFlags {
    /// Recordings
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(flags: &ReplayFlags) -> ExitCode {
    let failed = flags.files.iter().filter(|path| !replay_file(path)).count();
    ExitCode::from(u8::from(failed > 0))
}

fn replay_file(path: &Path) -> bool {
    let shown = path.display();
    let recording = match std::fs::read(path) {
        Ok(recording) => recording,
        Err(error) => {
            eprintln!("error: cannot read {shown}: {error}");
            return false;
        }
    };
    match replay(recording.into()) {
        Ok(replayed) => {
            let status = replayed.group.status();
            println!(
                "{shown}: {} steps replayed, {} fingerprints equal; ends as {:?} with {} committed",
                replayed.steps, replayed.compared, status.soft_state.role, status.committed
            );
            if let Some(error) = replayed.cut_short {
                println!("{shown}: cut short there ({error}), as after a crash of the node");
            }
            true
        }
        Err(error) => {
            eprintln!("error: {shown}: {error}");
            false
        }
    }
}
