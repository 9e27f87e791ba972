mod fixture;
mod people;
mod stations;
mod talk;

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value as Json, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{document, routes};
use crate::{alert::Standing, decode::Code, rule::Severity};
use fixture::{START, Town, alert, reading, rejected};

#[test]
fn every_documented_route_is_in_the_document_and_no_other() {
    let routes = routes::documented(&CancellationToken::new());
    let routes: BTreeSet<_> = routes.into_iter().map(|(path, _)| path.to_owned()).collect();
    let documented: BTreeSet<_> = document().paths.paths.into_keys().collect();
    assert_eq!(routes, documented);
}

#[test]
fn the_document_changes_only_on_purpose() {
    insta::assert_json_snapshot!(document());
}

#[tokio::test]
async fn stations_show_how_they_stand() {
    let town = Town::of(3, 2).await;
    town.live.apply(&reading(
        &town.registry,
        "putuo/s0/fridge-0",
        4.5,
        START + Duration::from_mins(15),
    ));
    *town.alerts.0.lock().unwrap() = Ok(vec![
        alert("a", "s0", Severity::Minor, Standing::Firing),
        alert("b", "s0", Severity::Major, Standing::Firing),
        alert("c", "s0", Severity::Critical, Standing::Resolved),
    ]);
    town.hand.set(START + Duration::from_mins(20));
    let (status, stations) = town.ask("/api/v1/stations").await;
    assert_eq!(status, 200);
    let expected = json!({
        "district": "putuo", "id": "s0", "name": {"en": "Station", "zh": "驿站"},
        "position": [31.268, 121.392], "capacity": 40, "occupancy": null, "visits_total": null, "opens": "24h", "open": true, "state": "major",
        "last_reading": START.0 + 900_000, "devices_total": 2, "devices_silent": 1, "alerts_open": 2,
    });
    assert_eq!(stations[0], expected);
    assert_eq!(
        (&stations[1]["state"], &stations[1]["last_reading"]),
        (&json!("silent"), &Json::Null)
    );
    assert_eq!(stations.as_array().unwrap().len(), 3);
    let (_, none) = town.ask("/api/v1/stations?district=jingan").await;
    assert_eq!(none, json!([]));
}

#[tokio::test]
async fn a_station_shows_its_devices_with_their_latest_metrics() {
    let town = Town::of(1, 2).await;
    town.live.apply(&reading(&town.registry, "putuo/s0/fridge-1", 4.5, START));
    let (status, station) = town.ask("/api/v1/stations/putuo/s0").await;
    assert_eq!((status, &station["id"], &station["state"]), (200, &json!("s0"), &json!("ok")));
    assert_eq!(station["devices"][0]["presence"], "unknown");
    let expected = json!({
        "id": "fridge-1", "profile": "fridge", "name": {"en": "Fridge", "zh": "冰箱"},
        "facility": "cold_food", "presence": "online", "last_seen": START.0,
        "model": null, "firmware": null, "serial": null, "extras": [],
        "metrics": [
            {"metric": "temp_c", "name": {"en": "temp_c", "zh": "指标"}, "value": 4.5, "unit": "°C", "at": START.0},
            {"metric": "door_open", "name": {"en": "door_open", "zh": "指标"}, "value": true, "unit": "", "at": START.0},
        ],
    });
    assert_eq!(station["devices"][1], expected);
}

#[tokio::test]
async fn a_series_is_asked_of_the_store_as_it_was_meant() {
    let town = Town::of(1, 1).await;
    let path = "/api/v1/series?device=putuo/s0/fridge-0&metric=temp_c";
    let (status, points) = town.ask(path).await;
    assert_eq!((status, points), (200, json!([{"at": START.0, "value": 4.5}])));
    let (status, _) =
        town.ask(&format!("{path}&from=2025-12-31T00:00:00Z&to=1767225600000&window=1h")).await;
    assert_eq!(status, 200);
    let asked = town.store.asked.lock().unwrap().clone();
    assert_eq!(
        (asked[0].to, asked[0].from, asked[0].window),
        (START, START - Duration::from_hours(24), None)
    );
    assert_eq!((asked[1].from, asked[1].to), (asked[0].from, START));
    assert_eq!(asked[1].window, Some(Duration::from_hours(1)));
    assert_eq!(
        (asked[1].path.as_str(), asked[1].profile.as_str()),
        ("putuo/s0/fridge-0", "fridge")
    );
}

/// The status and the stable word of the error at `path`.
async fn refused(town: &Town, path: &str, status: u16, code: &str) {
    let (found, body) = town.ask(path).await;
    assert_eq!((found, &body["error"]["code"]), (status, &json!(code)), "{path}: {body}");
    let error = body["error"].as_object().unwrap();
    assert!(error.values().all(|text| !text.as_str().unwrap().is_empty()), "{path}: {body}");
    assert_eq!(error.len(), 3);
}

