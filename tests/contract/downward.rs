//! What the daemon really tells a device fits the schemas of what devices are told.

use std::{collections::BTreeMap, time::Duration};

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use tokio::time::timeout;
use waystation::contract;

use crate::support::{
    daemon::Daemon,
    validators::{Ask, Case, look},
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
    devices = [ { id = "banks-1", profile = "power_banks" } ]
"#;
const DEVICE: &str = "waystation/v1/d/s/banks-1";

async fn ask(daemon: &Daemon, method: reqwest::Method, what: &str, body: Value) {
    let url = format!("http://{}/api/v1/devices/d/s/banks-1/{what}", daemon.web());
    let asked = reqwest::Client::new().request(method, url);
    let asked = asked.header("content-type", "application/json").body(body.to_string());
    let answer = asked.send().await.unwrap();
    assert!(answer.status().is_success(), "{what}: {}", answer.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_told_what_the_schemas_say() {
    let daemon = Daemon::start(SETTINGS, STATIONS).await;
    let (host, port) =
        daemon.mqtt().split_once(':').map(|(h, p)| (h.to_owned(), p.parse().unwrap())).unwrap();
    let (client, mut events) = AsyncClient::new(MqttOptions::new("d.s.banks-1", host, port), 20);
    client.subscribe(format!("{DEVICE}/#"), QoS::AtLeastOnce).await.unwrap();
    client.subscribe("waystation/v1/time", QoS::AtMostOnce).await.unwrap();
    let publish = async |kind: &str, body: &str| {
        client.publish(format!("{DEVICE}/{kind}"), QoS::AtLeastOnce, false, body).await.unwrap();
    };
    publish("telemetry", r#"{"available": "many"}"#).await;
    publish("status", r#"{"state": "online"}"#).await;

    let mut told: BTreeMap<String, Value> = BTreeMap::new();
    let mut asked = false;
    let listen = async {
        while told.len() < 5 {
            match events.poll().await.unwrap() {
                Event::Incoming(Packet::SubAck(_)) if !asked => {
                    asked = true;
                    let order = json!({ "op": "eject", "args": { "slot": 3 }, "by": "Li" });
                    ask(&daemon, reqwest::Method::POST, "commands", order).await;
                    let wish = json!({ "settings": { "report_s": 30 }, "by": "Li" });
                    ask(&daemon, reqwest::Method::PUT, "config", wish).await;
                }
                Event::Incoming(Packet::Publish(heard)) => {
                    let kind = heard.topic.rsplit('/').next().unwrap().to_owned();
                    told.insert(kind, serde_json::from_slice(&heard.payload).unwrap());
                }
                _ => {}
            }
        }
    };
    let in_time = timeout(MINUTE, listen).await.is_ok();
    assert!(in_time, "only {told:?}");

    let down = contract::TOPICS.iter().filter(|t| t.direction == contract::Direction::Down);
    let kinds: Vec<&str> = down.map(|topic| topic.kind).collect();
    let mut question = Ask::default();
    for kind in &kinds {
        question.schemas.insert((*kind).to_owned(), contract::schema(kind, None));
        let message = told.get(*kind).unwrap_or_else(|| panic!("no {kind} in {told:?}")).clone();
        question.cases.push(Case { schema: (*kind).to_owned(), message });
    }
    for (kind, wrong) in kinds.iter().zip(look(&question).cases) {
        assert_eq!(wrong, None, "{kind}: {}", told[*kind]);
    }
}
