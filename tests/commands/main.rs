//! What devices are told: commands, settings, echoes and the time, by the whole program, straight and
//! through a real Mosquitto.

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

mod house;

mod broker;
mod by_hand;
mod config;
mod straight;
mod time;