#[tokio::test]
async fn every_error_says_what_is_wrong_and_what_to_do() {
    let town = Town::of(1, 1).await;
    let series = "/api/v1/series?device=putuo/s0/fridge-0&metric=temp_c";
    for (path, status, code) in [
        ("/api/v1/nothing", 404, "not_found"),
        ("/nothing.js", 404, "not_found"),
        ("/api/v1/stations/putuo/s9", 404, "unknown_station"),
        ("/api/v1/stations?distrikt=x", 400, "bad_query"),
        ("/api/v1/series?device=putuo/s0/fridge-0", 400, "bad_query"),
        ("/api/v1/series?device=putuo/s0/x&metric=temp_c", 404, "unknown_device"),
        ("/api/v1/series?device=putuo/s0/fridge-0&metric=x", 404, "unknown_metric"),
        (&format!("{series}&from=soon"), 400, "bad_query"),
        (&format!("{series}&window=0"), 400, "bad_query"),
        (&format!("{series}&from=2027-01-01T00:00:00Z"), 400, "bad_query"),
        (&format!("{series}&from=0&window=1ms"), 400, "too_much"),
        ("/api/v1/alerts?state=closed", 400, "bad_query"),
        ("/api/v1/alerts/x", 404, "unknown_alert"),
        ("/api/v1/rejections?device=putuo/s0/x", 404, "unknown_device"),
        ("/api/v1/rejections?limit=-1", 400, "bad_query"),
        ("/api/v1/events?kinds=all", 400, "bad_query"),
        ("/api/v1/events?station=putuo/s9", 404, "unknown_station"),
        ("/api/v1/events?device=putuo/s9", 400, "bad_query"),
    ] {
        refused(&town, path, status, code).await;
    }
    *town.store.away.lock().unwrap() = true;
    refused(&town, series, 503, "store_unavailable").await;
    *town.alerts.0.lock().unwrap() = Err("the ledger is away".into());
    for path in ["stations", "stations/putuo/s0", "alerts", "alerts/a"] {
        refused(&town, &format!("/api/v1/{path}"), 503, "alerts_unavailable").await;
    }
    let posted = town.http.post(format!("{}/api/v1/stations", town.address)).send().await.unwrap();
    assert_eq!(posted.status(), 405);
}

#[tokio::test]
async fn alerts_come_in_pages_and_one_by_one() {
    let town = Town::of(2, 1).await;
    *town.alerts.0.lock().unwrap() = Ok(vec![
        alert("a", "s0", Severity::Major, Standing::Firing),
        alert("b", "s1", Severity::Major, Standing::Firing),
        alert("c", "s0", Severity::Minor, Standing::Resolved),
    ]);
    for (asked, expected) in [
        ("", vec!["a", "b"]),
        ("?state=all", vec!["a", "b", "c"]),
        ("?state=all&limit=1&offset=1", vec!["b"]),
        ("?state=all&station=putuo/s0", vec!["a", "c"]),
        ("?limit=0", vec![]),
    ] {
        let (_, alerts) = town.ask(&format!("/api/v1/alerts{asked}")).await;
        let ids: Vec<_> = alerts.as_array().unwrap().iter().map(|a| a["id"].clone()).collect();
        assert_eq!(ids, expected, "{asked}");
    }
    let (_, one) = town.ask("/api/v1/alerts/a").await;
    let expected = json!({
        "id": "a", "rule": "too_warm", "severity": "major", "state": "firing", "district": "putuo",
        "station": "s0", "device": "fridge-0", "since": START.0, "value": 9.5,
        "says": {"en": "Fridge at 9.5 °C", "zh": "冰箱温度 9.5 °C"},
        "do": {"en": "Check the door.", "zh": "检查柜门。"}, "bring": ["thermometer"],
    });
    assert_eq!(one, expected);
}

