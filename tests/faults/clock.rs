//! Fault 12: the clock jumps an hour forward and back. Debian's libfaketime sets it, for the daemon
//! alone.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::time::sleep;

use crate::{
    support::{
        daemon::Daemon,
        process::find,
        publisher::{Make, Plan, Publisher},
        wait,
    },
    target::{Mood, Target},
    town::now_ms,
};

const SETTINGS: &str = "[listen]\nmqtt = \"127.0.0.1:0\"\n[web]\nlisten = \"127.0.0.1:0\"\n\
                        [alert]\nstartup_grace = \"0s\"\n";
const STATIONS: u64 = 8;
const PROFILES: u64 = 5;
const DEVICES: u64 = STATIONS * PROFILES;
const RATE: u32 = 200;
/// How long a fridge must be too warm.
const HOLD: Duration = Duration::from_secs(6);
/// What a loaded machine may add, and the pulse that tells a jump from time that passes.
const SLACK: Duration = Duration::from_secs(1);

/// The daemon's clock, by what it differs from the true one.
struct Clock(PathBuf);

impl Clock {
    fn of(daemon: &mut Daemon) -> Self {
        let clock = Self(daemon.folder().join("clock"));
        clock.set("+0");
        let libraries = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
        let library =
            find("libfaketime", libraries.map(|folder| folder.join("faketime/libfaketimeMT.so.1")));
        daemon.set_env("LD_PRELOAD", library.to_str().unwrap());
        daemon.set_env("FAKETIME_TIMESTAMP_FILE", clock.0.to_str().unwrap());
        for name in ["FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"] {
            daemon.set_env(name, "1");
        }
        clock
    }

    /// The file is whole at every moment: the daemon reads it whenever it asks for the time.
    fn set(&self, difference: &str) {
        let part = self.0.with_extension("part");
        fs::write(&part, difference).unwrap();
        fs::rename(part, &self.0).unwrap();
    }
}

fn stations() -> String {
    let station = |s: u64| {
        let device = |profile| format!("{{ id = \"{profile}-1\", profile = \"{profile}\" }}");
        let devices: Vec<String> = (0..PROFILES).map(|p| device(profile(p).0)).collect();
        format!(
            "[[stations]]\nid = \"s{s}\"\nname = {{ en = \"S\", zh = \"站\" }}\nopens = \"24h\"\n\
             devices = [ {} ]\n",
            devices.join(", ")
        )
    };
    format!(
        "[district]\nid = \"d\"\nname = {{ en = \"D\", zh = \"区\" }}\ntime_zone = \"Asia/Shanghai\"\n\
         {}[rules.fridge.too_warm]\nfor = \"{}s\"\nclear_after = \"0s\"\n\
         [rules.fridge.warming_fast]\nenabled = false\n",
        (0..STATIONS).map(station).collect::<String>(),
        HOLD.as_secs()
    )
}

