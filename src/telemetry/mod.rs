//! What the daemon says of itself: counters for `/metrics`, readiness for `/readyz`, logs, host health.

mod counters;
mod process;
mod readiness;
pub mod health;
pub mod logs;

pub use counters::Counters;
pub use process::publish_process;
pub use readiness::Readiness;
