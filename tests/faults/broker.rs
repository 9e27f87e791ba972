//! Faults 2 and 10: the broker is killed, the network is cut, another client has our id. And what a
//! SIGHUP changes while all runs on.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::{
    device::Device,
    support::{
        daemon::Daemon,
        free_port,
        mosquitto::Mosquitto,
        proxy::{Direction, Proxy},
        publisher::{Plan, Publisher},
        wait,
    },
    target::{Call, Mood, Target},
    town::{drained, message, now_ms, stations, stored},
};

const LIMIT: Duration = Duration::from_mins(1);
const RATE: u32 = 1000;

async fn subscribed(broker_url: &str) -> Daemon {
    let settings = format!(
        "[subscribe]\nbroker = \"{broker_url}\"\nkeep_alive = \"5s\"\n[web]\nlisten = \"127.0.0.1:0\"\n"
    );
    let daemon = Daemon::start(&settings, &stations()).await;
    ready(&daemon).await;
    daemon
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_restarts_costs_nothing_that_it_acknowledged() {
    let mut broker = Mosquitto::start().await;
    let daemon = subscribed(&broker.url()).await;
    let publisher = publisher(&broker);
    for _ in 0..3 {
        flows(&publisher).await;
        broker.stop().await;
        says(&daemon, "no session with the broker").await;
        broker.restart().await;
        ready(&daemon).await;
    }
    flows(&publisher).await;
    all_once(&daemon, &publisher.stop().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_was_killed_and_forgot_our_session_is_subscribed_to_again() {
    let mut broker = Mosquitto::start().await;
    let daemon = subscribed(&broker.url()).await;
    let publisher = publisher(&broker);
    flows(&publisher).await;
    broker.forget();
    says(&daemon, "cannot reach it").await;
    // What was on its way inside the broker went with it, but nothing that we acknowledged.
    let before = acknowledged(&daemon).await;
    drained(&daemon).await;
    assert!(counted(&daemon).await >= before, "acknowledged {before} messages, not all stored");
    broker.restart().await;
    ready(&daemon).await;
    let known = publisher.acknowledged();
    flows(&publisher).await;
    let after = publisher.stop().await;
    all_once(&daemon, &after.difference(&known).copied().collect()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_cut_within_packets_acknowledges_nothing_wrongly() {
    let broker = Mosquitto::start().await;
    let proxy = Proxy::start(broker.port()).await;
    let daemon = subscribed(&broker.url_at(proxy.port())).await;
    let publisher = publisher(&broker);
    // Odd sizes tear packets: a PUBLISH has about 120 bytes, a PUBACK four. The second cut of each
    // pair falls into what the broker sends again: what was acknowledged wrongly never comes again.
    for (direction, flowing, resuming) in
        [(Direction::ToClient, 30_011, 3001), (Direction::ToServer, 1503, 102)]
    {
        flows(&publisher).await;
        for bytes in [flowing, resuming] {
            proxy.cut_after(direction, bytes);
            wait::until("the cut", LIMIT, || proxy.has_cut(direction)).await;
        }
        says(&daemon, "no session with the broker").await;
        ready(&daemon).await;
    }
    flows(&publisher).await;
    assert!(proxy.connections() >= 5, "{} connections", proxy.connections());
    all_once(&daemon, &publisher.stop().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rival_with_our_client_id_is_recognised_not_fought_and_outlived() {
    let broker = Mosquitto::start().await;
    let proxy = Proxy::start(broker.port()).await;
    let daemon = subscribed(&broker.url_at(proxy.port())).await;
    // It comes back as soon as it is thrown out, as most clients do.
    let plan = Plan { rate: 1, ..Plan::new(address(&broker), "waystation") };
    let rival = Publisher::start(plan, message(now_ms()));
    let words = "another client uses client id \"waystation\"";
    says(&daemon, words).await;
    wait::until_said(words, LIMIT, || daemon.log()).await;
    let connections = proxy.connections();
    assert!(connections <= 5, "{connections} connections before it was recognised");
    let watched = Instant::now();
    wait::until_async("ten seconds without a fight", LIMIT, async || {
        assert!(daemon.get("/readyz").await.1.contains("another client"));
        watched.elapsed() > Duration::from_secs(10)
    })
    .await;
    assert_eq!(proxy.connections(), connections, "it goes on fighting");
    rival.stop().await;
    // The next attempt comes within a minute, and proves itself for ten seconds.
    let recovered = Duration::from_secs(100);
    wait::until_async("it is ready again", recovered, async || is_ready(&daemon).await).await;
    let publisher = publisher(&broker);
    flows(&publisher).await;
    all_once(&daemon, &publisher.stop().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_adds_a_device_refuses_a_bad_file_and_forgets_no_timer() {
    const HOLD: Duration = Duration::from_secs(14);
    let target = Target::start(Mood::Fine).await;
    let port = free_port();
    let settings = format!(
        "[listen]\nmqtt = \"127.0.0.1:{port}\"\n[web]\nlisten = \"127.0.0.1:0\"\n{}",
        target.settings()
    );
    let stations = stations().replace("for = \"0s\"", "for = \"14s\"");
    let mut daemon = Daemon::start(&settings, &stations).await;
    let mut gateway = Device::connect(&format!("127.0.0.1:{port}"), "gateway").await;
    gateway.publish("waystation/v1/d/s/fridge-0/telemetry", br#"{"temp_c":9.5}"#).await;
    let warm_since = now_ms();

    let new = "waystation/v1/d/s/fridge-new/telemetry";
    gateway.publish(new, br#"{"temp_c":4,"items_out_total":1}"#).await;
    wait::until_async("it is unknown", LIMIT, async || {
        daemon.get("/api/v1/devices/unknown").await.1.contains("d/s/fridge-new")
    })
    .await;

    // Half of the alert's time has passed: a timer that began anew would be late by as much.
    let begun = Instant::now();
    wait::until("half of the time", LIMIT, || begun.elapsed() > HOLD / 2).await;
    daemon.register(
        &stations.replace("fridge-1\", profile = \"fridge\"", "fridge-1\", profile = \"frigde\""),
    );
    daemon.reload();
    wait::until_said("not reloaded: what ran before runs on", LIMIT, || daemon.log()).await;
    let log = daemon.log();
    let problem = "tests.toml: stations[0].devices[1].profile: there is no profile \"frigde\"";
    assert!(log.contains(problem), "{log}");
    gateway
        .publish("waystation/v1/d/s/fridge-1/telemetry", br#"{"temp_c":4,"items_out_total":2}"#)
        .await;
    stores(&daemon, 2).await;

    let added = "devices = [ { id = \"fridge-new\", profile = \"fridge\" }, ";
    daemon.register(&stations.replace("devices = [ ", added));
    daemon.reload();
    wait::until_said("registry, profiles and rules are reloaded", LIMIT, || daemon.log()).await;
    gateway.publish(new, br#"{"temp_c":4,"items_out_total":3}"#).await;
    wait::until_async("the new device is taken", LIMIT, async || {
        let path = "/api/v1/series?device=d/s/fridge-new&metric=items_out_total";
        let points = daemon.get_json(path).await;
        points.as_array().unwrap().iter().map(|point| &point["value"]).eq([3.0])
    })
    .await;

    // The machine may have an alert of its own: a disk that is nearly full.
    let fired = || {
        let calls = target.confirmed("alert.firing");
        calls.iter().map(Call::json).find(|call| call["alert"]["device"] == "fridge-0")
    };
    wait::until("the alert", LIMIT, || fired().is_some()).await;
    let fired = fired().unwrap();
    let after = fired["at"].as_i64().unwrap() - warm_since;
    assert!((13_000..19_000).contains(&after), "it fired {after} ms after it got warm");
}

fn publisher(broker: &Mosquitto) -> Publisher {
    Publisher::start(
        Plan { rate: RATE, ..Plan::new(address(broker), "devices") },
        message(now_ms()),
    )
}

fn address(broker: &Mosquitto) -> String {
    format!("127.0.0.1:{}", broker.port())
}

async fn flows(publisher: &Publisher) {
    let before = publisher.acknowledged_count();
    wait::until("it flows", LIMIT, || publisher.acknowledged_count() > before + 300).await;
}

async fn is_ready(daemon: &Daemon) -> bool {
    daemon.get("/readyz").await.0 == 200
}

async fn ready(daemon: &Daemon) {
    wait::until_async("it is ready", LIMIT, async || is_ready(daemon).await).await;
}

/// `/readyz` is 503 and says so.
async fn says(daemon: &Daemon, words: &str) {
    wait::until_async(&format!("/readyz says {words:?}"), LIMIT, async || {
        let (status, body) = daemon.get("/readyz").await;
        let troubles: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        let said = troubles["troubles"]["subscribe"].as_str().unwrap_or_default();
        status == 503 && said.contains(words)
    })
    .await;
}

async fn acknowledged(daemon: &Daemon) -> f64 {
    daemon.figure(r#"waystation_messages_acknowledged_total{source="subscribe"}"#).await
}

/// Messages whose number is in the store.
async fn counted(daemon: &Daemon) -> f64 {
    f64::from(u32::try_from(stored(daemon).await.len()).unwrap())
}

async fn stores(daemon: &Daemon, number: u64) {
    wait::until_async(&format!("message {number} is stored"), LIMIT, async || {
        stored(daemon).await.contains_key(&number)
    })
    .await;
}

async fn all_once(daemon: &Daemon, acknowledged: &BTreeSet<u64>) {
    assert!(acknowledged.len() > 200, "{} messages", acknowledged.len());
    let missing = async || {
        let stored = stored(daemon).await;
        let missing = acknowledged.iter().filter(|number| !stored.contains_key(number));
        missing.copied().collect::<Vec<_>>()
    };
    let deadline = Instant::now() + LIMIT;
    let mut left = missing().await;
    while !left.is_empty() && Instant::now() < deadline {
        left = missing().await;
    }
    assert!(left.is_empty(), "{} of {} lost: {left:?}", left.len(), acknowledged.len());
    let stored = stored(daemon).await;
    let doubled: Vec<_> = stored.iter().filter(|(_, times)| **times > 1).collect();
    assert!(doubled.is_empty(), "stored more than once: {doubled:?}");
}
