//! What the daemon says of itself: counters for `/metrics`, readiness for `/readyz`, logs, host health.

mod counters;
mod readiness;

pub use counters::Counters;
pub use readiness::Readiness;
