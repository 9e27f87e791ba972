//! Fault 1: `kill -9` at random moments, a hundred times, at 2000 messages a second. Fault 13:
//! SIGTERM under load.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::time::timeout;

use crate::{
    support::{
        daemon::Daemon,
        influx::{BUCKET, Influx},
        mosquitto::Mosquitto,
        publisher::{Make, Plan, Publisher},
        wait,
    },
    target::{Call, Mood, Target},
    town::{DEVICES, drained, is_warm_at, message, now_ms, stations, stored, warm_phases},
};

const KILLS: u32 = 100;
const RATE: u32 = 2000;
/// The only rule that `fridge-0` breaks again and again.
const RULE: &str = "too_warm";

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_kills_lose_nothing_that_listen_acknowledged() {
    let port = crate::support::free_port();
    let settings =
        format!("[listen]\nmqtt = \"127.0.0.1:{port}\"\n[web]\nlisten = \"127.0.0.1:0\"\n");
    killed_again_and_again(&settings, format!("127.0.0.1:{port}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_kills_lose_nothing_that_mosquitto_acknowledged() {
    let broker = Mosquitto::start().await;
    let settings =
        format!("[subscribe]\nbroker = \"{}\"\n[web]\nlisten = \"127.0.0.1:0\"\n", broker.url());
    killed_again_and_again(&settings, format!("127.0.0.1:{}", broker.port())).await;
}

async fn killed_again_and_again(settings: &str, address: String) {
    let target = Target::start(Mood::Fine).await;
    // A journal so small that the store writes to disk every 4096 messages, not once an hour.
    let settings = format!("{settings}[journal]\nmax_bytes = \"4MiB\"\n{}", target.settings());
    let mut daemon = Daemon::start(&settings, &stations()).await;
    // A broker acknowledges what comes before anybody has subscribed, and keeps it for nobody.
    wait::until_async("it is ready", Duration::from_secs(30), async || {
        daemon.get("/readyz").await.0 == 200
    })
    .await;
    let plan = Plan { rate: RATE, ..Plan::new(address, "publisher") };
    let publisher = Publisher::start(plan, restamped(message(now_ms())));
    for pause in pauses(KILLS) {
        // The moment of the kill is what this test is about: it must be any.
        tokio::time::sleep(pause).await;
        daemon.kill();
        daemon.start_again().await;
    }
    let before = publisher.acknowledged_count();
    wait::until("it goes on after the last kill", Duration::from_secs(30), || {
        publisher.acknowledged_count() > before + 2000
    })
    .await;
    let acknowledged = publisher.stop().await;
    drained(&daemon).await;
    everything_once(&daemon, &acknowledged).await;
    alerts_once(&daemon, &target).await;
}

/// As `make` makes them, but later by a millisecond each time a message is sent again: a store knows
/// a point by its time, and would hide that it was given the same message twice.
fn restamped(make: Make) -> Make {
    let sent = Mutex::new(BTreeMap::<u64, i64>::new());
    Arc::new(move |n| {
        let (topic, payload) = make(n);
        let mut sent = sent.lock().unwrap();
        let times = sent.entry(n).or_default();
        let mut message: Value = serde_json::from_slice(&payload).unwrap();
        message["at"] = (message["at"].as_i64().unwrap() + *times).into();
        *times += 1;
        (topic, message.to_string().into_bytes())
    })
}

/// 50 to 450 ms, of no pattern, the same in every run. A few are seconds longer: in these decoder
/// and rules save what they remember.
fn pauses(count: u32) -> impl Iterator<Item = Duration> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    (0..count).map(move |nth| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Duration::from_millis(50 + state % 400 + if nth % 25 == 24 { 10_000 } else { 0 })
    })
}

async fn everything_once(daemon: &Daemon, acknowledged: &BTreeSet<u64>) {
    let mut missing = Vec::new();
    // What the broker acknowledged may still be on its way from there.
    let newest = *acknowledged.last().unwrap();
    wait::until_async("the newest message is stored", Duration::from_mins(1), async || {
        stored(daemon).await.contains_key(&newest)
    })
    .await;
    let stored = stored(daemon).await;
    for number in acknowledged {
        if !stored.contains_key(number) {
            missing.push(number);
        }
    }
    let doubled: Vec<_> = stored.iter().filter(|(_, times)| **times > 1).collect();
    assert!(missing.is_empty(), "{} of {} lost: {missing:?}", missing.len(), acknowledged.len());
    assert!(doubled.is_empty(), "stored more than once: {doubled:?}");
}

