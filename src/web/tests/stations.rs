//! How a station stands: who is inside, whether it is open, where it is.

use std::{sync::Arc, time::Duration};

use serde_json::{Value as Json, json};

use super::fixture::{START, Town};
use crate::{
    decode::Decoded,
    derive::Deriver,
    device,
    journal::{Condition, Message, Messages, Source},
    reading::Timestamp,
    registry::Registry,
};

/// What comes of one message of a device of `d/s`.
fn said(registry: &Arc<Registry>, device: &str, payload: &str, now: Timestamp) -> Decoded {
    let topic = format!("waystation/v1/d/s/{device}/telemetry");
    let mut messages = Messages::default();
    messages.push(&Message {
        source: Source::Listen,
        received: now,
        retained: false,
        condition: Condition::Whole,
        topic: topic.as_bytes(),
        sender: b"",
        payload: payload.as_bytes(),
    });
    Deriver::default().decode(1, &messages, registry).0
}

/// One station `d/s` with one device, `{profile}-1`.
async fn town(facts: &str, profile: &str) -> Town {
    let text = format!(
        "[district]\nid = \"d\"\nname = {{ en = \"D\", zh = \"区\" }}\ntime_zone = \"Asia/Shanghai\"\n\
         [[stations]]\nid = \"s\"\nname = {{ en = \"S\", zh = \"站\" }}\n{facts}\n\
         devices = [ {{ id = \"{profile}-1\", profile = \"{profile}\" }} ]"
    );
    Town::with(Registry::from_toml(&text, &device::load(None).unwrap()).unwrap()).await
}

#[tokio::test]
async fn a_station_shows_who_is_inside() {
    let town = town("capacity = 40", "people").await;
    let (_, station) = town.ask("/api/v1/stations/d/s").await;
    assert_eq!((&station["occupancy"], &station["visits_total"]), (&Json::Null, &Json::Null));
    assert_eq!(station["devices"].as_array().unwrap().len(), 1, "nothing is derived yet");

    let payload = r#"{"in_total":1043,"out_total":1031,"occupancy":12}"#;
    town.live.apply(&said(&town.registry, "people-1", payload, START));
    let (_, station) = town.ask("/api/v1/stations/d/s").await;
    assert_eq!((&station["occupancy"], &station["visits_total"]), (&json!(12.0), &json!(0.0)));
    let own = &station["devices"][1];
    assert_eq!((&own["id"], &own["presence"]), (&json!("station"), &json!("online")));
    assert_eq!(own["metrics"][0]["name"]["en"], "People inside");
    assert_eq!((&station["devices_total"], &station["devices_silent"]), (&json!(1), &json!(0)));

    town.hand.set(START + Duration::from_mins(11));
    let (_, stations) = town.ask("/api/v1/stations").await;
    let station = &stations[0];
    assert_eq!((&station["occupancy"], &station["visits_total"]), (&Json::Null, &json!(0.0)));
    assert_eq!((&station["state"], &station["devices_silent"]), (&json!("silent"), &json!(1)));
}

#[tokio::test]
async fn a_station_that_drives_is_open_when_it_is_parked_and_only_then_says_where() {
    let facts = "position = [39.0, 117.0]\nopens = \"07:00-19:00\"\nmoves = true";
    let town = town(facts, "vehicle").await;
    let stands = async || {
        let (_, station) = town.ask("/api/v1/stations/d/s").await;
        (station["open"].clone(), station["position"].clone())
    };
    assert_eq!(stands().await, (json!(false), Json::Null), "nobody knows where it is");
    for (payload, expected) in [
        (
            r#"{"lat":39.1,"lon":117.2,"speed_kmh":0,"ignition":false}"#,
            (json!(true), json!([39.1, 117.2])),
        ),
        (r#"{"lat":39.1,"lon":117.2,"speed_kmh":31,"ignition":true}"#, (json!(false), Json::Null)),
        (r#"{"speed_kmh":20,"ignition":false}"#, (json!(false), Json::Null)),
        (r#"{"speed_kmh":0,"ignition":false}"#, (json!(true), json!([39.1, 117.2]))),
    ] {
        town.live.apply(&said(&town.registry, "vehicle-1", payload, START));
        assert_eq!(stands().await, expected, "{payload}");
    }
    town.hand.set(START + Duration::from_hours(1));
    assert_eq!(stands().await, (json!(false), Json::Null), "what it said is old");
    let evening = START + Duration::from_hours(12);
    town.hand.set(evening);
    let parked = r#"{"lat":39.1,"lon":117.2,"ignition":false}"#;
    town.live.apply(&said(&town.registry, "vehicle-1", parked, evening));
    assert_eq!(stands().await, (json!(false), Json::Null), "parked, and closed");
}
