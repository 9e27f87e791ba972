//! What people say, and what they are told again: acknowledgements, repeated notices and records
//! outlive the daemon.

use std::{collections::BTreeSet, process::Command, time::Duration};

use serde_json::{Value, json};

use crate::{
    support::{
        daemon::Daemon,
        publisher::{Plan, Publisher},
        wait,
    },
    target::{Mood, Target},
};

const SOON: Duration = Duration::from_secs(30);

const STATIONS: &str = r#"
    [district]
    id = "d"
    name = { en = "District", zh = "区" }
    time_zone = "Asia/Shanghai"
    [[stations]]
    id = "s"
    name = { en = "Station", zh = "站" }
    devices = [ { id = "people-1", profile = "people" }, { id = "fridge-1", profile = "fridge" } ]
    [rules.people.sos]
    repeat = "1s"
"#;

async fn daemon(target: &Target) -> Daemon {
    let settings = format!(
        "[listen]\nmqtt = \"127.0.0.1:0\"\n[web]\nlisten = \"127.0.0.1:0\"\n\
         [[notify.webhooks]]\nurl = \"{}\"\n",
        target.url()
    );
    Daemon::start(&settings, STATIONS).await
}

async fn press_sos(daemon: &Daemon) {
    let plan = Plan { count: 1, ..Plan::new(daemon.mqtt(), "people") };
    let make = |_| ("waystation/v1/d/s/people-1/event".to_owned(), br#"{"sos": true}"#.to_vec());
    Publisher::start(plan, std::sync::Arc::new(make)).finished(SOON).await;
}

/// How often each notice says that it was told before, in the order they were confirmed.
fn repeats(target: &Target) -> Vec<u64> {
    let calls = target.calls().into_iter().filter(|call| call.confirmed);
    calls.map(|call| call.json()["alert"]["repeats"].as_u64().unwrap_or(0)).collect()
}

async fn told(target: &Target, often: u64) {
    wait::until("it is told again", SOON, || repeats(target).last().is_some_and(|n| *n >= often))
        .await;
}

async fn say(daemon: &Daemon, path: &str, body: &Value) -> (u16, Value) {
    let http = reqwest::Client::new();
    let request = http.post(format!("http://{}{path}", daemon.web()));
    let request = request.header("content-type", "application/json").body(body.to_string());
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_help_is_told_again_and_again_whatever_befalls_the_daemon() {
    let target = Target::start(Mood::Fine).await;
    let mut daemon = daemon(&target).await;
    press_sos(&daemon).await;
    told(&target, 3).await;
    for often in [4, 6] {
        daemon.kill();
        daemon.start_again().await;
        told(&target, often).await;
    }
    let found = repeats(&target);
    let unique: BTreeSet<_> = target.calls().into_iter().map(|call| call.id).collect();
    // Killed between a confirmation and our note of it, one is said again, with the same id.
    let distinct: BTreeSet<_> = found.iter().copied().collect();
    assert_eq!(unique.len(), distinct.len(), "{found:?}: each is one notice");
    assert!(found.is_sorted(), "{found:?}");
    let escalated = |call: &crate::target::Call| {
        call.json()["alert"]["escalated"].as_bool().unwrap_or_default()
    };
    let first = target.calls().into_iter().find(escalated).unwrap();
    assert_eq!(first.json()["alert"]["repeats"], 3);

    let open = daemon.get_json("/api/v1/alerts").await;
    let id = open[0]["id"].as_str().unwrap().to_owned();
    let body = json!({"by": "Li", "comment": "there in 5 minutes", "for": "1h"});
    let (status, known) = say(&daemon, &format!("/api/v1/alerts/{id}/acknowledge"), &body).await;
    assert_eq!((status, &known["state"]), (200, &json!("acknowledged")), "{known}");
    daemon.kill();
    daemon.start_again().await;
    let open = daemon.get_json("/api/v1/alerts").await;
    assert_eq!(open[0], known, "what was answered is on disk");
    let (_, ended) =
        say(&daemon, &format!("/api/v1/alerts/{id}/confirm"), &json!({"by": "Li"})).await;
    assert_eq!(ended["repeats"], known["repeats"], "nobody was told again meanwhile");
}

fn record(daemon: &Daemon, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waystation"));
    command.arg("record").arg("--config").arg(daemon.config_dir()).args(arguments);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_was_recorded_is_there_for_ever() {
    let target = Target::start(Mood::Fine).await;
    let mut daemon = daemon(&target).await;
    let (well, said) = record(
        &daemon,
        &["d/s/fridge-1", "replaced", "--part", "seal", "--by", "Li", "--set", "temp_c=4.5"],
    );
    assert!(well && said.contains("d/s/fridge-1 replaced seal by Li: recorded as "), "{said}");
    daemon.kill();
    daemon.start_again().await;
    let all = daemon.get_json("/api/v1/records?device=d/s/fridge-1").await;
    assert_eq!((all.as_array().unwrap().len(), &all[0]["part"]), (1, &json!("seal")), "{all}");
    assert_eq!(all[0]["values"], json!({"temp_c": 4.5}));

    for (arguments, expected) in [
        (
            ["d/s/fridge-9", "cleaned"],
            "not recorded: device: no device \"d/s/fridge-9\" is registered",
        ),
        (
            ["d/s/fridge-1", "cleand"],
            "there is no record of the kind \"cleand\" (did you mean \"cleaned\"?)",
        ),
    ] {
        let (well, said) = record(&daemon, &[&arguments[..], &["--by", "Li"]].concat());
        assert!(!well && said.contains(expected), "{said}");
    }
    assert!(daemon.stop(Duration::from_secs(10)).await.success());
    let (well, said) = record(&daemon, &["d/s/fridge-1", "cleaned", "--by", "Li"]);
    assert!(
        !well && (said.contains("nobody answers at") || said.contains("is the daemon running?")),
        "{said}"
    );
}
