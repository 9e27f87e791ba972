//! `validate`, `schema`, `docs` and `watch`, as an author of firmware uses them.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    daemon::Daemon,
    process::Process,
    publisher::{Plan, Publisher},
    wait,
};

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
    devices = [ { id = "fridge-1", profile = "fridge" }, { id = "aed-1", profile = "aed" } ]
    [rules.fridge.too_warm]
    for = "0s"
"#;

fn waystation() -> Command {
    Command::new(env!("CARGO_BIN_EXE_waystation"))
}

/// Runs it with this on stdin: its exit code, stdout, stderr.
fn run(arguments: &[&str], stdin: &[u8]) -> (i32, String, String) {
    let nowhere = tempfile::tempdir().unwrap();
    let mut command = waystation();
    command.args(arguments).current_dir(nowhere.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have ended without reading.
    child.stdin.take().unwrap().write_all(stdin).ok();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_message_is_accepted_with_0_and_refused_with_1() {
    let fridge = ["validate", "--profile", "fridge"];
    let (code, said, _) = run(&fridge, br#"{"temp_c": 4.1, "shelf": "top"}"#);
    assert_eq!(code, 0, "{said}");
    for part in ["accepted", "temp_c  4.1 °C", "by its receipt", "shelf  \"top\""] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    let (code, said, _) = run(&fridge, br#"{"door_open": true, "temp_c": "warm"}"#);
    assert_eq!(code, 1, "{said}");
    for part in ["refused in part", "/temp_c  wrong_type", "found     \"warm\"", "door_open  true"]
    {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    let large = vec![b' '; 70_000];
    let (code, said, _) = run(&fridge, &large);
    assert!(code == 1 && said.contains("too_large"), "{said}");
}

#[test]
fn the_three_sources_of_time_are_told_apart() {
    for (message, by) in [
        (r#"{"at":"2025-12-31T23:59:00Z","temp_c":4}"#, "device"),
        (r#"{"boot":1,"up":5,"temp_c":4}"#, "uptime"),
        (r#"{"temp_c":4}"#, "receipt"),
    ] {
        let at = ["--received", "2026-01-01T00:00:00Z", "--json"];
        let (code, said, _) =
            run(&[&["validate", "--profile", "fridge"], &at[..]].concat(), message.as_bytes());
        let verdict: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((code, &verdict["readings"][0]["placed_by"]), (0, &json!(by)), "{said}");
    }
}

#[test]
fn what_cannot_be_judged_exits_with_2_and_says_why() {
    for (arguments, words) in [
        (&["validate", "--profile", "frigde"][..], "did you mean \"fridge\"?"),
        (&["validate", "--profile", "fridge", "--kind", "sneeze"], "telemetry, event"),
        (&["validate", "--profile", "fridge", "--received", "soon"], "--received"),
        (&["validate", "--profile", "fridge", "--config", "/nowhere"], "/nowhere"),
        (&["validate"], "--profile"),
    ] {
        let (code, _, said) = run(arguments, b"{}");
        assert!(code == 2 && said.contains(words), "{arguments:?}: {code} {said}");
    }
}

#[test]
fn schemas_and_pages_are_printed_and_written() {
    let (code, said, _) = run(&["schema", "fridge"], b"");
    let schema: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &schema["$id"]), (0, &json!("urn:waystation:v1:telemetry:fridge")));
    let folder = tempfile::tempdir().unwrap();
    let (code, said, _) = run(&["schema", "--all", folder.path().to_str().unwrap()], b"");
    assert!(code == 0 && said.contains("schemas in"), "{said}");
    for name in ["telemetry.aed", "telemetry.fridge", "birth", "status", "rejected"] {
        assert!(folder.path().join(format!("{name}.schema.json")).is_file(), "{name}");
    }
    let (_, page, _) = run(&["docs", "firmware"], b"");
    let there =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/firmware.md"));
    assert_eq!(page, there.unwrap());
    assert!(run(&["asyncapi", "--profiles"], b"").1.contains("telemetry_aed:"));
}

/// Publishes these, in order, and waits until each is acknowledged.
async fn publish(daemon: &Daemon, messages: Vec<(&'static str, &'static str)>) {
    let count = u64::try_from(messages.len()).unwrap();
    let plan = Plan { count, ..Plan::new(daemon.mqtt(), "author") };
    let make = move |n| {
        let (device, payload) = messages.get(usize::try_from(n).unwrap()).unwrap();
        (format!("waystation/v1/d/s/{device}/telemetry"), payload.as_bytes().to_vec())
    };
    Publisher::start(plan, Arc::new(make)).finished(MINUTE).await;
}

fn watch(daemon: &Daemon, name: &str, arguments: &[&str]) -> Process {
    let mut command = waystation();
    command.arg("watch").args(arguments).arg("--config").arg(daemon.config_dir());
    Process::start(&mut command, &daemon.folder().join(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_author_sees_live_what_a_device_sends_and_what_becomes_of_it() {
    let mut daemon = Daemon::start(SETTINGS, STATIONS).await;
    let mut fridge = watch(&daemon, "fridge", &["--device", "d/s/fridge-1"]);
    let mut all = watch(&daemon, "all", &["--json"]);
    for process in [&fridge, &all] {
        wait::until_said("listening to http://", MINUTE, || process.log()).await;
    }
    let said = vec![
        ("fridge-1", r#"{"temp_c": 4.1}"#),
        ("fridge-1", r#"{"temp_c": "warm"}"#),
        ("fridge-9", r#"{"temp_c": 1}"#),
        ("aed-1", r#"{"battery_pct": 90}"#),
        ("fridge-1", r#"{"temp_c": 9.5}"#),
    ];
    publish(&daemon, said).await;
    for line in [
        "d/s/fridge-1  reading  temp_c 4.1 °C",
        "d/s/fridge-1  REFUSED  temp_c: expected a number, found \"warm\"  (wrong_type: Send numbers",
        "d/s/fridge-1  reading  temp_c 9.5 °C",
        "d/s/fridge-1  ALERT    firing: too_warm, major: Fridge at 9.5 °C",
    ] {
        wait::until_said(line, MINUTE, || fridge.log()).await;
    }
    assert!(
        !fridge.log().contains("aed-1") && !fridge.log().contains("fridge-9"),
        "{}",
        fridge.log()
    );
    wait::until_said("unknown_device", MINUTE, || all.log()).await;
    let events = all.log();
    let events = events.lines().filter(|line| line.starts_with('{'));
    let events: Vec<Value> = events.map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
    assert!(of("reading") >= 2 && of("rejection") == 2, "{events:?}");

    daemon.kill();
    wait::until_said("trying again", MINUTE, || fridge.log()).await;
    daemon.start_again().await;
    let again = || fridge.log().matches("listening to").count() > 1;
    wait::until("it listens to the new daemon", MINUTE, again).await;
    publish(&daemon, vec![("fridge-1", r#"{"temp_c": 5.25}"#)]).await;
    wait::until_said("temp_c 5.25 °C", MINUTE, || fridge.log()).await;
    for process in [&mut fridge, &mut all] {
        process.signal("INT");
        assert_eq!(process.ended(MINUTE).await.code(), Some(0), "{}", process.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_author_of_firmware_nobody_registered_sees_why_nothing_comes_of_it() {
    let daemon = Daemon::start(SETTINGS, STATIONS).await;
    let stranger = watch(&daemon, "stranger", &["--device", "d/s/fridge-9"]);
    wait::until_said("listening to", MINUTE, || stranger.log()).await;
    publish(&daemon, vec![("fridge-9", r#"{"temp_c": 1}"#)]).await;
    wait::until_said("unknown_device: Add the device", MINUTE, || stranger.log()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_and_the_command_come_to_the_same_verdict() {
    let daemon = Daemon::start(SETTINGS, STATIONS).await;
    for message in [r#"{"at":5,"temp_c":4.1,"x":1}"#, r#"{"temp_c":"warm"}"#, "[]", "{"] {
        let ask = json!({ "profile": "fridge", "payload": message }).to_string();
        let url = format!("http://{}/api/v1/validate", daemon.web());
        let post = reqwest::Client::new().post(url).header("content-type", "application/json");
        let answer = post.body(ask).send().await.unwrap().text().await.unwrap();
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        let fridge = ["validate", "--profile", "fridge", "--json"];
        let mut said: Value = serde_json::from_str(&run(&fridge, message.as_bytes()).1).unwrap();
        for verdict in [&mut answer, &mut said] {
            for reading in verdict["readings"].as_array_mut().unwrap() {
                reading["at"].take();
            }
        }
        assert_eq!(answer, said, "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_in_vain_says_why() {
    let daemon = Daemon::start(SETTINGS, STATIONS).await;
    let url = format!("http://{}", daemon.web());
    for (arguments, words) in [
        (&["--url", url.as_str(), "--device", "fridge-1"][..], "expected district/station/device"),
        (&["--url", "http://[x"], "http://[x"),
        (&[], "addresses.json: is the daemon of --config running?"),
    ] {
        let (code, _, said) = run(&[&["watch"], arguments].concat(), b"");
        assert!(code == 1 && said.contains(words), "{arguments:?}: {code} {said}");
    }
}
