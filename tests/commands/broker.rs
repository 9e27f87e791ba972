//! A device behind a real Mosquitto.

use crate::{
    house::{DOOR, becomes, behind, command, hears, reply, unlock},
    support::{device::Device, mosquitto::Mosquitto},
};

fn address(broker: &Mosquitto) -> String {
    format!("127.0.0.1:{}", broker.port())
}

/// The door, with a last will, listening for commands and alive.
async fn door(broker: &Mosquitto) -> Device {
    let status = format!("{DOOR}/status");
    let mut door = Device::connect_with_will(&address(broker), "door-1", &status).await;
    door.subscribe(&format!("{DOOR}/command")).await;
    door.publish_as(&status, br#"{"state":"online"}"#, true).await;
    door
}

#[tokio::test]
async fn a_command_is_delivered_once_and_answered() {
    let broker = Mosquitto::start().await;
    let mut daemon = behind(&broker).await;
    let mut door = door(&broker).await;
    let first = unlock(&daemon, 1, "10m").await;
    assert_eq!(hears(&mut door).await["id"], first.as_str());
    reply(&mut door, &first, "accepted").await;
    becomes(&daemon, &first, "accepted").await;
    // Sent and not answered when we die: it does not come again.
    let second = unlock(&daemon, 2, "10m").await;
    assert_eq!(hears(&mut door).await["id"], second.as_str());
    daemon.kill();
    daemon.start_again().await;
    let third = unlock(&daemon, 3, "10m").await;
    assert_eq!(hears(&mut door).await["id"], third.as_str());
    for id in [&first, &second, &third] {
        reply(&mut door, id, "done").await;
        becomes(&daemon, id, "done").await;
    }
}

#[tokio::test]
async fn a_command_waits_until_its_device_is_back() {
    let broker = Mosquitto::start().await;
    let daemon = behind(&broker).await;
    let gone = door(&broker).await;
    let first = unlock(&daemon, 1, "10m").await;
    becomes(&daemon, &first, "sent").await;
    // The broker speaks its last will.
    drop(gone);
    crate::support::wait::until_async("the door is lost", crate::house::LIMIT, async || {
        let station = daemon.get_json("/api/v1/stations/d/s").await;
        station["devices"][0]["presence"] == "lost"
    })
    .await;
    let late = unlock(&daemon, 2, "1s").await;
    let waits = unlock(&daemon, 3, "10m").await;
    becomes(&daemon, &late, "expired").await;
    assert_eq!(command(&daemon, &waits).await["state"], "waiting");
    let mut back = door(&broker).await;
    assert_eq!(hears(&mut back).await["id"], waits.as_str());
    reply(&mut back, &waits, "done").await;
    becomes(&daemon, &waits, "done").await;
}

/// Without the broker nothing is put into a queue that it would deliver too late.
#[tokio::test]
async fn a_broker_that_is_away_gets_no_command_afterwards() {
    let mut broker = Mosquitto::start().await;
    let daemon = behind(&broker).await;
    let before = door(&broker).await;
    broker.stop().await;
    drop(before);
    crate::support::wait::until_async("it is seen", crate::house::LIMIT, async || {
        daemon.get("/readyz").await.0 == 503
    })
    .await;
    let late = unlock(&daemon, 1, "1s").await;
    becomes(&daemon, &late, "expired").await;
    broker.restart().await;
    let mut door = door(&broker).await;
    let next = unlock(&daemon, 2, "10m").await;
    assert_eq!(hears(&mut door).await["id"], next.as_str());
}
