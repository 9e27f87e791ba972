//! A device that connects straight to us.

use serde_json::json;

use crate::house::{DOOR, becomes, command, door, hears, reply, states, straight, unlock};

#[tokio::test]
async fn a_command_is_delivered_answered_and_shown() {
    let daemon = straight().await;
    let mut door = door(&daemon.mqtt()).await;
    let id = unlock(&daemon, 10, "60s").await;
    let told = hears(&mut door).await;
    assert_eq!(
        (&told["id"], &told["op"], &told["args"]),
        (&json!(id), &json!("unlock"), &json!({"for_s": 10}))
    );
    let left = told["expires_in_ms"].as_u64().unwrap();
    assert!((30_000..=60_000).contains(&left), "{told}");
    assert_eq!(told["expires"], command(&daemon, &id).await["expires"]);
    reply(&mut door, &id, "accepted").await;
    becomes(&daemon, &id, "accepted").await;
    reply(&mut door, &id, "done").await;
    let done = becomes(&daemon, &id, "done").await;
    assert_eq!(states(&done), ["waiting", "sent", "accepted", "done"]);
    assert_eq!(done["by"], "Li");
}

#[tokio::test]
async fn a_command_that_failed_says_why_and_no_other_device_answers_for_it() {
    let daemon = straight().await;
    let mut door = door(&daemon.mqtt()).await;
    let id = unlock(&daemon, 10, "60s").await;
    hears(&mut door).await;
    let mut banks = crate::support::device::Device::connect(&daemon.mqtt(), "d.s.banks-1").await;
    let lie = json!({ "id": id, "state": "done" }).to_string();
    banks.publish(&format!("{}/reply", crate::house::BANKS), lie.as_bytes()).await;
    let body = json!({ "id": id, "state": "failed", "reason": "the bolt is jammed" }).to_string();
    door.publish(&format!("{DOOR}/reply"), body.as_bytes()).await;
    let failed = becomes(&daemon, &id, "failed").await;
    assert_eq!(failed["reason"], "the bolt is jammed");
}

/// The second command comes behind the first: what is heard next shows that the first is not repeated.
#[tokio::test]
async fn a_restart_of_ours_delivers_nothing_twice() {
    let mut daemon = straight().await;
    let mut before = door(&daemon.mqtt()).await;
    let first = unlock(&daemon, 1, "10m").await;
    assert_eq!(hears(&mut before).await["id"], first.as_str());
    daemon.kill();
    daemon.start_again().await;
    let mut after = door(&daemon.mqtt()).await;
    let second = unlock(&daemon, 2, "10m").await;
    assert_eq!(hears(&mut after).await["id"], second.as_str());
    assert_eq!(command(&daemon, &first).await["state"], "sent");
    reply(&mut after, &first, "done").await;
    becomes(&daemon, &first, "done").await;
}

#[tokio::test]
async fn a_command_waits_for_its_device_across_a_restart() {
    let mut daemon = straight().await;
    let id = unlock(&daemon, 1, "10m").await;
    assert_eq!(command(&daemon, &id).await["state"], "waiting");
    daemon.kill();
    daemon.start_again().await;
    let mut door = door(&daemon.mqtt()).await;
    assert_eq!(hears(&mut door).await["id"], id.as_str());
    reply(&mut door, &id, "done").await;
    becomes(&daemon, &id, "done").await;
}

#[tokio::test]
async fn a_command_whose_time_is_over_is_never_delivered() {
    let daemon = straight().await;
    let late = unlock(&daemon, 1, "1s").await;
    let expired = becomes(&daemon, &late, "expired").await;
    assert_eq!(states(&expired), ["waiting", "expired"]);
    let mut door = door(&daemon.mqtt()).await;
    let next = unlock(&daemon, 2, "10m").await;
    assert_eq!(hears(&mut door).await["id"], next.as_str());
}

#[tokio::test]
async fn commands_go_in_the_order_they_were_asked_for() {
    let daemon = straight().await;
    let mut ids = Vec::new();
    for seconds in 1..=10 {
        ids.push(unlock(&daemon, seconds, "10m").await);
    }
    let mut door = door(&daemon.mqtt()).await;
    for id in ids {
        assert_eq!(hears(&mut door).await["id"], id.as_str());
    }
}

#[tokio::test]
async fn what_the_profile_does_not_declare_is_refused() {
    let daemon = straight().await;
    let path = "/api/v1/devices/d/s/door-1/commands";
    let asked = json!({"op": "unlock", "args": {"for_s": 1_000_000}, "by": "Li"});
    let (status, answer) = daemon.send("POST", path, &asked).await;
    let says = answer["error"]["says"].as_str().unwrap();
    assert_eq!(status, 400);
    assert!(says.starts_with("args.for_s: expected a whole number from 1 to"), "{says}");
    let (status, answer) =
        daemon.send("POST", path, &json!({"op": "open_sesame", "by": "Li"})).await;
    assert_eq!(status, 400);
    assert!(answer["error"]["cure"].as_str().unwrap().contains("unlock"), "{answer}");
    assert_eq!(daemon.get_json(path).await, json!([]));
}
