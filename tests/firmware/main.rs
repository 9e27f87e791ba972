//! The reference firmware of `devices/firmware`, each against the whole program: devices that connect
//! straight to it, and behind a real Mosquitto.

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

mod fridge;
mod house;

mod encoders;
mod faults;
mod talk;
