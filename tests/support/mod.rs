//! What whole-program tests stand on: real servers, the real program, publishers that keep books.
//!
//! A server that is missing fails the test and says how to get it; nothing is skipped in silence.

#![allow(
    clippy::allow_attributes,
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "every test program compiles this module and uses its own part of it; a broken harness must panic"
)]

pub mod browser;
pub mod daemon;
pub mod device;
pub mod influx;
pub mod mosquitto;
pub mod process;
pub mod proxy;
pub mod publisher;
pub mod validators;
pub mod wait;

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

/// A loopback port nobody listens on.
///
/// Below the range from which the kernel takes ports for outgoing connections: a client that tries
/// again and again to reach a server that is down must not be given the server's own port.
pub fn free_port() -> u16 {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id().wrapping_mul(61) % u32::from(COUNT)).unwrap();
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start.wrapping_add(step)) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}
