//! One station with a door and a power-bank cabinet, and what all these tests ask of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{daemon::Daemon, device::Device, mosquitto::Mosquitto, wait};

pub(crate) const LIMIT: Duration = Duration::from_secs(30);
pub(crate) const DOOR: &str = "waystation/v1/d/s/door-1";
pub(crate) const BANKS: &str = "waystation/v1/d/s/banks-1";
const COMMANDS: &str = "/api/v1/devices/d/s/door-1/commands";

pub(crate) const STATIONS: &str = r#"
    [district]
    id = "d"
    name = { en = "District", zh = "区" }
    time_zone = "Asia/Shanghai"
    [[stations]]
    id = "s"
    name = { en = "Station", zh = "站" }
    opens = "24h"
    devices = [ { id = "door-1", profile = "door" }, { id = "banks-1", profile = "power_banks" } ]
"#;

/// A daemon that devices connect to.
pub(crate) async fn straight() -> Daemon {
    let settings = "[listen]\nmqtt = \"127.0.0.1:0\"\n[web]\nlisten = \"127.0.0.1:0\"\n";
    Daemon::start(settings, STATIONS).await
}

/// A daemon with a session at `broker`.
pub(crate) async fn behind(broker: &Mosquitto) -> Daemon {
    let settings =
        format!("[subscribe]\nbroker = \"{}\"\n[web]\nlisten = \"127.0.0.1:0\"\n", broker.url());
    Daemon::start(&settings, STATIONS).await
}

/// Asks the door to unlock; gives the command's id.
pub(crate) async fn unlock(daemon: &Daemon, seconds: i64, expires: &str) -> String {
    let asked = json!({"op": "unlock", "args": {"for_s": seconds}, "expires": expires, "by": "Li"});
    let (status, command) = daemon.send("POST", COMMANDS, &asked).await;
    assert_eq!(status, 202, "{command}");
    command["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn command(daemon: &Daemon, id: &str) -> Value {
    let all = daemon.get_json(COMMANDS).await;
    let all = all.as_array().unwrap();
    all.iter()
        .find(|command| command["id"] == id)
        .unwrap_or_else(|| panic!("no {id} in {all:?}"))
        .clone()
}

/// Waits until the command is in `state`.
pub(crate) async fn becomes(daemon: &Daemon, id: &str, state: &str) -> Value {
    wait::until_async(&format!("command {id} is {state}"), LIMIT, async || {
        command(daemon, id).await["state"] == state
    })
    .await;
    command(daemon, id).await
}

/// The states a command went through.
pub(crate) fn states(command: &Value) -> Vec<&str> {
    let steps = command["history"].as_array().unwrap();
    steps.iter().map(|step| step["state"].as_str().unwrap()).collect()
}

/// The door, connected to `address` and listening for commands.
pub(crate) async fn door(address: &str) -> Device {
    let mut door = Device::connect(address, "d.s.door-1").await;
    door.subscribe(&format!("{DOOR}/command")).await;
    door
}

/// The next command the door hears.
pub(crate) async fn hears(door: &mut Device) -> Value {
    let (topic, told) = door.told().await;
    assert_eq!(topic, format!("{DOOR}/command"), "{told}");
    told
}

pub(crate) async fn reply(door: &mut Device, id: &str, state: &str) {
    let body = json!({ "id": id, "state": state }).to_string();
    door.publish(&format!("{DOOR}/reply"), body.as_bytes()).await;
}
