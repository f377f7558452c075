//! What the tests of the whole key space share: random commands, and a rig that drives a key space
//! and its twin side by side.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod generate;
pub mod rig;
pub mod watcher;

use proptest::test_runner::Config;

/// Cases enough for an ordinary run (`PROPTEST_CASES` asks for more); failures are printed in full
/// and not kept in files.
pub fn config(cases: u32) -> Config {
    let more = Config::default().cases;
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { more } else { cases };
    Config { cases, failure_persistence: None, ..Config::default() }
}
