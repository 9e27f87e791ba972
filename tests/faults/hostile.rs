//! Fault 8: messages no device should send.
//!
//! Each is refused with its code, shown, and told to its device; what comes next on the same
//! connection is stored; and memory stays within [`ROOM`] of what it was.

use std::time::Duration;

use serde_json::Value;

use crate::{
    device::Device,
    support::{daemon::Daemon, free_port, mosquitto::Mosquitto, wait},
    town::stations,
};

const LIMIT: Duration = Duration::from_secs(30);
const MIB: usize = 1 << 20;
/// What the daemon may grow by, whatever is sent: less than two of the largest messages.
const ROOM: f64 = 32.0 * 1024.0 * 1024.0;
const WEB: &str = "[web]\nlisten = \"127.0.0.1:0\"\n";

/// What a device sends, and the code it is refused with.
struct Case {
    payload: Vec<u8>,
    code: &'static str,
}

fn case(payload: impl Into<Vec<u8>>, code: &'static str) -> Case {
    Case { payload: payload.into(), code }
}

fn cases() -> Vec<Case> {
    let deep = [r#"{"a":"#.repeat(10_000), "1".to_owned(), "}".repeat(10_000)].concat();
    vec![
        case(vec![b'x'; MIB], "too_large"),
        case(vec![b'x'; 20 * MIB], "too_large"),
        case(random(b'?'), "not_json"),
        // As CBOR begins.
        case(random(0xbf), "not_json"),
        case(deep, "too_deep"),
        case(["[".repeat(10_000), "]".repeat(10_000)].concat(), "too_deep"),
        case(r#"{"temp_c":1e400}"#, "bad_value"),
        case(r#"{"temp_c":NaN}"#, "bad_value"),
        case(b"{\"temp_c\":4.1,\"note\":\"a\xff\"}", "not_json"),
        case(r#"{"temp_c":4.1,"temp_c":9.5}"#, "doubled_key"),
        case("", "empty"),
        case("{}", "empty"),
        case("4.1", "not_an_object"),
        case(r#"{"temp_c":"warm"}"#, "wrong_type"),
        case(r#"{"temp_c":4100}"#, "implausible"),
        case(r#"{"at":0,"temp_c":4.1}"#, "bad_time"),
        case(r#"{"at":4294967295000,"temp_c":4.1}"#, "bad_time"),
        case(r#"{"card_no":"13812345678","temp_c":4.1}"#, "personal"),
        case(format!(r#"{{"readings":[{}]}}"#, vec![r#"{"temp_c":4}"#; 101].join(",")), "too_many"),
    ]
}

/// Bytes of no pattern, the same in every run.
fn random(first: u8) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let rest = (0..300).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    });
    [first].into_iter().chain(rest).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_device_sends_listen_refuses_it_alone() {
    let port = free_port();
    let daemon =
        Daemon::start(&format!("[listen]\nmqtt = \"127.0.0.1:{port}\"\n{WEB}"), &stations()).await;
    let address = format!("127.0.0.1:{port}");
    refused_alone(&daemon, &address).await;
    strangers_are_shown(&daemon, &address).await;
    a_device_speaks_for_itself_alone(&daemon, &address).await;
    a_wrong_depth_is_shown(&daemon, &address).await;
    retained_is_said_and_heard(&daemon, &address).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_device_sends_through_mosquitto_is_refused_alone() {
    let broker = Mosquitto::start().await;
    let address = format!("127.0.0.1:{}", broker.port());
    // The broker keeps it, and tells it again when we subscribe.
    let mut early = Device::connect(&address, "early").await;
    early.publish_as(&telemetry(39), br#"{"temp_c":4.2,"items_out_total":1}"#, true).await;
    let settings = format!("[subscribe]\nbroker = \"{}\"\n{WEB}", broker.url());
    let daemon = Daemon::start(&settings, &stations()).await;
    ready(&daemon).await;
    wait::until_async("the retained message is refused", LIMIT, async || {
        codes(&daemon, 39).await == ["retained"]
    })
    .await;
    assert_eq!(values(&daemon, 39).await, Vec::<f64>::new(), "yesterday's reading is not today's");
    refused_alone(&daemon, &address).await;
    strangers_are_shown(&daemon, &address).await;
}

/// Every case from a device of its own, all over one connection, each followed by a good message.
async fn refused_alone(daemon: &Daemon, address: &str) {
    let mut gateway = Device::connect(address, "gateway").await;
    let before = resident(daemon).await;
    let mut most = before;
    for (number, Case { payload, code }) in (1..).zip(cases()) {
        gateway.subscribe(&format!("waystation/v1/d/s/fridge-{number}/rejected")).await;
        gateway.publish(&telemetry(number), &payload).await;
        let good = format!(r#"{{"temp_c":4.5,"items_out_total":{number}}}"#);
        gateway.publish(&telemetry(number), good.as_bytes()).await;
        let (topic, told) = gateway.told().await;
        let head = String::from_utf8_lossy(&payload[..payload.len().min(40)]).into_owned();
        assert_eq!(topic, format!("waystation/v1/d/s/fridge-{number}/rejected"), "{head}");
        assert_eq!(told["code"], code, "{head}: {told}");
        wait::until_async("the good message is stored", LIMIT, async || {
            values(daemon, number).await == [f64::from(number)]
        })
        .await;
        assert_eq!(codes(daemon, number).await, [code], "{head}");
        most = most.max(resident(daemon).await);
    }
    assert!(most < before + ROOM, "grew from {before} to {most} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_messages_of_20_mib_at_once_cost_no_memory() {
    let port = free_port();
    let daemon =
        Daemon::start(&format!("[listen]\nmqtt = \"127.0.0.1:{port}\"\n{WEB}"), &stations()).await;
    let before = resident(&daemon).await;
    let payload = vec![b'x'; 20 * MIB];
    let mut devices = Vec::new();
    for number in 0..12 {
        let client_id = format!("d.s.fridge-{number}");
        let mut device = Device::connect(&format!("127.0.0.1:{port}"), &client_id).await;
        device.begin(&telemetry(number), &payload).await;
        devices.push(device);
    }
    let most = resident(&daemon).await;
    assert!(most < before + ROOM, "grew from {before} to {most} bytes for 240 MiB in flight");
    for (number, mut device) in (0..).zip(devices) {
        device.end(b'x').await;
        device.publish(&telemetry(number), br#"{"temp_c":4.5,"items_out_total":7}"#).await;
        wait::until_async("refused, and the next stored", LIMIT, async || {
            codes(&daemon, number).await == ["too_large"] && values(&daemon, number).await == [7.0]
        })
        .await;
    }
}

async fn strangers_are_shown(daemon: &Daemon, address: &str) {
    let mut gateway = Device::connect(address, "stranger").await;
    gateway.publish("waystation/v1/d/s/fridge-99/telemetry", br#"{"temp_c":4.1}"#).await;
    wait::until_async("the stranger is in quarantine", LIMIT, async || {
        let unknown = daemon.get_json("/api/v1/devices/unknown").await;
        unknown.as_array().unwrap().iter().any(|device| {
            let adopt = device["adopt"].as_str().unwrap();
            device["device"] == "d/s/fridge-99"
                && adopt.contains(r#"{ id = "fridge-99", profile = "fridge" }"#)
        })
    })
    .await;
    shown(daemon, "waystation/v1/d/s/fridge-99/telemetry", "unknown_device").await;
}

async fn a_device_speaks_for_itself_alone(daemon: &Daemon, address: &str) {
    let mut device = Device::connect(address, "d.s.fridge-38").await;
    device.publish(&telemetry(37), br#"{"temp_c":9.9}"#).await;
    device.publish(&telemetry(38), br#"{"temp_c":4.1,"items_out_total":38}"#).await;
    shown(daemon, &telemetry(37), "not_yours").await;
    wait::until_async("its own reading", LIMIT, async || values(daemon, 38).await == [38.0]).await;
    assert_eq!(values(daemon, 37).await, Vec::<f64>::new());
}

async fn a_wrong_depth_is_shown(daemon: &Daemon, address: &str) {
    let mut gateway = Device::connect(address, "deep").await;
    for topic in ["waystation/v1/d/s/telemetry", "waystation/v1/d/s/a/b/telemetry", "hello"] {
        gateway.publish(topic, br#"{"temp_c":4.1}"#).await;
        shown(daemon, topic, "bad_topic").await;
    }
    gateway.publish("waystation/v1/d/s/fridge-36/telemetri", b"{}").await;
    shown(daemon, "waystation/v1/d/s/fridge-36/telemetri", "unknown_kind").await;
    gateway.publish(&telemetry(36), br#"{"temp_c":4.1,"items_out_total":36}"#).await;
    wait::until_async("the next message", LIMIT, async || values(daemon, 36).await == [36.0]).await;
}

/// Straight from its device it is new all the same: told off, and taken.
async fn retained_is_said_and_heard(daemon: &Daemon, address: &str) {
    let mut device = Device::connect(address, "d.s.fridge-35").await;
    device.subscribe("waystation/v1/d/s/fridge-35/rejected").await;
    device.publish_as(&telemetry(35), br#"{"temp_c":4.1,"items_out_total":35}"#, true).await;
    assert_eq!(device.told().await.1["code"], "retained");
    wait::until_async("its reading", LIMIT, async || values(daemon, 35).await == [35.0]).await;
}

fn telemetry(fridge: u32) -> String {
    format!("waystation/v1/d/s/fridge-{fridge}/telemetry")
}

/// The codes of what was refused of a fridge, the newest first.
async fn codes(daemon: &Daemon, fridge: u32) -> Vec<String> {
    let path = format!("/api/v1/rejections?device=d/s/fridge-{fridge}");
    let refused = daemon.get_json(&path).await;
    let codes = refused.as_array().unwrap().iter().map(|refused| refused["code"].as_str());
    codes.map(|code| code.unwrap().to_owned()).collect()
}

async fn values(daemon: &Daemon, fridge: u32) -> Vec<f64> {
    let path = format!(
        "/api/v1/series?device=d/s/fridge-{fridge}&metric=items_out_total&from=0&to=4102444800000"
    );
    let points = daemon.get_json(&path).await;
    points.as_array().unwrap().iter().map(|point| point["value"].as_f64().unwrap()).collect()
}

async fn shown(daemon: &Daemon, topic: &str, code: &str) {
    wait::until_async(&format!("{code} of {topic}"), LIMIT, async || {
        let refused: Value = daemon.get_json("/api/v1/rejections?limit=1000").await;
        let is_it = |refused: &Value| refused["topic"] == topic && refused["code"] == code;
        refused.as_array().unwrap().iter().any(is_it)
    })
    .await;
}

async fn resident(daemon: &Daemon) -> f64 {
    let bytes = daemon.figure("process_resident_memory_bytes").await;
    assert!(bytes > 1e6, "{bytes}");
    bytes
}

async fn ready(daemon: &Daemon) {
    wait::until_async("it is ready", LIMIT, async || daemon.get("/readyz").await.0 == 200).await;
}
