//! `synod start`: one node and the faces it shows.
//!
//! Always holds: nothing listens beyond loopback unless the operator said `--insecure`; both ports
//! are bound before the data directory is touched; a line on stdout says when the node listens and
//! when it serves.

mod flags;
mod logging;
mod plan;
mod serve;
mod signals;
mod url;

pub(crate) use flags::{HELP, StartFlags};
pub(crate) use logging::LogLevel;
pub(crate) use plan::Plan;
pub(crate) use signals::StopRequests;

use crate::exit::Exit;
use std::process::ExitCode;

/// Runs one node until it is asked to stop or must. `warnings` are said once the log is set up.
pub(crate) fn run(flags: StartFlags, warnings: &[String]) -> ExitCode {
    logging::set_up(flags.log_level);
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let plan = match Plan::of_flags(flags) {
        Ok(plan) => plan,
        Err(text) => return fail(Exit::Usage, &text),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Other, &format!("cannot start threads: {error}")),
    };
    match runtime.block_on(serve::serve(plan)) {
        Ok(()) => Exit::Requested.into(),
        Err(serve::Failed { exit, text }) => fail(exit, &text),
    }
}

/// Says on stderr why it ends, whatever the log's level.
pub(crate) fn fail(exit: Exit, text: &str) -> ExitCode {
    eprintln!("error: {text}");
    exit.into()
}
