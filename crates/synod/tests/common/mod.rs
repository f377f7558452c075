//! What the tests with real processes share: nodes, clusters, clients, and the load on them.
//!
//! Always holds: a node's process ends with the value that stands for it, and with the test's own
//! process, whatever kills that; nothing waits without a deadline; nothing judges how long a thing
//! took.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails where something is not as expected")]

pub mod address;
pub mod clients;
pub mod cluster;
pub mod history;
pub mod load;
pub mod process;

use std::io::Write;
use std::time::Duration;

/// Longer than anything here takes on a slow machine; reaching it fails the test.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// How long to leave between two looks at what another process does.
pub const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Says something that must be seen although the test passes: the test harness hides what the
/// printing macros print.
pub fn announce(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Says that a test does nothing here; where tests must not be skipped, fails it.
pub fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "in CI nothing is skipped: {why}");
    announce(&format!("SKIPPED: {why}"));
}

/// Waits for something that happens soon or never.
pub async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
