//! Fault 1: `kill -9` at random moments, a hundred times, at 2000 messages a second. Fault 13:
//! SIGTERM under load.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    support::{
        daemon::Daemon,
        mosquitto::Mosquitto,
        publisher::{Plan, Publisher},
        wait,
    },
    target::{Mood, Target},
    town::{drained, message, now_ms, stations, stored, warm_phases},
};

const KILLS: u32 = 100;
const RATE: u32 = 2000;

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
    let settings = format!("{settings}{}", target.settings());
    let mut daemon = Daemon::start(&settings, &stations()).await;
    let plan = Plan { rate: RATE, ..Plan::new(address, "publisher") };
    let publisher = Publisher::start(plan, message(now_ms()));
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
    alerts_once(&daemon, &target, &acknowledged).await;
}

/// 50 to 450 ms, of no pattern, the same in every run.
fn pauses(count: u32) -> impl Iterator<Item = Duration> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    (0..count).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Duration::from_millis(50 + state % 400)
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

/// Each warm phase is one alert, told at least once; a notice told twice has the same id.
async fn alerts_once(daemon: &Daemon, target: &Target, acknowledged: &BTreeSet<u64>) {
    // Up to the first message that is not acknowledged everything is there, in order.
    let whole = (0..u64::MAX).find(|number| !acknowledged.contains(number)).unwrap();
    let expected = warm_phases(whole.saturating_sub(1));
    let ids = |kind| -> BTreeSet<String> {
        target.confirmed(kind).iter().map(|call| call.json()["alert"]["id"].to_string()).collect()
    };
    wait::until("every alert is told", Duration::from_mins(1), || {
        ids("alert.firing").len() >= expected
    })
    .await;
    let fired = ids("alert.firing");
    let most = warm_phases(*acknowledged.last().unwrap() + 4000);
    assert!(
        (expected..=most).contains(&fired.len()),
        "{} alerts for {expected} to {most} warm phases",
        fired.len()
    );
    let resolved = ids("alert.resolved");
    assert!(resolved.is_subset(&fired));
    assert!(resolved.len() + 1 >= expected, "{} of {expected} resolved", resolved.len());
    let listed = daemon.get_json("/api/v1/alerts?state=open").await;
    let open = listed.as_array().or_else(|| listed["alerts"].as_array()).unwrap().len();
    assert!(open <= 1, "{open} open alerts of one rule of one device");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_ends_well_within_ten_seconds_and_loses_nothing() {
    let port = crate::support::free_port();
    let settings =
        format!("[listen]\nmqtt = \"127.0.0.1:{port}\"\n[web]\nlisten = \"127.0.0.1:0\"\n");
    stopped_under_load(&settings, port).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_with_influx_away_ends_well_within_ten_seconds() {
    let port = crate::support::free_port();
    let nobody = crate::support::free_port();
    let settings = format!(
        "[listen]\nmqtt = \"127.0.0.1:{port}\"\n[web]\nlisten = \"127.0.0.1:0\"\n\
         [store]\nkind = \"influx\"\n[store.influx]\nurl = \"http://127.0.0.1:{nobody}\"\ntoken = \"t\"\n"
    );
    let mut daemon = Daemon::start(&settings, &stations()).await;
    let plan = Plan { rate: RATE, ..Plan::new(format!("127.0.0.1:{port}"), "publisher") };
    let publisher = Publisher::start(plan, message(now_ms()));
    wait::until("3000 acknowledged", Duration::from_secs(20), || {
        publisher.acknowledged_count() >= 3000
    })
    .await;
    let status = daemon.stop(Duration::from_secs(10)).await;
    assert!(status.success(), "{status}:\n{}", daemon.log());
    publisher.stop().await;
}

async fn stopped_under_load(settings: &str, port: u16) {
    let mut daemon = Daemon::start(settings, &stations()).await;
    let plan = Plan { rate: RATE, ..Plan::new(format!("127.0.0.1:{port}"), "publisher") };
    let publisher = Publisher::start(plan, message(now_ms()));
    wait::until("3000 acknowledged", Duration::from_secs(20), || {
        publisher.acknowledged_count() >= 3000
    })
    .await;
    let status = daemon.stop(Duration::from_secs(10)).await;
    assert!(status.success(), "{status}:\n{}", daemon.log());
    let acknowledged = publisher.stop().await;
    daemon.start_again().await;
    drained(&daemon).await;
    everything_once(&daemon, &acknowledged).await;
}
