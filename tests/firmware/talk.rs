//! What a fridge is told: commands once, settings, and what was wrong with what it sent.

use serde_json::{Value, json};

use crate::{
    fridge::{Fridge, LIMIT, Written},
    house::House,
    support::{device::Device, wait},
};

const ALL: [Written; 3] = [Written::C, Written::MicroPython, Written::Python];
const TOP: &str = "waystation/v1/d/s/fridge-1";

#[tokio::test]
async fn a_command_is_done_once_and_answered() {
    for written in ALL {
        let house = House::straight().await;
        let mut fridge = Fridge::start(written, house.wire.port(), 1);
        let id = house.command(7).await;
        let steps = house.becomes(&id, "done").await;
        assert_eq!(steps, ["waiting", "sent", "accepted", "done"], "{written:?}");
        assert_eq!(done(&mut fridge, &id), 1, "{written:?}");
    }
}

/// As a broker may deliver it twice, or late.
#[tokio::test]
async fn a_command_that_comes_again_is_only_answered_and_a_late_one_is_not_done() {
    for written in ALL {
        let house = House::behind_a_broker().await;
        let mut fridge = Fridge::start(written, house.wire.port(), 1);
        fridge.says("online\nmeasured").await;
        let address = format!("127.0.0.1:{}", house.broker.as_ref().unwrap().port());
        let mut other = Device::connect(&address, "other").await;
        other.subscribe(&format!("{TOP}/reply")).await;
        let once =
            json!({"id": "once", "op": "defrost", "args": {"minutes": 5}, "expires_in_ms": 60_000});
        let topic = format!("{TOP}/command");
        other.publish(&topic, once.to_string().as_bytes()).await;
        assert_eq!(answers(&mut other, 2).await, ["accepted", "done"], "{written:?}");
        other.publish(&topic, once.to_string().as_bytes()).await;
        assert_eq!(answers(&mut other, 1).await, ["done"], "{written:?}");
        let late = json!({"id": "late", "op": "defrost", "expires_in_ms": 0});
        other.publish(&topic, late.to_string().as_bytes()).await;
        assert_eq!(answers(&mut other, 1).await, ["expired"], "{written:?}");
        let unknown = json!({"id": "fly", "op": "fly", "expires_in_ms": 60_000});
        other.publish(&topic, unknown.to_string().as_bytes()).await;
        assert_eq!(answers(&mut other, 2).await, ["accepted", "failed"], "{written:?}");
        assert_eq!((done(&mut fridge, "once"), done(&mut fridge, "late")), (1, 0), "{written:?}");
    }
}

#[tokio::test]
async fn settings_are_applied_and_their_revision_told() {
    for written in ALL {
        let house = House::straight().await;
        let path = "/api/v1/devices/d/s/fridge-1/config";
        let wished = json!({"settings": {"setpoint_c": 5}, "by": "Li"});
        assert_eq!(house.daemon.send("PUT", path, &wished).await.0, 200);
        let mut fridge = Fridge::start(written, house.wire.port(), 1);
        fridge.says("setting setpoint_c 5").await;
        wait::until_async("the revision is told", LIMIT, async || {
            house.daemon.get_json(path).await["pending"] == false
        })
        .await;
    }
}

#[tokio::test]
async fn a_rejection_is_shown() {
    for written in ALL {
        let house = House::straight().await;
        let mut fridge = Fridge::start(written, house.wire.port(), 2_000_000_000);
        fridge.says("rejected ").await;
        fridge.says("implausible").await;
        fridge.says("/items_out_total").await;
    }
}

/// Gone with a word, it is `offline`; gone without one, its last will says `lost`.
#[tokio::test]
async fn whether_it_is_there_is_told() {
    for written in ALL {
        let house = House::straight().await;
        let mut fridge = Fridge::start(written, house.wire.port(), 1);
        presence(&house, "online").await;
        fridge.kill();
        presence(&house, "lost").await;
    }
}

async fn presence(house: &House, state: &str) {
    wait::until_async(&format!("the fridge is {state}"), LIMIT, async || {
        let station = house.daemon.get_json("/api/v1/stations/d/s").await;
        let devices = station["devices"].as_array().unwrap();
        devices.iter().any(|device| device["id"] == "fridge-1" && device["presence"] == state)
    })
    .await;
}

fn done(fridge: &mut Fridge, id: &str) -> usize {
    let log = fridge.log();
    log.lines().filter(|line| line.starts_with("defrosts ") && line.ends_with(id)).count()
}

/// The states of the next `count` replies.
async fn answers(other: &mut Device, count: usize) -> Vec<String> {
    let mut states = Vec::new();
    for _ in 0..count {
        let (_, reply): (String, Value) = other.told().await;
        states.push(reply["state"].as_str().unwrap().to_owned());
    }
    states
}
