//! What stands where in a data directory.

/// The node's log.
pub const LOG_DIRECTORY: &str = "log";

/// The engine's files.
pub const ENGINE_DIRECTORY: &str = "engine";
