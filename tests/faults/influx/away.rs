//! Fault 3: InfluxDB is away while 200 000 messages come, and the daemon dies and is ended meanwhile.

#![expect(clippy::print_stdout, reason = "the figures are what one runs it for")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::{all_there, is_ready, says, settings};
use crate::{
    support::{
        daemon::Daemon,
        free_port,
        influx::Influx,
        publisher::{Make, Plan, Publisher},
        wait,
    },
    target::{Mood, Target},
    town::{DEVICES, PHASE, message, now_ms, stations, warm_phases},
};

const COUNT: u64 = 200_000;
const RATE: u32 = 6000;
const IN_TIME: Duration = Duration::from_secs(2);
/// Of the debug build; what matters is that 200 000 messages that wait do not add to it.
const MEMORY: f64 = 250e6;

#[tokio::test(flavor = "multi_thread")]
async fn an_influx_that_is_away_delays_readings_but_no_alert_and_loses_none() {
    let mut influx = Influx::start().await;
    let (port, target) = (free_port(), Target::start(Mood::Fine).await);
    let settings = settings(port, &format!("{}{}", influx.settings(), target.settings()));
    let mut daemon = Daemon::start(&settings, &stations()).await;
    influx.stop().await;

    let base = now_ms() - i64::try_from(COUNT / 2).unwrap();
    let (make, sent) = noting(message(base));
    let plan = Plan { rate: RATE, count: COUNT, ..Plan::new(format!("127.0.0.1:{port}"), "all") };
    let mut publisher = Publisher::start(plan, make);
    let mut restarts = Vec::new();
    let mut memory = 0.0_f64;
    for (upto, how) in [(60_000, How::Killed), (130_000, How::Ended)] {
        memory = memory.max(while_it_runs(&daemon, &publisher, upto).await);
        let begun = Instant::now();
        match how {
            How::Killed => daemon.kill(),
            How::Ended => assert!(daemon.stop(Duration::from_secs(10)).await.success()),
        }
        daemon.start_again().await;
        restarts.push((begun, Instant::now()));
    }
    memory = memory.max(while_it_runs(&daemon, &publisher, 200_000).await);
    publisher.finished(Duration::from_mins(1)).await;
    says(&daemon, "readings wait in the journal").await;
    wait::until("every alert is told", Duration::from_secs(30), || {
        first_told(&target).len() >= warm_phases(COUNT - 1)
    })
    .await;
    told_in_time(&target, &sent.lock().unwrap(), &restarts);

    influx.start_again().await;
    let begun = Instant::now();
    let catching_up = caught_up(&daemon, &mut memory).await;
    let complete = begun.elapsed();
    all_there(&influx, COUNT, Duration::from_mins(2)).await;
    is_ready(&daemon).await;
    let rate = 200_000.0 / catching_up.as_secs_f64();
    println!(
        "caught up at {rate:.0} readings/s, {complete:?} after InfluxDB was back; {:.0} MB at most",
        memory / 1e6
    );
    assert!(rate > 2000.0, "caught up at {rate:.0} readings/s");
    assert!(memory < MEMORY, "{memory} bytes of memory");
    points_of_alerts(&influx, &target).await;
}

#[derive(Debug)]
enum How {
    Killed,
    Ended,
}

/// Notes when each message that makes `fridge-0` warm was first made.
fn noting(make: Make) -> (Make, Arc<Mutex<BTreeMap<u64, Instant>>>) {
    let sent = Arc::new(Mutex::new(BTreeMap::new()));
    let notes = Arc::clone(&sent);
    let noting: Make = Arc::new(move |n| {
        if n % (DEVICES * PHASE * 2) == DEVICES * (PHASE - 1) {
            notes.lock().unwrap().entry(n).or_insert_with(Instant::now);
        }
        make(n)
    });
    (noting, sent)
}

/// Until so many are acknowledged: the most memory that it took.
async fn while_it_runs(daemon: &Daemon, publisher: &Publisher, upto: usize) -> f64 {
    let mut most = 0.0_f64;
    wait::until_async(&format!("{upto} acknowledged"), Duration::from_mins(2), async || {
        most = most.max(daemon.figure("process_resident_memory_bytes").await);
        publisher.acknowledged_count() >= upto
    })
    .await;
    most
}

/// Every alert was told, and each within [`IN_TIME`], but for those that a restart got in the way of.
fn told_in_time(target: &Target, sent: &BTreeMap<u64, Instant>, restarts: &[(Instant, Instant)]) {
    let told = first_told(target);
    assert_eq!(told.len(), warm_phases(COUNT - 1));
    let disturbed =
        |at: Instant| restarts.iter().any(|(down, up)| at + IN_TIME > *down && at < *up + IN_TIME);
    let mut delays: Vec<Duration> = told
        .iter()
        .zip(sent.values())
        .filter(|(_, sent)| !disturbed(**sent))
        .map(|(told, sent)| told.duration_since(*sent))
        .collect();
    delays.sort_unstable();
    let (median, worst) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    println!(
        "{} alerts told, of {} undisturbed: median {median:?}, worst {worst:?}",
        told.len(),
        delays.len()
    );
    assert!(worst < IN_TIME, "an alert took {worst:?}");
}

/// When each alert of a warm fridge was told first, in their order.
fn first_told(target: &Target) -> Vec<Instant> {
    let mut told: BTreeMap<(i64, String), Instant> = BTreeMap::new();
    for call in target.confirmed("alert.firing") {
        let alert = &call.json()["alert"];
        if alert["rule"] == "too_warm" {
            let key = (alert["since"].as_i64().unwrap(), alert["id"].to_string());
            told.entry(key).or_insert(call.at);
        }
    }
    told.into_values().collect()
}

/// How long it took from the first reading that InfluxDB has to the last.
async fn caught_up(daemon: &Daemon, memory: &mut f64) -> Duration {
    const FIGURE: &str = "waystation_readings_stored_total";
    let mut first = None;
    let before = daemon.figure(FIGURE).await;
    let mut stored = before;
    wait::until_async("it has caught up", Duration::from_mins(3), async || {
        *memory = memory.max(daemon.figure("process_resident_memory_bytes").await);
        stored = daemon.figure(FIGURE).await;
        if stored > before {
            first.get_or_insert_with(Instant::now);
        }
        stored >= 199_999.5
    })
    .await;
    first.unwrap().elapsed()
}

/// Alerts and our own health stand beside the readings, also those of the time it was away.
async fn points_of_alerts(influx: &Influx, target: &Target) {
    let told: BTreeSet<String> = ["alert.firing", "alert.resolved"]
        .iter()
        .flat_map(|kind| target.confirmed(kind))
        .map(|call| format!("{} {}", call.json()["type"], call.json()["alert"]["id"]))
        .collect();
    let told = u64::try_from(told.len()).unwrap();
    wait::until_async(&format!("{told} points of alerts"), Duration::from_mins(1), async || {
        influx.count("alert", "state").await >= told
    })
    .await;
    wait::until_async("points about ourselves", Duration::from_mins(1), async || {
        influx.count("waystation", "journal_bytes").await > 0
    })
    .await;
}
