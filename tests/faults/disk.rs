//! Faults 5 and 6: the journal is full, the disk is full, a write fails.

use std::{collections::BTreeSet, fs, os::unix::fs::symlink, process::Command, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    small_disk::{SmallDisk, ran_elsewhere},
    support::{
        daemon::Daemon,
        free_port,
        influx::{BUCKET, Influx},
        publisher::{Plan, Publisher},
        wait,
    },
    target::{Mood, Target},
    town::{drained, message, now_ms, stations, stored, warm_phases},
};

const LONG: Duration = Duration::from_mins(1);
const MAX_BYTES: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_journal_makes_publishers_wait_and_loses_nothing() {
    let (mut influx, daemon) = without_influx("stop_acknowledging").await;
    let publisher = Publisher::start(Plan::new(daemon.mqtt(), "publisher"), message(now_ms()));
    not_ready(&daemon, "the journal is full").await;
    not_ready(&daemon, "publishers wait, nothing is lost").await;
    assert!(on_disk(&daemon) <= MAX_BYTES, "{} bytes", on_disk(&daemon));
    let held = publisher.acknowledged_count();

    influx.start_again().await;
    wait::until("publishers go on", LONG, || publisher.acknowledged_count() > held + 2000).await;
    let acknowledged = publisher.stop().await;
    ready(&daemon).await;
    let dropped = daemon.figure("waystation_journal_dropped_messages_total").await;
    assert!(dropped < 1.0, "{dropped} messages dropped");
    wait::until_async("InfluxDB has every message", LONG, async || {
        arrived(&influx).await.is_superset(&acknowledged)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_journal_drops_its_oldest_and_counts_them_where_it_is_told_to() {
    let (mut influx, daemon) = without_influx("drop_oldest").await;
    // Small groups: what the store holds in memory is groups, and is not lost with them.
    let plan = Plan { window: 50, ..Plan::new(daemon.mqtt(), "publisher") };
    let publisher = Publisher::start(plan, message(now_ms()));
    let figure = "waystation_journal_dropped_messages_total";
    wait::until_async("messages are dropped", LONG, async || daemon.figure(figure).await > 1e4)
        .await;
    let held = publisher.acknowledged_count();
    wait::until("publishers go on", LONG, || publisher.acknowledged_count() > held + 1000).await;
    not_ready(&daemon, "of its oldest messages were dropped").await;
    let acknowledged = publisher.stop().await;
    assert!(on_disk(&daemon) <= MAX_BYTES, "{} bytes", on_disk(&daemon));
    let said = daemon.log().matches("drops its oldest messages").count();
    assert_eq!(said, 1, "{}", daemon.log());

    influx.start_again().await;
    ready(&daemon).await;
    let newest = acknowledged.iter().rev().take(2000).copied().collect::<BTreeSet<_>>();
    wait::until_async("InfluxDB has the newest messages", LONG, async || {
        arrived(&influx).await.is_superset(&newest)
    })
    .await;
    let missing = acknowledged.difference(&arrived(&influx).await).count();
    let dropped = daemon.figure(figure).await;
    assert!(missing > 0 && missing <= whole(dropped), "{missing} missing, {dropped} counted");
}

/// A daemon whose journal is small and whose InfluxDB is not there yet.
async fn without_influx(when_full: &str) -> (Influx, Daemon) {
    let mut influx = Influx::start().await;
    influx.stop().await;
    let settings = format!(
        "[listen]\nmqtt = \"127.0.0.1:0\"\n[web]\nlisten = \"127.0.0.1:0\"\n\
         [journal]\nmax_bytes = {MAX_BYTES}\nwhen_full = \"{when_full}\"\n{}\
         batch_lines = 200\nin_flight = 1\n",
        influx.settings()
    );
    let daemon = Daemon::start(&settings, &stations()).await;
    (influx, daemon)
}

/// The numbers of the messages that InfluxDB has.
async fn arrived(influx: &Influx) -> BTreeSet<u64> {
    let flux = format!(
        r#"from(bucket: "{BUCKET}") |> range(start: 1970-01-01T00:00:00Z, stop: 2200-01-01T00:00:00Z)
           |> filter(fn: (r) => r._measurement == "fridge" and r._field == "items_out_total")
           |> group() |> keep(columns: ["_value"])"#
    );
    influx.query(&flux).await.iter().map(|row| row["_value"].parse().unwrap()).collect()
}

fn whole(figure: f64) -> usize {
    format!("{figure:.0}").parse().unwrap()
}

/// What the journal takes, with its write-ahead log.
fn on_disk(daemon: &Daemon) -> u64 {
    let size = |name| fs::metadata(daemon.data_dir().join(name)).map_or(0, |file| file.len());
    size("journal.sqlite") + size("journal.sqlite-wal")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_acknowledges_nothing_that_is_not_on_it_and_it_goes_on_by_itself() {
    let name = "disk::a_full_disk_acknowledges_nothing_that_is_not_on_it_and_it_goes_on_by_itself";
    if ran_elsewhere(name) {
        return;
    }
    let target = Target::start(Mood::Fine).await;
    let (mut daemon, port) = prepared(&target);
    let disk = SmallDisk::mount(&daemon.data_dir(), 24);
    daemon.start_again().await;
    let publisher = publisher(port);
    acknowledges(&publisher, 2000).await;

    full(&disk, &daemon, "no room left").await;
    let (status, page) = daemon.get("/metrics").await;
    assert!(status == 200 && page.contains("waystation_journal_bytes"), "{status} {page}");
    disk.free();
    acknowledges(&publisher, 1000).await;
    ready(&daemon).await;

    full(&disk, &daemon, "no room left").await;
    daemon.kill();
    let acknowledged = publisher.acknowledged();
    disk.free();
    daemon.start_again().await;
    wait::until("it goes on", LONG, || publisher.acknowledged_count() > acknowledged.len() + 1000)
        .await;
    settled(daemon, publisher, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_store_wait_for_room_and_then_go_on_while_the_journal_takes_messages() {
    let name =
        "disk::alerts_and_store_wait_for_room_and_then_go_on_while_the_journal_takes_messages";
    if ran_elsewhere(name) {
        return;
    }
    let target = Target::start(Mood::Fine).await;
    let (mut daemon, port) = prepared(&target);
    let disk = SmallDisk::mount(&daemon.folder().join("small"), 8);
    fs::create_dir_all(daemon.data_dir()).unwrap();
    for file in ["alerts.sqlite", "store.sqlite"] {
        symlink(daemon.folder().join("small").join(file), daemon.data_dir().join(file)).unwrap();
    }
    daemon.start_again().await;
    let publisher = publisher(port);
    acknowledges(&publisher, 2000).await;

    full(&disk, &daemon, "store.sqlite").await;
    full(&disk, &daemon, "the ledger of alerts").await;
    acknowledges(&publisher, 1000).await;
    disk.free();
    ready(&daemon).await;
    acknowledges(&publisher, 1000).await;
    settled(daemon, publisher, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_fail_acknowledge_nothing_and_it_goes_on_once_they_succeed() {
    let target = Target::start(Mood::Fine).await;
    let (mut daemon, port) = prepared(&target);
    daemon.start_again().await;
    let publisher = publisher(port);
    acknowledges(&publisher, 2000).await;

    // Nothing beyond this place in any file: EFBIG, which SQLite takes for a failing disk.
    limit_files(&mut daemon, "150000");
    not_ready(&daemon, "cannot write the journal").await;
    not_ready(&daemon, "disk I/O error").await;
    let (status, _) = daemon.get("/metrics").await;
    assert_eq!(status, 200);
    limit_files(&mut daemon, "unlimited");
    acknowledges(&publisher, 1000).await;
    ready(&daemon).await;

    limit_files(&mut daemon, "150000");
    not_ready(&daemon, "cannot write the journal").await;
    daemon.kill();
    daemon.start_again().await;
    acknowledges(&publisher, 1000).await;
    settled(daemon, publisher, &target).await;
}

fn limit_files(daemon: &mut Daemon, bytes: &str) {
    let process = daemon.process().id().to_string();
    let limit = format!("--fsize={bytes}:unlimited");
    let limited = Command::new("prlimit").args(["--pid", &process, &limit]).status();
    assert!(limited.expect("prlimit of util-linux").success());
}

/// A daemon that is not started yet, and the port it will listen at. The journal is so small that
/// the store must write every 1000 messages.
fn prepared(target: &Target) -> (Daemon, u16) {
    let port = free_port();
    let settings = format!(
        "[listen]\nmqtt = \"127.0.0.1:{port}\"\n[web]\nlisten = \"127.0.0.1:0\"\n\
         [journal]\nmax_bytes = \"1MiB\"\n{}",
        target.settings()
    );
    (Daemon::prepare(&settings, &stations()), port)
}

fn publisher(port: u16) -> Publisher {
    let plan = Plan { rate: 1000, ..Plan::new(format!("127.0.0.1:{port}"), "publisher") };
    Publisher::start(plan, message(now_ms()))
}

async fn acknowledges(publisher: &Publisher, more: usize) {
    let before = publisher.acknowledged_count();
    let what = format!("{more} more are acknowledged");
    wait::until(&what, LONG, || publisher.acknowledged_count() >= before + more).await;
}

/// Fills `disk` until the daemon says so.
async fn full(disk: &SmallDisk, daemon: &Daemon, why: &str) {
    readyz(daemon, 503, why, || disk.fill()).await;
}

async fn not_ready(daemon: &Daemon, why: &str) {
    readyz(daemon, 503, why, || ()).await;
}

async fn ready(daemon: &Daemon) {
    readyz(daemon, 200, "", || ()).await;
}

async fn readyz(daemon: &Daemon, expected: u16, why: &str, meanwhile: impl Fn()) {
    let deadline = Instant::now() + LONG;
    loop {
        meanwhile();
        let (status, body) = daemon.get("/readyz").await;
        if status == expected && body.contains(why) {
            return;
        }
        assert!(Instant::now() < deadline, "no {why:?} in {status} {body}:\n{}", daemon.log());
        sleep(Duration::from_millis(50)).await;
    }
}

/// Everything acknowledged is stored once, and every alert is told once, also across a restart.
async fn settled(mut daemon: Daemon, publisher: Publisher, target: &Target) {
    let acknowledged = publisher.stop().await;
    drained(&daemon).await;
    let status = daemon.stop(Duration::from_secs(10)).await;
    assert!(status.success(), "{status}:\n{}", daemon.log());
    daemon.start_again().await;
    let newest = *acknowledged.last().unwrap();
    wait::until_async("the newest message is stored", LONG, async || {
        stored(&daemon).await.contains_key(&newest)
    })
    .await;
    let stored = stored(&daemon).await;
    let missing: Vec<_> = acknowledged.iter().filter(|n| !stored.contains_key(n)).collect();
    assert!(missing.is_empty(), "{} of {} lost", missing.len(), acknowledged.len());
    let doubled: Vec<_> = stored.iter().filter(|(_, times)| **times > 1).collect();
    assert!(doubled.is_empty(), "stored more than once: {doubled:?}");
    let phases = warm_phases((0..=newest).take_while(|n| acknowledged.contains(n)).last().unwrap());
    wait::until("every alert is told", LONG, || told(target).len() >= phases).await;
    let most = warm_phases(newest + 1000);
    assert!(told(target).len() <= most, "{most} at most: {:#?}", told(target));
}

/// The alerts of the one rule that is counted, whose beginning was told.
fn told(target: &Target) -> BTreeSet<String> {
    let calls = target.confirmed("alert.firing");
    let alerts = calls.iter().map(|call| call.json()["alert"].clone());
    alerts.filter(|alert| alert["rule"] == "too_warm").map(|alert| alert.to_string()).collect()
}