#[tokio::test]
async fn a_firmware_author_sees_what_was_refused_and_how_to_register_a_device() {
    let town = Town::of(1, 1).await;
    town.live.apply(&rejected(&town.registry, Code::WrongType, "putuo/s0/fridge-0"));
    for path in ["putuo/s0/fridge-9", "putuo/new/door-1", "jingan/new/x"] {
        town.live.apply(&rejected(&town.registry, Code::UnknownDevice, path));
    }
    let (_, all) = town.ask("/api/v1/rejections").await;
    assert_eq!(all.as_array().unwrap().len(), 4);
    let (_, of_device) = town.ask("/api/v1/rejections?device=putuo/s0/fridge-0&limit=5").await;
    let expected = json!([{
        "code": "wrong_type", "at": START.0, "device": "putuo/s0/fridge-0",
        "topic": "waystation/v1/putuo/s0/fridge-0/telemetry", "path": "/temp_c",
        "found": "\"warm\"", "expected": "a number",
        "says": "temp_c: expected a number, found \"warm\"", "size": 17, "cure": of_device[0]["cure"],
        "head": "{\"temp_c\":\"…\"}",
    }]);
    assert_eq!(of_device, expected);
    assert!(of_device[0]["cure"]["zh"].is_string());
    let (_, unknown) = town.ask("/api/v1/devices/unknown").await;
    for (device, lines) in [
        (
            "putuo/s0/fridge-9",
            vec!["devices of the station \"s0\"", "{ id = \"fridge-9\", profile = \"fridge\" }"],
        ),
        ("putuo/new/door-1", vec!["[[stations]]", "id = \"new\"", "profile = \"fridge\""]),
        ("jingan/new/x", vec!["[district]\nid = \"jingan\"", "[[stations]]", "time_zone"]),
    ] {
        let list = unknown.as_array().unwrap();
        let found = list.iter().find(|unknown| unknown["device"] == device).unwrap();
        let adopt = found["adopt"].as_str().unwrap();
        assert!(lines.iter().all(|line| adopt.contains(line)), "{device}: {adopt}");
        assert!(
            adopt.trim_end_matches(",\n").parse::<toml::Table>().is_ok()
                || device == "putuo/s0/fridge-9",
            "{adopt}"
        );
    }
}

#[tokio::test]
async fn readiness_names_the_parts_in_trouble() {
    let town = Town::of(1, 1).await;
    assert_eq!(town.ask("/readyz").await, (200, json!({"ready": true, "troubles": {}})));
    town.readiness.trouble("journal", "the disk is full: make room");
    let expected = json!({"ready": false, "troubles": {"journal": "the disk is full: make room"}});
    assert_eq!(town.ask("/readyz").await, (503, expected));
    assert_eq!(town.get("/healthz").await.status(), 200);
    town.readiness.well("journal");
    assert_eq!(town.ask("/readyz").await.0, 200);
}

#[tokio::test]
async fn counters_are_served_as_open_metrics() {
    let town = Town::of(1, 1).await;
    let answer = town.get("/metrics").await;
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let page = answer.text().await.unwrap();
    assert!(page.contains("waystation_messages_journaled_total 0") && page.ends_with("# EOF\n"));
}

