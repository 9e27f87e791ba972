//! The commands a newcomer uses: `demo`, `simulate`, `export`, and what they say when used wrongly.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that cannot go on fails its test")]

#[path = "support/mod.rs"]
mod support;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output},
    sync::{Arc, Mutex},
    time::Duration,
};

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::Value;
use support::{
    daemon::Daemon,
    mosquitto::Mosquitto,
    process::Process,
    publisher::{Plan, Publisher},
    wait,
};
use tokio::task::JoinSet;
use waystation::clock::Clock;

const MINUTE: Duration = Duration::from_mins(1);
const SETTINGS: &str = "[listen]\nmqtt = \"127.0.0.1:0\"\n[web]\nlisten = \"127.0.0.1:0\"\n";
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
        { id = "fridge-1", profile = "fridge" }, { id = "door-1", profile = "door" },
        { id = "aed-1", profile = "aed" }, { id = "people-1", profile = "people" },
        { id = "banks-1", profile = "power_banks" },
    ]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_stations_readings_and_an_alert_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut command = waystation();
    command.args(["demo", "--web", "127.0.0.1:0", "--config"]).arg(root("config"));
    command.env("TMPDIR", &temporary);
    let mut demo = Process::start(&mut command, &folder.path().join("log"));
    wait::until_said("Waystation is at  http://", MINUTE, || demo.log()).await;
    let log = demo.log();
    let (_, after) = log.split_once("Waystation is at  ").unwrap();
    let address = after.split_whitespace().next().unwrap().to_owned();

    let http = reqwest::Client::new();
    let list = async |path: &str| -> Vec<Value> {
        let answer = http.get(format!("{address}/api/v1/{path}")).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    };
    assert!(list("stations").await.len() >= 480, "all four fleets");
    wait::until_async("every station has readings", MINUTE, async || {
        list("stations").await.iter().all(|station| station["last_reading"].is_i64())
    })
    .await;
    wait::until_async("an alert is open", MINUTE, async || {
        !list("alerts?state=open").await.is_empty()
    })
    .await;
    assert_eq!(list("rejections").await, [""; 0], "the demo's own devices speak well");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 1);

    demo.signal("INT");
    let status = demo.ended(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{}", demo.log());
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "its folder is still there");
    let log = demo.log();
    let errors = log.lines().filter(|line| line.contains("ERROR"));
    assert_eq!(errors.filter(|line| !line.contains("disk_nearly_full")).count(), 0, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_simulated_message_is_acknowledged_and_none_refused() {
    let daemon = Daemon::start(SETTINGS, STATIONS).await;
    let to = format!("mqtt://{}", daemon.mqtt());
    let said = simulate(&daemon.config_dir(), &to, &["--speed", "1800", "--for", "4s"]).await;
    let (published, acknowledged) = (count(&said, "published "), count(&said, "acknowledged "));
    assert!(published > 200, "{said}");
    assert_eq!(published, acknowledged, "{said}");
    assert_eq!(daemon.get_json("/api/v1/rejections").await, serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_publishes_the_same() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("stations")).unwrap();
    fs::write(folder.path().join("waystation.toml"), "").unwrap();
    fs::write(folder.path().join("stations/tests.toml"), STATIONS).unwrap();
    let mut heard = Vec::new();
    for seed in ["7", "7", "8"] {
        let broker = Mosquitto::start().await;
        let ear = Ear::listen(&broker).await;
        let start = "2026-01-05T10:00:00+08:00";
        let how = ["--seed", seed, "--start", start, "--speed", "1800", "--for", "4s"];
        let said = simulate(folder.path(), &broker.url(), &how).await;
        heard.push(ear.heard(count(&said, "acknowledged ")).await);
    }
    let device = |run: &[(String, Value)], name: &str| -> Vec<Value> {
        run.iter().filter(|(topic, _)| topic.contains(name)).map(|(_, says)| says.clone()).collect()
    };
    for name in ["fridge-1", "door-1", "aed-1", "people-1", "banks-1"] {
        let [one, again, other] = [0, 1, 2].map(|run| device(&heard[run], name));
        // A run ends with the clock: the last messages of one may be missing in the other.
        let both = one.len().min(again.len());
        assert!(both >= 3, "{name} said {both} things");
        assert_eq!(one[..both], again[..both], "{name}");
        assert_ne!(one[..both.min(other.len())], other[..both.min(other.len())], "{name}");
    }
}

/// More devices than connections, and stations that only a file has which `simulate` itself wrote.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_knows_invented_stations_by_the_files_that_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let stations = folder.path().join("stations");
    fs::create_dir(&stations).unwrap();
    fs::write(folder.path().join("waystation.toml"), "").unwrap();
    fs::write(stations.join("d.toml"), STATIONS).unwrap();
    let mut write = waystation();
    write.args(["simulate", "--stations", "40", "--config"]).arg(folder.path());
    assert!(write.arg("--write").arg(&stations).status().unwrap().success());
    let invented = fs::read_to_string(stations.join("d-sim-01.toml")).unwrap();

    let daemon = Daemon::start(SETTINGS, &invented).await;
    let to = format!("mqtt://{}", daemon.mqtt());
    let how = ["--speed", "600", "--for", "3s", "--connections", "50"];
    let said = simulate(&daemon.config_dir(), &to, &how).await;
    assert_eq!(count(&said, "published "), count(&said, "acknowledged "), "{said}");
    assert!(said.contains("39 connections made"), "{said}");
    assert_eq!(daemon.get_json("/api/v1/rejections").await, serde_json::json!([]));
    let known = daemon.get_json("/api/v1/stations").await;
    let known = known.as_array().unwrap();
    assert_eq!(known.len(), 39);
    assert!(known.iter().all(|station| station["last_reading"].is_i64()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_is_exported_as_csv_and_as_json_lines() {
    let mut daemon = Daemon::start(SETTINGS, STATIONS).await;
    let plan = Plan { count: 3, ..Plan::new(daemon.mqtt(), "fridge") };
    let first = Clock::system().now().0 - 60_000;
    let make = move |n| {
        let at = first + i64::try_from(n).unwrap() * 1000;
        let payload = format!(
            r#"{{"boot":1,"seq":{},"at":{at},"readings":[{{"dt":0,"temp_c":{n}.5}}]}}"#,
            n + 1
        );
        ("waystation/v1/d/s/fridge-1/telemetry".to_owned(), payload.into_bytes())
    };
    Publisher::start(plan, Arc::new(make)).finished(MINUTE).await;
    wait::until_async("all is stored", MINUTE, async || {
        daemon.figure("waystation_readings_stored_total").await > 2.5
    })
    .await;
    assert!(daemon.stop(Duration::from_secs(10)).await.success());

    let csv = export(&daemon.config_dir(), &["--format", "csv"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 4, "{csv}");
    assert!(lines[1].contains("fridge-1") && lines[1].contains("temp_c"), "{csv}");
    let jsonl = export(&daemon.config_dir(), &["--format", "jsonl", "--of", "d/s/fridge-1"]);
    let points: Vec<Value> =
        jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let values: Vec<f64> = points.iter().map(|point| point["value"].as_f64().unwrap()).collect();
    assert_eq!(values, [0.5, 1.5, 2.5], "{jsonl}");
    assert_eq!(export(&daemon.config_dir(), &["--of", "d/s/door-1"]).lines().count(), 1);
}

#[test]
fn wrong_use_exits_with_2_and_says_how_it_is_used() {
    for arguments in [
        &["fly"][..],
        &["run", "--speed", "2"],
        &["simulate"],
        &["simulate", "--to", "mqtt://127.0.0.1:1", "--for", "soon"],
        &["simulate", "--write", "x"],
        &["simulate", "--to", "mqtt://127.0.0.1:1", "--stations", "9", "--write", "x"],
        &["export", "--format", "xml"],
        &["demo", "--seed", "many"],
        &["--log-format", "loud", "run"],
        &[],
    ] {
        let output = waystation().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_done_exits_with_1_and_one_line() {
    let config = root("config");
    let config = config.to_str().unwrap();
    for (arguments, words) in [
        (&["simulate", "--to", "http://x"][..], "mqtt://"),
        (&["simulate", "--to", "mqtt://x", "--speed", "0"], "--speed must be above 0"),
        (&["simulate", "--to", "mqtt://x", "--stations", "9999", "--in", "d"], "district \"d\""),
        (&["demo", "--web", "nowhere"], "nowhere"),
        (&["export", "--from", "yesterday"], "--from"),
    ] {
        let output = waystation().args(["--config", config]).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    }
}

fn waystation() -> Command {
    Command::new(env!("CARGO_BIN_EXE_waystation"))
}

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs `waystation simulate` to its end; what it said last.
async fn simulate(config: &Path, to: &str, how: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = waystation();
    command.args(["simulate", "--to", to, "--config"]).arg(config).args(how);
    let mut process = Process::start(&mut command, &folder.path().join("log"));
    let status = process.ended(MINUTE).await;
    assert!(status.success(), "{status}: {}", process.log());
    process.log()
}

/// The number behind `words`.
fn count(said: &str, words: &str) -> usize {
    let (_, after) = said.rsplit_once(words).unwrap_or_else(|| panic!("no {words:?} in {said}"));
    after.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

fn export(config: &Path, how: &[&str]) -> String {
    let Output { status, stdout, stderr } =
        waystation().arg("export").arg("--config").arg(config).args(how).output().unwrap();
    if !status.success() {
        std::io::stderr().write_all(&stderr).unwrap();
        panic!("export ended with {status}");
    }
    String::from_utf8(stdout).unwrap()
}

/// Hears everything that is published at a broker.
struct Ear {
    heard: Arc<Mutex<Vec<(String, Value)>>>,
    _task: JoinSet<()>,
}

impl Ear {
    async fn listen(broker: &Mosquitto) -> Self {
        let mut options = MqttOptions::new("ear", "127.0.0.1", broker.port());
        options.set_keep_alive(MINUTE);
        let (client, mut events) = AsyncClient::new(options, 10);
        client.subscribe("#", QoS::AtLeastOnce).await.unwrap();
        while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::SubAck(_))) {}
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let _client = client;
            while let Ok(event) = events.poll().await {
                if let Event::Incoming(Packet::Publish(publish)) = event {
                    let mut says: Value = serde_json::from_slice(&publish.payload).unwrap();
                    says.as_object_mut().unwrap().remove("at");
                    ear.lock().unwrap().push((publish.topic, says));
                }
            }
        });
        Self { heard, _task: task }
    }

    /// What it heard, once that are at least so many.
    async fn heard(self, count: usize) -> Vec<(String, Value)> {
        wait::until("the broker passes all on", MINUTE, || {
            self.heard.lock().unwrap().len() >= count
        })
        .await;
        self.heard.lock().unwrap().clone()
    }
}