/// Each warm phase of what is stored is one alert, in the ledger and outside; a notice told twice
/// has the same id.
async fn alerts_once(daemon: &Daemon, target: &Target) {
    let mut seen = Alerts::default();
    let mut expected = Alerts::default();
    let all_told = async {
        // What the broker held back may still come: that moves both sides.
        while seen != expected || expected.fired == 0 {
            expected = Alerts::expected(&stored(daemon).await);
            seen = Alerts::told(target);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let done = timeout(Duration::from_mins(1), all_told).await;
    assert!(done.is_ok(), "{expected:?}, but told were {seen:?}");
    assert_eq!(Alerts::listed(daemon).await, expected, "in the ledger");
    for kind in ["alert.firing", "alert.resolved"] {
        let calls = target.confirmed(kind);
        let notices: BTreeSet<_> = calls.iter().map(|call| &call.id).collect();
        let alerts: BTreeSet<_> = calls.iter().map(alert_id).collect();
        assert_eq!(notices.len(), alerts.len(), "{kind}: one webhook-id for each alert");
    }
}

/// How many alerts began and ended; by their ids, so that one told twice counts once.
#[derive(Debug, Default, PartialEq)]
struct Alerts {
    fired: usize,
    resolved: usize,
}

impl Alerts {
    fn expected(stored: &BTreeMap<u64, u32>) -> Self {
        let last = stored.keys().filter(|number| *number % DEVICES == 0).max();
        let last = *last.expect("something is stored");
        let fired = warm_phases(last);
        Self { fired, resolved: fired - usize::from(is_warm_at(last)) }
    }

    fn told(target: &Target) -> Self {
        let count = |kind| {
            let calls = target.confirmed(kind).into_iter();
            let of_rule = calls.filter(|call| call.json()["alert"]["rule"] == RULE);
            of_rule.map(|call| alert_id(&call)).collect::<BTreeSet<_>>().len()
        };
        Self { fired: count("alert.firing"), resolved: count("alert.resolved") }
    }

    async fn listed(daemon: &Daemon) -> Self {
        let listed = daemon.get_json("/api/v1/alerts?state=all&limit=1000").await;
        let all = listed.as_array().unwrap().iter().filter(|alert| alert["rule"] == RULE);
        let resolved = all.clone().filter(|alert| alert["state"] == "resolved");
        Self { fired: all.count(), resolved: resolved.count() }
    }
}

fn alert_id(call: &Call) -> String {
    call.json()["alert"]["id"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_after_a_restart_is_stored_once() {
    const COUNT: u64 = 1000;
    let port = crate::support::free_port();
    let settings =
        format!("[listen]\nmqtt = \"127.0.0.1:{port}\"\n[web]\nlisten = \"127.0.0.1:0\"\n");
    let mut daemon = Daemon::start(&settings, &stations()).await;
    let plan = Plan { count: COUNT, ..Plan::new(format!("127.0.0.1:{port}"), "publisher") };
    let make = restamped(message(now_ms()));
    for _ in 0..2 {
        // The second time it has forgotten what was acknowledged.
        let mut publisher = Publisher::start(plan.clone(), Arc::clone(&make));
        publisher.finished(Duration::from_secs(30)).await;
        drained(&daemon).await;
        let status = daemon.stop(Duration::from_secs(10)).await;
        assert!(status.success(), "{status}:\n{}", daemon.log());
        daemon.start_again().await;
        everything_once(&daemon, &publisher.acknowledged()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_ends_well_within_ten_seconds_and_loses_nothing() {
    let port = crate::support::free_port();
    let settings =
        format!("[listen]\nmqtt = \"127.0.0.1:{port}\"\n[web]\nlisten = \"127.0.0.1:0\"\n");
    stopped_under_load(&settings, port).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_with_influx_away_ends_well_within_ten_seconds_and_loses_nothing() {
    let port = crate::support::free_port();
    let mut influx = Influx::start().await;
    let settings = format!(
        "[listen]\nmqtt = \"127.0.0.1:{port}\"\n[web]\nlisten = \"127.0.0.1:0\"\n{}",
        influx.settings()
    );
    influx.stop().await;
    let (mut daemon, acknowledged) = terminated_under_load(&settings, port).await;
    influx.start_again().await;
    daemon.start_again().await;
    wait::until_async("all is in InfluxDB", Duration::from_mins(1), async || {
        acknowledged.is_subset(&in_influx(&influx).await)
    })
    .await;
}

/// Every message number in InfluxDB.
async fn in_influx(influx: &Influx) -> BTreeSet<u64> {
    let flux = format!(
        r#"from(bucket: "{BUCKET}") |> range(start: 1970-01-01T00:00:00Z, stop: 2200-01-01T00:00:00Z)
           |> filter(fn: (r) => r._measurement == "fridge" and r._field == "items_out_total")
           |> group() |> keep(columns: ["_value"])"#
    );
    let rows = influx.query(&flux).await;
    rows.iter().map(|row| row["_value"].parse().unwrap()).collect()
}

async fn stopped_under_load(settings: &str, port: u16) {
    let (mut daemon, acknowledged) = terminated_under_load(settings, port).await;
    daemon.start_again().await;
    drained(&daemon).await;
    everything_once(&daemon, &acknowledged).await;
}

/// A daemon that was asked to end at 2000 messages a second and did, and what it acknowledged.
async fn terminated_under_load(settings: &str, port: u16) -> (Daemon, BTreeSet<u64>) {
    let mut daemon = Daemon::start(settings, &stations()).await;
    let plan = Plan { rate: RATE, ..Plan::new(format!("127.0.0.1:{port}"), "publisher") };
    let publisher = Publisher::start(plan, message(now_ms()));
    wait::until("3000 acknowledged", Duration::from_secs(20), || {
        publisher.acknowledged_count() >= 3000
    })
    .await;
    let status = daemon.stop(Duration::from_secs(10)).await;
    assert!(status.success(), "{status}:\n{}", daemon.log());
    (daemon, publisher.stop().await)
}
