//! A real etcd on loopback, where it is installed.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Whether a test that needs `program` may run. Where it is not installed the test is skipped with
/// a loud line, except in CI: there a skipped test would be a lie.
pub fn installed(program: &str) -> bool {
    let found = Path::new("/usr/bin").join(program).exists();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{program} must be installed in CI");
        eprintln!("SKIPPED: {program} is not installed (Debian: etcd-server, etcd-client)");
    }
    found
}

/// A running etcd of one member; it ends, and its data goes, with this value.
pub struct Oracle {
    process: Child,
    _data: TempDir,
    pub endpoint: String,
}

impl Oracle {
    /// Starts it. It may not answer yet: connect with retries.
    pub fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let [client, peer] = [free_address(), free_address()].map(|at| format!("http://{at}"));
        let process = Command::new("/usr/bin/etcd")
            .args(["--data-dir", data.path().to_str().unwrap()])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}")])
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd is installed");
        Self { process, _data: data, endpoint: client }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address that was free just now.
fn free_address() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
