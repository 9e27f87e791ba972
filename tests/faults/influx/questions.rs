//! The embedded store and a real InfluxDB answer the same of the same readings, and after a restart
//! both give back what was last said.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{publish, settings};
use crate::{
    support::{daemon::Daemon, free_port, influx::Influx, publisher::Make, wait},
    town::now_ms,
};

const MINUTES: u64 = 200;
const SOON: Duration = Duration::from_mins(1);
const HOUR_MS: i64 = 3_600_000;

const STATIONS: &str = r#"
    [district]
    id = "d"
    name = { en = "District", zh = "区" }
    time_zone = "Asia/Shanghai"
    [[stations]]
    id = "s"
    name = { en = "Station", zh = "站" }
    opens = "24h"
    devices = [
        { id = "fridge-1", profile = "fridge" },
        { id = "door-1", profile = "door" },
        { id = "aed-1", profile = "aed" },
    ]
"#;

const SERIES: [(&str, &str); 6] = [
    ("fridge-1", "temp_c"),
    ("fridge-1", "door_open"),
    ("door-1", "mode"),
    ("door-1", "locked"),
    ("aed-1", "selftest_at"),
    ("fridge-1", "power_w"),
];

#[tokio::test(flavor = "multi_thread")]
async fn both_stores_answer_the_same_and_remember_what_was_said_last() {
    let influx = Influx::start().await;
    let base = now_ms() / HOUR_MS * HOUR_MS - 4 * HOUR_MS;
    let store = influx.settings();
    let (mut embedded, mut real) = tokio::join!(filled("", base), filled(&store, base));
    let mut answers = 0;
    for (device, metric) in SERIES {
        for (from, to) in [(base, base + 5 * HOUR_MS), (base + 1_234_567, base + 2 * HOUR_MS + 1)] {
            for window in ["", "&window=7m", "&window=1h", "&window=2h", "&window=1d"] {
                let query = format!(
                    "/api/v1/series?device=d/s/{device}&metric={metric}&from={from}&to={to}{window}"
                );
                let ours = embedded.get_json(&query).await;
                assert_eq!(real.get_json(&query).await, ours, "{query}");
                answers += ours.as_array().unwrap().len();
            }
        }
    }
    assert!(answers > 1000, "{answers} points and windows were compared");
    let before = latest(&embedded).await;
    assert_eq!(before.as_array().unwrap().len(), 3);
    assert_eq!(latest(&real).await, before);

    for daemon in [&mut embedded, &mut real] {
        assert!(daemon.stop(Duration::from_secs(10)).await.success());
        daemon.start_again().await;
        remembers(daemon, &before).await;
        // And what was only in the journal and in memory when it died.
        daemon.kill();
        daemon.start_again().await;
        remembers(daemon, &before).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_last_comes_back_when_influx_does() {
    let mut influx = Influx::start().await;
    let base = now_ms() / HOUR_MS * HOUR_MS - 4 * HOUR_MS;
    let mut daemon = filled(&influx.settings(), base).await;
    let before = latest(&daemon).await;
    influx.stop().await;
    assert!(daemon.stop(Duration::from_secs(10)).await.success());
    daemon.start_again().await;
    assert_eq!(daemon.get("/healthz").await.0, 200, "a store that is away delays no start");
    assert_ne!(latest(&daemon).await, before);
    influx.start_again().await;
    remembers(&daemon, &before).await;
}

/// A daemon with this store and three hours of readings in it.
async fn filled(store: &str, base: i64) -> Daemon {
    let port = free_port();
    let daemon = Daemon::start(&settings(port, store), STATIONS).await;
    publish(port, &hours(base), 0, 3 * MINUTES).await;
    let path = format!("/api/v1/series?device=d/s/aed-1&metric=ready&from={base}");
    wait::until_async("all is stored", SOON, async || {
        let points = daemon.get_json(&path).await;
        points.as_array().unwrap().len() >= usize::try_from(MINUTES).unwrap()
    })
    .await;
    daemon
}

/// A message a minute of each device. The numbers are multiples of a quarter: their sums are exact.
fn hours(base: i64) -> Make {
    Arc::new(move |n| {
        let (minute, device) = (n / 3, n % 3);
        let at = base + i64::try_from(minute).unwrap() * 60_000 + 17;
        let quarter = f64::from(u32::try_from(minute * 7 % 31).unwrap()) / 4.0;
        let (often, seldom) = (minute % 3 == 0, minute % 50 > 40);
        let word = ["scheduled", "unlocked", "locked"][usize::try_from(minute / 20 % 3).unwrap()];
        let (device, readings) = match device {
            0 => ("fridge-1", format!(r#""temp_c":{quarter},"door_open":{often}"#)),
            1 => ("door-1", format!(r#""mode":"{word}","locked":{seldom}"#)),
            _ => ("aed-1", format!(r#""ready":true,"selftest_at":{}"#, base - 1000 + at / 7_000)),
        };
        let payload = format!(r#"{{"at":{at},"readings":[{{"dt":0,{readings}}}]}}"#);
        (format!("waystation/v1/d/s/{device}/telemetry"), payload.into_bytes())
    })
}

/// Metric, value and time of all devices.
async fn latest(daemon: &Daemon) -> Value {
    let station = daemon.get_json("/api/v1/stations/d/s").await;
    let of_device = |device: &Value| {
        let told = |m: &Value| serde_json::json!([m["metric"], m["value"], m["at"]]);
        device["metrics"].as_array().unwrap().iter().map(told).collect::<Value>()
    };
    station["devices"].as_array().unwrap().iter().map(of_device).collect()
}

async fn remembers(daemon: &Daemon, expected: &Value) {
    let mut found = Value::Null;
    wait::until_async("the latest values are back", SOON, async || {
        found = latest(daemon).await;
        found == *expected
    })
    .await;
}
