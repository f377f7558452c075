//! To be written.
pub mod founding;
pub mod identity;
pub mod paths;
