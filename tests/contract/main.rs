//! The documents of the contract are held to what decoding does, by validators that others wrote.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

#[path = "../support/mod.rs"]
mod support;

mod vectors;
mod schemas;
mod documents;
mod commands;
mod downward;