/// A profile, the metric that carries the number of a message in thousandths above some value, and
/// what else its devices say.
fn profile(index: u64) -> (&'static str, &'static str, f64, &'static str) {
    match index {
        0 => ("fridge", "items_out_total", 0.0, ""),
        1 => ("aed", "cabinet_humidity_pct", 30.0, r#","ready":true,"cabinet_open":false"#),
        2 => ("people", "out_total", 0.0, r#","occupancy":3"#),
        3 => ("power_banks", "available", 10.0, r#","temp_max_c":29.5"#),
        _ => ("door", "battery_pct", 50.0, r#","open":false,"mode":"scheduled""#),
    }
}

/// Which fridges are too warm, one bit a station.
type Warm = Arc<AtomicU64>;

/// Message `n` is of device `n % DEVICES`. Devices of stations with an even number have a clock, which
/// is right; the others have none.
fn message(warm: &Warm) -> Make {
    let warm = Arc::clone(warm);
    Arc::new(move |n| {
        let (device, seq) = (n % DEVICES, n / DEVICES + 1);
        let (station, (name, metric, base, more)) = (device / PROFILES, profile(device % PROFILES));
        let value = base + f64::from(u32::try_from(n).unwrap()) / 1000.0;
        let is_warm = warm.load(Ordering::SeqCst) >> station & 1 == 1;
        let temp = match name {
            "fridge" if is_warm => r#","temp_c":9.5"#,
            "fridge" => r#","temp_c":4.0"#,
            _ => "",
        };
        let at = if has_clock(station) { format!(r#","at":{}"#, now_ms()) } else { String::new() };
        let payload = format!(
            r#"{{"boot":1,"seq":{seq}{at},"readings":[{{"{metric}":{value}{temp}{more}}}]}}"#
        );
        (format!("waystation/v1/d/s{station}/{name}-1/telemetry"), payload.into_bytes())
    })
}

fn has_clock(station: u64) -> bool {
    station.is_multiple_of(2)
}

/// The numbers in the store, each as often as it is there.
async fn stored(daemon: &Daemon) -> Vec<u64> {
    let mut numbers = Vec::new();
    for device in 0..DEVICES {
        let (station, (name, metric, base, _)) = (device / PROFILES, profile(device % PROFILES));
        let path = format!(
            "/api/v1/series?device=d/s{station}/{name}-1&metric={metric}&from=0&to=4102444800000"
        );
        for point in daemon.get_json(&path).await.as_array().unwrap() {
            let number = (point["value"].as_f64().unwrap() - base) * 1000.0;
            numbers.push(format!("{number:.0}").parse().unwrap());
        }
    }
    numbers.sort_unstable();
    numbers
}

/// Everything that was told until now: type, device, rule.
fn told(target: &Target) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let calls = target.calls().into_iter().map(|call| call.json());
    let mut told: Vec<_> = calls
        .map(|body| {
            let alert = &body["alert"];
            let device = format!("{}/{}", text(&alert["station"]), text(&alert["device"]));
            (text(&body["type"]), device, text(&alert["rule"]))
        })
        .collect();
    told.sort();
    told
}

fn firing(station: u64) -> (String, String, String) {
    ("alert.firing".to_owned(), format!("s{station}/fridge-1"), "too_warm".to_owned())
}

fn resolved(station: u64) -> (String, String, String) {
    ("alert.resolved".to_owned(), format!("s{station}/fridge-1"), "too_warm".to_owned())
}

/// Waits until every device has reported again, twice.
async fn everybody_reports(publisher: &Publisher) {
    let before = publisher.acknowledged_count();
    let enough = usize::try_from(DEVICES * 2).unwrap();
    wait::until("every device reports", Duration::from_secs(20), || {
        publisher.acknowledged_count() >= before + enough
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_forward_and_back_raises_nothing_and_loses_nothing() {
    let target = Target::start(Mood::Fine).await;
    let mut daemon = Daemon::prepare(&format!("{SETTINGS}{}", target.settings()), &stations());
    let clock = Clock::of(&mut daemon);
    daemon.start_again().await;
    let warm = Warm::default();
    let plan = Plan { rate: RATE, ..Plan::new(daemon.mqtt(), "publisher") };
    let publisher = Publisher::start(plan, message(&warm));
    everybody_reports(&publisher).await;

    let mut expected = Vec::new();
    // Fridges without a clock: for those with one our jump is a backlog of an hour.
    for (station, difference) in [(1, "+3600"), (3, "+0"), (5, "-3600"), (7, "+0")] {
        let begun = Instant::now();
        warm.store(1 << station, Ordering::SeqCst);
        // Some of its time has passed, most is left.
        sleep(HOLD / 4).await;
        clock.set(difference);
        let fired = firing(station);
        wait::until("the alert fires", HOLD * 3, || told(&target).contains(&fired)).await;
        let after = begun.elapsed();
        assert!(after + SLACK > HOLD, "{difference}: fired after {after:?} of {HOLD:?}");
        warm.store(0, Ordering::SeqCst);
        let resolved = resolved(station);
        wait::until("it is resolved", HOLD, || told(&target).contains(&resolved)).await;
        everybody_reports(&publisher).await;
        expected.extend([fired, resolved]);
        expected.sort();
        assert_eq!(told(&target), expected, "after a clock of {difference}:\n{}", daemon.log());
    }
    assert_eq!(daemon.log().matches("the clock was set").count(), 4, "{}", daemon.log());

    let acknowledged = publisher.stop().await;
    everything_once(&daemon, acknowledged.into_iter().collect()).await;
    let listed = daemon.get_json("/api/v1/alerts?state=all").await;
    assert_eq!(listed.as_array().unwrap().len(), 4, "{listed}");
}

async fn everything_once(daemon: &Daemon, acknowledged: Vec<u64>) {
    let newest = acknowledged.last().unwrap();
    wait::until_async("the newest is stored", Duration::from_secs(20), async || {
        stored(daemon).await.contains(newest)
    })
    .await;
    let mut found = stored(daemon).await;
    let lost: Vec<_> = acknowledged.iter().filter(|n| found.binary_search(n).is_err()).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), acknowledged.len());
    let all = found.len();
    found.dedup();
    assert_eq!(all, found.len(), "some are stored twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_while_we_were_away_raises_nothing_and_loses_nothing() {
    let target = Target::start(Mood::Fine).await;
    let port = crate::support::free_port();
    let settings = SETTINGS.replace("127.0.0.1:0\"\n[web]", &format!("127.0.0.1:{port}\"\n[web]"));
    let mut daemon = Daemon::prepare(&format!("{settings}{}", target.settings()), &stations());
    let clock = Clock::of(&mut daemon);
    clock.set("+3600");
    daemon.start_again().await;
    let warm = Warm::default();
    warm.store(1 << 1, Ordering::SeqCst);
    let plan = Plan { rate: RATE, ..Plan::new(format!("127.0.0.1:{port}"), "publisher") };
    let publisher = Publisher::start(plan, message(&warm));
    let fired = vec![firing(1)];
    wait::until("the alert fires", HOLD * 3, || told(&target) == fired).await;

    // Another one waits to fire when we go.
    warm.store(1 << 1 | 1 << 3, Ordering::SeqCst);
    everybody_reports(&publisher).await;
    let status = daemon.stop(Duration::from_secs(10)).await;
    assert!(status.success(), "{status}:\n{}", daemon.log());
    clock.set("+0");
    daemon.start_again().await;
    let both = vec![firing(1), firing(3)];
    wait::until("the one that waited fires", HOLD * 3, || told(&target).len() > 1).await;
    everybody_reports(&publisher).await;
    assert_eq!(told(&target), both, "{}", daemon.log());
    warm.store(0, Ordering::SeqCst);
    let all = vec![firing(1), firing(3), resolved(1), resolved(3)];
    wait::until("both are resolved", HOLD, || told(&target).len() >= all.len()).await;
    everybody_reports(&publisher).await;
    assert_eq!(told(&target), all, "{}", daemon.log());
    let acknowledged = publisher.stop().await;
    everything_once(&daemon, acknowledged.into_iter().collect()).await;
}
