//! Compiles the interface definitions in `proto/` to Rust, without a protoc on the machine.

use std::error::Error;

/// Every definition file; a file that is not named here is not part of the face.
const FILES: [&str; 7] = [
    "proto/key_value.proto",
    "proto/header.proto",
    "proto/kv.proto",
    "proto/watch.proto",
    "proto/lease.proto",
    "proto/cluster.proto",
    "proto/maintenance.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(FILES, ["proto"])?;
    tonic_prost_build::configure().bytes(".").emit_rerun_if_changed(false).compile_fds(files)?;
    Ok(())
}