#[tokio::test]
async fn the_page_is_served_once_and_then_only_when_it_changed() {
    let town = Town::of(1, 1).await;
    for (path, kind) in
        [("/", "text/html"), ("/app.js", "text/javascript"), ("/style.css", "text/css")]
    {
        let first = town.get(path).await;
        let headers = first.headers().clone();
        assert_eq!(first.status(), 200, "{path}");
        assert!(headers["content-type"].to_str().unwrap().starts_with(kind));
        assert!(
            headers["content-security-policy"].to_str().unwrap().contains("default-src 'self'")
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
        let again = town.http.get(format!("{}{path}", town.address));
        let again = again.header("if-none-match", headers["etag"].clone()).send().await.unwrap();
        assert_eq!((again.status().as_u16(), again.text().await.unwrap()), (304, String::new()));
    }
}

/// Reads events until `enough` of them came; comments are left out.
async fn events(answer: &mut reqwest::Response, enough: usize) -> Vec<(String, Json)> {
    let mut heard = String::new();
    loop {
        let mut blocks: Vec<_> = heard.split("\n\n").collect();
        blocks.pop();
        let events: Vec<_> = blocks
            .iter()
            .filter_map(|block| {
                let (name, data) = block.strip_prefix("event: ")?.split_once("\ndata: ")?;
                Some((name.to_owned(), serde_json::from_str(data).unwrap()))
            })
            .collect();
        if events.len() >= enough {
            return events;
        }
        let chunk = answer.chunk().await.unwrap().expect("the stream goes on");
        heard.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[tokio::test]
async fn events_tell_what_happens_and_only_what_was_asked_for() {
    let town = Town::of(2, 1).await;
    let mut all = town.get("/api/v1/events").await;
    let mut of_s1 = town.get("/api/v1/events?station=putuo/s1&kinds=reading,alert").await;
    let mut of_a_stranger = town.get("/api/v1/events?device=putuo/s0/fridge-9").await;
    for path in ["putuo/s0/fridge-0", "putuo/s1/fridge-0"] {
        town.live.apply(&reading(&town.registry, path, 4.5, START));
        town.live.apply(&rejected(&town.registry, Code::WrongType, path));
    }
    town.live.apply(&rejected(&town.registry, Code::UnknownDevice, "putuo/s0/fridge-9"));
    town.live
        .announce_alert("putuo/s1/fridge-0", &alert("a", "s1", Severity::Major, Standing::Firing));
    let mut kinds: Vec<_> = events(&mut all, 6).await.into_iter().map(|(kind, _)| kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["alert", "reading", "reading", "rejection", "rejection", "rejection"]);
    let mut heard = events(&mut of_s1, 2).await;
    heard.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!((heard.len(), &heard[0].1["id"]), (2, &json!("a")));
    let strangers = events(&mut of_a_stranger, 1).await;
    assert_eq!((strangers.len(), &strangers[0].1["code"]), (1, &json!("unknown_device")));
    let expected = json!({
        "district": "putuo", "station": "s1", "device": "fridge-0", "profile": "fridge",
        "at": START.0, "placed_by": "device", "received": START.0, "kind": "telemetry",
        "backfill": false, "metrics": {"temp_c": 4.5, "door_open": true},
    });
    assert_eq!(heard[1].1, expected);
}

#[tokio::test]
async fn a_listener_that_is_too_slow_is_told_how_much_it_missed() {
    let town = Town::of(1, 1).await;
    let mut slow = town.get("/api/v1/events?kinds=reading").await;
    for _ in 0..5000 {
        town.live.apply(&reading(&town.registry, "putuo/s0/fridge-0", 4.5, START));
    }
    let heard = events(&mut slow, 2).await;
    assert!(
        heard.iter().any(|(kind, missed)| kind == "missed" && missed.as_u64() > Some(3000)),
        "{heard:?}"
    );
}

#[tokio::test]
async fn stopping_does_not_wait_for_those_who_listen() {
    let town = Town::of(1, 1).await;
    let mut listener = town.get("/api/v1/events").await;
    town.stop.cancel();
    let ended = timeout(Duration::from_secs(10), async {
        while listener.chunk().await.unwrap().is_some() {}
        town.serving.await.unwrap().unwrap();
    });
    ended.await.unwrap();
}

#[tokio::test]
async fn a_message_is_judged_as_decoding_would() {
    let town = Town::of(1, 1).await;
    let ask = async |body: &str| {
        let post = town.http.post(format!("{}/api/v1/validate", town.address));
        let answer = post.header("content-type", "application/json").body(body.to_owned());
        let answer = answer.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str::<Json>(&answer.text().await.unwrap()).unwrap())
    };
    let (status, verdict) = ask(r#"{"profile":"fridge","payload":{"temp_c":4.1,"x":"y"}}"#).await;
    let expected = json!({
        "accepted": true, "profile": "fridge", "kind": "telemetry", "rejections": [],
        "extras": {"x": "\"y\""},
        "readings": [{"at": START.0, "placed_by": "receipt", "claimed": null, "backfill": false,
            "metrics": {"temp_c": 4.1}}],
    });
    assert_eq!((status, verdict), (200, expected));
    for (body, path, code) in [
        (r#"{"profile":"fridge","payload":"{\"temp_c\":\"warm\"}"}"#, "/temp_c", "wrong_type"),
        (r#"{"profile":"fridge","payload":{"temp_c":1,"temp_c":1}}"#, "/temp_c", "doubled_key"),
        (r#"{"profile":"fridge","payload_base64":"AA=="}"#, "", "not_json"),
        (
            r#"{"profile":"fridge","kind":"status","payload":{"state":"tired"}}"#,
            "/state",
            "bad_value",
        ),
        (
            r#"{"profile":"fridge","kind":"birth","payload":{"profile":"aed"}}"#,
            "/profile",
            "bad_value",
        ),
    ] {
        let (status, verdict) = ask(body).await;
        let refusal = &verdict["rejections"][0];
        assert_eq!((status, &verdict["accepted"]), (200, &json!(false)), "{body}: {verdict}");
        assert_eq!((&refusal["path"], &refusal["code"]), (&json!(path), &json!(code)), "{body}");
        assert!(refusal["cure"]["en"].is_string() && refusal["expected"].is_string(), "{verdict}");
    }
    for (body, expected, code) in [
        (r#"{"profile":"frigde","payload":{}}"#, 404, "unknown_profile"),
        (r#"{"profile":"fridge","kind":"sneeze","payload":{}}"#, 400, "bad_query"),
        (r#"{"profile":"fridge"}"#, 400, "bad_query"),
        (r#"{"profile":"fridge","payload":{},"payload_base64":""}"#, 400, "bad_query"),
        (r#"{"profile":"fridge","payload_base64":"?"}"#, 400, "bad_query"),
        ("hello", 400, "bad_query"),
    ] {
        let (status, error) = ask(body).await;
        assert_eq!((status, &error["error"]["code"]), (expected, &json!(code)), "{body}: {error}");
    }
}
