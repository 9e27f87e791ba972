//! The faults this program must live through, each on the real server where a real one can show it.
//! The numbers are those of the list in ARCHITECTURE.md.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that cannot go on ends its test"
)]

#[path = "../support/mod.rs"]
mod support;

use support::device;

mod small_disk;
mod target;
mod town;

mod broker;
mod clock;
mod damage;
mod disk;
mod flood;
mod hostile;
mod influx;
mod kill;
mod mistakes;
mod people;
mod second;
mod webhook;
