//! Fault 9: one device sends far more than its budget.
//!
//! It is acknowledged, limited, counted message by message, shown and told; the readings and alerts
//! of the others come as they did before.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    device::Device,
    support::{
        daemon::Daemon,
        free_port,
        mosquitto::Mosquitto,
        publisher::{Make, Plan, Publisher},
        wait,
    },
    target::{Mood, Target},
    town::{DEVICES, now_ms, stations, stored},
};

const LIMIT: Duration = Duration::from_mins(1);
const RATE: u32 = 5000;
const FLOOD: u64 = 40_000;
/// The defaults of `ingest.device_burst` and `ingest.device_rate`.
const BURST: u64 = 10_000;
const SUSTAINED: u64 = 100;
/// From a warm reading to its webhook, on a machine that has other things to do.
const PROMPT: Duration = Duration::from_secs(3);
const ALERTS: usize = 5;
const FLOODER: u64 = DEVICES - 1;
const PROBE: u64 = 0;

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_floods_listen_is_limited_and_harms_nobody() {
    let port = free_port();
    let settings = format!("[listen]\nmqtt = \"127.0.0.1:{port}\"\n");
    flooded(&settings, format!("127.0.0.1:{port}"), "listen").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_floods_through_mosquitto_is_limited_and_harms_nobody() {
    let broker = Mosquitto::start().await;
    let settings = format!("[subscribe]\nbroker = \"{}\"\n", broker.url());
    flooded(&settings, format!("127.0.0.1:{}", broker.port()), "subscribe").await;
}

async fn flooded(settings: &str, address: String, source: &str) {
    let target = Target::start(Mood::Fine).await;
    let settings = format!("{settings}[web]\nlisten = \"127.0.0.1:0\"\n{}", target.settings());
    let daemon = Daemon::start(&settings, &stations()).await;
    wait::until_async("it is ready", LIMIT, async || daemon.get("/readyz").await.0 == 200).await;
    let mut victim = Device::connect(&address, "listener").await;
    victim.subscribe(&format!("waystation/v1/d/s/fridge-{FLOODER}/rejected")).await;

    let begun = Instant::now();
    let plan = Plan { rate: 200, ..Plan::new(&address, "others") };
    let others = Publisher::start(plan, others(now_ms() - 60_000));
    let plan = Plan { rate: RATE, count: FLOOD, ..Plan::new(&address, "flood") };
    let mut flood = Publisher::start(plan, flood_of(now_ms() - 60_000));
    wait::until_async("it is limited", LIMIT, async || over_budget(&daemon).await > 0.0).await;
    alerts_come_promptly(&address, &target).await;
    assert!(exact(FLOOD) > counted(flood.acknowledged_count()), "the flood was over too soon");
    flood.finished(LIMIT).await;
    let lasted = begun.elapsed();
    let acknowledged = others.stop().await;

    assert_eq!(victim.told().await.1["code"], "over_budget");
    all_are_accounted_for(&daemon, lasted).await;
    everything_of_the_others(&daemon, &acknowledged).await;
    let fired = target.confirmed("alert.firing");
    assert!(fired.iter().all(|call| call.json()["alert"]["device"] == "fridge-0"), "{fired:?}");
    let received = format!("waystation_messages_received_total{{source=\"{source}\"}}");
    assert!(daemon.figure(&received).await >= exact(FLOOD));
}

/// Each message of the flood is stored or counted as over the budget, and none is both.
async fn all_are_accounted_for(daemon: &Daemon, lasted: Duration) {
    wait::until_async("each message of the flood is stored or counted", LIMIT, async || {
        flooded_values(daemon).await + over_budget(daemon).await >= exact(FLOOD)
    })
    .await;
    let (kept, dropped) = (flooded_values(daemon).await, over_budget(daemon).await);
    assert!((kept + dropped - exact(FLOOD)).abs() < 0.5, "{kept} stored and {dropped} dropped");
    let most = BURST + SUSTAINED * (lasted.as_secs() + 2);
    assert!((exact(BURST)..exact(most)).contains(&kept), "{kept} passed within {lasted:?}");
    let path = format!("/api/v1/rejections?device=d/s/fridge-{FLOODER}");
    let shown = daemon.get_json(&path).await;
    assert_eq!(shown[0]["code"], "over_budget", "{shown}");
    assert!(shown[0]["found"].as_str().unwrap().ends_with("which were dropped"), "{shown}");
}

/// Warm and cold in turns; each is told before the next is sent.
async fn alerts_come_promptly(address: &str, target: &Target) {
    let mut probe = Device::connect(address, &format!("d.s.fridge-{PROBE}")).await;
    let topic = format!("waystation/v1/d/s/fridge-{PROBE}/telemetry");
    for number in 1..=ALERTS {
        for (temp, kind) in [(9.5, "alert.firing"), (4.0, "alert.resolved")] {
            let sent = Instant::now();
            probe.publish(&topic, format!(r#"{{"temp_c":{temp}}}"#).as_bytes()).await;
            wait::until(kind, LIMIT, || told(target, kind) >= number).await;
            let took = sent.elapsed();
            assert!(took < PROMPT, "{kind} {number} took {took:?} while one device floods");
        }
    }
}

fn told(target: &Target, kind: &str) -> usize {
    let calls = target.confirmed(kind);
    calls.iter().filter(|call| call.json()["alert"]["rule"] == "too_warm").count()
}

async fn everything_of_the_others(daemon: &Daemon, acknowledged: &BTreeSet<u64>) {
    assert!(acknowledged.len() > 500, "{}", acknowledged.len());
    wait::until_async("all of the others is stored", LIMIT, async || {
        let stored = stored(daemon).await;
        acknowledged.iter().all(|number| stored.get(number) == Some(&1))
    })
    .await;
}

/// Message `n` of all but the probe and the flooder.
fn others(base: i64) -> Make {
    Arc::new(move |n| {
        let (device, seq) = (1 + n % (DEVICES - 2), n / (DEVICES - 2) + 1);
        let at = base + i64::try_from(n).unwrap();
        let payload =
            format!(r#"{{"boot":1,"seq":{seq},"at":{at},"temp_c":4.0,"items_out_total":{n}}}"#);
        (format!("waystation/v1/d/s/fridge-{device}/telemetry"), payload.into_bytes())
    })
}

fn flood_of(base: i64) -> Make {
    Arc::new(move |n| {
        let at = base + i64::try_from(n).unwrap();
        let payload = format!(r#"{{"at":{at},"temp_c":4.0}}"#);
        (format!("waystation/v1/d/s/fridge-{FLOODER}/telemetry"), payload.into_bytes())
    })
}

async fn flooded_values(daemon: &Daemon) -> f64 {
    let path = format!(
        "/api/v1/series?device=d/s/fridge-{FLOODER}&metric=temp_c&from=0&to=4102444800000&window=400days"
    );
    let windows = daemon.get_json(&path).await;
    windows.as_array().unwrap().iter().map(|window| window["count"].as_f64().unwrap()).sum()
}

async fn over_budget(daemon: &Daemon) -> f64 {
    daemon.figure(r#"waystation_rejections_total{code="over_budget"}"#).await
}

fn counted(count: usize) -> f64 {
    exact(u64::try_from(count).unwrap())
}

fn exact(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}
