//! Talking back to devices: commands, desired settings, and the echo that some of them need.
//!
//! ```text
//! API ─▶ Desk ─▶ state.sqlite ─▶ run ─ marked sent, fsync ─▶ doors ─▶ device
//!                     ▲           │                                     │
//!                     └───────────┴◀── reply, birth ── follow ◀─────────┘
//! ```
//! **Once.** A command is marked as sent, on disk, before it goes; so a crash of ours in between loses
//! it rather than doing it twice (a door that opens again, a bank ejected again). Nobody sends it
//! anew: not after a restart, not over the next connection. What was sent and never answered is
//! `unanswered`, perhaps done, and a person decides. The id lets a device know a message that its
//! broker delivered twice.
//!
//! **Never too late.** The expiry is looked at when the message is written to the connection. It says
//! `expires` (ms since 1970) for devices with a clock and `expires_in_ms`, from that moment on, for
//! those without. A command waits for a device that is not there: one that connects straight to us is
//! there while it is subscribed to `command`; behind a broker, which does not say who listens, while
//! its last message was a sign of life (`here`). So a broker never keeps a command for later.

mod model;
mod life;
mod order;
mod book;
mod desk;
mod here;
mod echo;
mod wishes;
mod driver;

pub use desk::{AskError, Desk};
pub use driver::run;
pub use model::{Command, Config, State, Step};
pub use order::{Order, Refused};
