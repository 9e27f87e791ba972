//! The time, and the echo of a heartbeat.

use serde_json::Value;
use waystation::clock::Clock;

use crate::{
    house::{BANKS, behind, straight},
    support::{device::Device, mosquitto::Mosquitto},
};

const HEARTBEAT: &[u8] = br#"{"state":"online","count":7}"#;

fn is_now(told: &Value) {
    let off = told["now"].as_i64().unwrap() - Clock::system().now().0;
    assert!(off.abs() < 60_000, "{off} ms off");
}

#[tokio::test]
async fn a_device_without_a_clock_asks_for_the_time_by_subscribing() {
    let daemon = straight().await;
    let mut banks = Device::connect(&daemon.mqtt(), "d.s.banks-1").await;
    banks.subscribe("waystation/v1/time").await;
    let (topic, told) = banks.told().await;
    assert_eq!(topic, "waystation/v1/time");
    is_now(&told);
}

/// The first minute's, as the session comes up.
#[tokio::test]
async fn a_broker_tells_the_time_every_minute() {
    let broker = Mosquitto::start().await;
    let mut banks = Device::connect(&format!("127.0.0.1:{}", broker.port()), "banks-1").await;
    banks.subscribe("waystation/v1/time").await;
    let _daemon = behind(&broker).await;
    let (topic, told) = banks.told().await;
    assert_eq!(topic, "waystation/v1/time");
    is_now(&told);
}

#[tokio::test]
async fn a_heartbeat_comes_back_to_a_device_that_connects_here() {
    let daemon = straight().await;
    let mut banks = Device::connect(&daemon.mqtt(), "d.s.banks-1").await;
    echoed(&mut banks).await;
}

#[tokio::test]
async fn a_heartbeat_comes_back_through_a_broker() {
    let broker = Mosquitto::start().await;
    let daemon = behind(&broker).await;
    let mut banks = Device::connect(&format!("127.0.0.1:{}", broker.port()), "banks-1").await;
    crate::support::wait::until_async("the session is up", crate::house::LIMIT, async || {
        daemon.get("/readyz").await.0 == 200
    })
    .await;
    echoed(&mut banks).await;
}

async fn echoed(banks: &mut Device) {
    banks.subscribe(&format!("{BANKS}/echo")).await;
    banks.publish(&format!("{BANKS}/status"), HEARTBEAT).await;
    let (topic, told) = banks.told().await;
    assert_eq!(topic, format!("{BANKS}/echo"));
    assert_eq!(told, serde_json::from_slice::<Value>(HEARTBEAT).unwrap());
}
