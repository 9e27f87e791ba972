//! Takes whole messages from devices and judges nothing: on disk first, then acknowledged.
//!
//! ```text
//! subscribe ┐                                    ┌─▶ journal (fsync)
//!           ├─ Delivery ─▶ group (gathers, 5 ms) ┤
//! listen    ┘ ◀──────────── durable ─────────────┴─▶ follow
//! ```

pub mod frame;
pub mod subscribe;
pub mod group;
pub mod listen;
mod batch;
mod budget;
mod doors;
mod limits;

pub use batch::{Batch, Origin};
pub use budget::{Budgets, Verdict};
pub use doors::{Doors, Way, time};
pub use limits::{Held, Limits};

use tokio::sync::oneshot;

use crate::journal::Messages;

/// What one read from a connection brought.
///
/// The receiving half of `durable` lives and dies with the connection, so that no acknowledgement
/// can reach the connection after it.
#[derive(Debug)]
pub struct Delivery {
    pub messages: Messages,
    /// Signalled once all of `messages` are on disk.
    pub durable: oneshot::Sender<()>,
    /// Its share of the memory for what is not yet on disk; goes back when this is dropped.
    pub held: Held,
}
