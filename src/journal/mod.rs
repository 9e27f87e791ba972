//! The durable log between input and everything else.

mod record;

pub use record::{Condition, Garbled, Message, Messages, Source};
