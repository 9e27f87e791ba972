//! What the settings of a device should be, until it has them.

use serde_json::{Value, json};

use crate::{
    house::{BANKS, LIMIT, behind, straight},
    support::{daemon::Daemon, device::Device, mosquitto::Mosquitto, wait},
};

const PATH: &str = "/api/v1/devices/d/s/banks-1/config";

async fn wish(daemon: &Daemon, seconds: i64) -> Value {
    let wished = json!({"settings": {"report_s": seconds}, "by": "Li"});
    let (status, config) = daemon.send("PUT", PATH, &wished).await;
    assert_eq!(status, 200, "{config}");
    config
}

async fn is_told(device: &mut Device, revision: u64, seconds: i64) {
    let (topic, told) = device.told().await;
    assert_eq!(topic, format!("{BANKS}/config"));
    assert_eq!(told, json!({"revision": revision, "settings": {"report_s": seconds}}));
}

async fn reports(device: &mut Device, revision: u64) {
    let birth = json!({"profile": "power_banks", "config": {"revision": revision}}).to_string();
    device.publish_as(&format!("{BANKS}/birth"), birth.as_bytes(), true).await;
}

async fn is_taken(daemon: &Daemon) {
    wait::until_async("the device has its settings", LIMIT, async || {
        daemon.get_json(PATH).await["pending"] == false
    })
    .await;
}

#[tokio::test]
async fn settings_wait_for_the_device_that_connects_here() {
    let mut daemon = straight().await;
    wish(&daemon, 30).await;
    assert_eq!(wish(&daemon, 60).await["revision"], 2);
    daemon.kill();
    daemon.start_again().await;
    let mut banks = Device::connect(&daemon.mqtt(), "d.s.banks-1").await;
    wait::until_async("the settings are kept for it", LIMIT, async || {
        daemon.get_json(PATH).await["pending"] == true
    })
    .await;
    banks.subscribe(&format!("{BANKS}/config")).await;
    is_told(&mut banks, 2, 60).await;
    reports(&mut banks, 2).await;
    is_taken(&daemon).await;
    wish(&daemon, 90).await;
    is_told(&mut banks, 3, 90).await;
    assert_eq!(daemon.get_json(PATH).await["reported"], 2);
    reports(&mut banks, 3).await;
    is_taken(&daemon).await;
}

#[tokio::test]
async fn a_broker_keeps_settings_for_the_device_and_gets_them_again() {
    let mut broker = Mosquitto::start().await;
    let daemon = behind(&broker).await;
    wish(&daemon, 60).await;
    let address = format!("127.0.0.1:{}", broker.port());
    let mut banks = Device::connect(&address, "banks-1").await;
    banks.subscribe(&format!("{BANKS}/config")).await;
    is_told(&mut banks, 1, 60).await;
    reports(&mut banks, 1).await;
    is_taken(&daemon).await;
    // A broker without memory, and a device that was reset: it says so, and is told again.
    broker.forget();
    broker.restart().await;
    let mut banks = Device::connect(&address, "banks-1").await;
    banks.subscribe(&format!("{BANKS}/config")).await;
    wait::until_async("the session is up again", LIMIT, async || {
        daemon.get("/readyz").await.0 == 200
    })
    .await;
    reports(&mut banks, 0).await;
    is_told(&mut banks, 1, 60).await;
}
