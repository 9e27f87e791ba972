//! Faults 3 and 4: InfluxDB is away, or answers with whatever there is to answer; and the questions
//! both stores must answer alike.

mod answers;
mod away;
mod fake;
mod mended;
mod questions;

use std::{sync::Arc, time::Duration};

use crate::{
    support::{
        daemon::Daemon,
        influx::Influx,
        publisher::{Make, Plan, Publisher},
        wait,
    },
    town::{message, now_ms},
};

/// A daemon that listens at `port`, with the `store` part of its settings.
fn settings(port: u16, store: &str) -> String {
    format!("[listen]\nmqtt = \"127.0.0.1:{port}\"\n[web]\nlisten = \"127.0.0.1:0\"\n{store}")
}

/// Publishes messages `from..to` and waits until all are acknowledged.
async fn publish(port: u16, make: &Make, from: u64, to: u64) {
    let make = Arc::clone(make);
    let shifted: Make = Arc::new(move |n| make(from + n));
    let plan = Plan::new(format!("127.0.0.1:{port}"), format!("publisher-{from}"));
    let mut publisher = Publisher::start(Plan { count: to - from, ..plan }, shifted);
    publisher.finished(Duration::from_mins(1)).await;
}

/// Messages whose time has come when they are sent, however fast that is.
fn messages(count: u64) -> Make {
    message(now_ms() - i64::try_from(count).unwrap())
}

/// Waits until `/readyz` is 503 and says `words`, and the log does too.
async fn says(daemon: &Daemon, words: &str) {
    let mut last = String::new();
    wait::until_async(&format!("/readyz says {words:?}"), Duration::from_secs(30), async || {
        let (status, body) = daemon.get("/readyz").await;
        last = body;
        status == 503 && last.contains(words)
    })
    .await;
    let log = daemon.log();
    let warned = log.lines().any(|line| line.contains("WARN") && line.contains(words));
    assert!(warned, "{words:?} is not in the log: {log}");
}

async fn is_ready(daemon: &Daemon) {
    wait::until_async("/readyz is 200", Duration::from_mins(1), async || {
        daemon.get("/readyz").await.0 == 200
    })
    .await;
}

/// Waits until `count` readings are in InfluxDB, and sees that none is there twice.
async fn all_there(influx: &Influx, count: u64, limit: Duration) {
    wait::until_async(&format!("{count} readings in InfluxDB"), limit, async || {
        influx.count("fridge", "items_out_total").await >= count
    })
    .await;
    assert_eq!(influx.count("fridge", "items_out_total").await, count);
    assert_eq!(influx.count("fridge", "temp_c").await, count);
    let numbers = influx.sum("fridge", "items_out_total").await;
    assert_eq!(numbers, count * (count - 1) / 2, "each number once");
}
