//! What is asked of devices over HTTP; who carries it out is not here.

use serde_json::{Value as Json, json};

use super::{
    events,
    fixture::{START, Town},
};

const COMMANDS: &str = "/api/v1/devices/putuo/s0/fridge-0/commands";
const CONFIG: &str = "/api/v1/devices/putuo/s0/fridge-0/config";

async fn send(town: &Town, method: &str, path: &str, body: Json) -> (u16, Json) {
    let url = format!("{}{path}", town.address);
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let request = town.http.request(method, url).header("content-type", "application/json");
    let answer = request.body(body.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn a_command_is_taken_kept_and_shown() {
    let town = Town::of(1, 1).await;
    assert!(town.folder.path().join("state.sqlite").exists());
    let asked = json!({"op": "defrost", "expires": "90s", "by": "Li"});
    let (status, command) = send(&town, "POST", COMMANDS, asked).await;
    assert_eq!(status, 202, "{command}");
    let expected = json!({
        "id": command["id"], "device": "putuo/s0/fridge-0", "op": "defrost", "args": {"minutes": 20},
        "by": "Li", "state": "waiting", "asked": START.0, "expires": START.0 + 90_000,
        "history": [{"state": "waiting", "at": START.0}],
    });
    assert_eq!(command, expected);
    let (_, other) =
        send(&town, "POST", COMMANDS, json!({"op": "defrost", "expires": 2000, "by": "Li"})).await;
    assert_ne!(other["id"], command["id"]);
    assert_eq!(town.ask(COMMANDS).await.1, json!([other, command]), "the newest first");
    assert_eq!(town.ask(&format!("{COMMANDS}?limit=1")).await.1, json!([other]));
}

#[tokio::test]
async fn what_a_device_does_not_do_is_refused_with_what_it_does() {
    let town = Town::of(1, 1).await;
    for (path, asked, status, says, cure) in [
        (COMMANDS, json!({"op": "explode", "by": "Li"}), 400, "\"explode\"", "has: defrost"),
        (
            COMMANDS,
            json!({"op": "defrost", "args": {"minutes": 99}, "by": "Li"}),
            400,
            "args.minutes: expected a number from 1 to 60, found 99",
            "defrost takes minutes",
        ),
        (
            COMMANDS,
            json!({"op": "defrost", "args": {"hours": 1}, "by": "Li"}),
            400,
            "args.hours: unknown",
            "minutes",
        ),
        (COMMANDS, json!({"op": "defrost"}), 400, "missing field `by`", "send"),
        (COMMANDS, json!({"op": "defrost", "by": " "}), 400, "by: expected 1 to 80", "who"),
        (
            COMMANDS,
            json!({"op": "defrost", "expires": "soon", "by": "Li"}),
            400,
            "expires: ",
            "30s",
        ),
        (
            "/api/v1/devices/putuo/s0/none/commands",
            json!({"op": "x", "by": "Li"}),
            404,
            "no device",
            "",
        ),
    ] {
        let (found, answer) = send(&town, "POST", path, asked).await;
        let error = &answer["error"];
        assert_eq!(found, status, "{answer}");
        assert!(error["says"].as_str().unwrap().contains(says), "{answer} has no {says:?}");
        assert!(error["cure"].as_str().unwrap().contains(cure), "{answer} has no {cure:?}");
    }
    assert_eq!(town.ask(COMMANDS).await.1, json!([]), "nothing of it is kept");
}

#[tokio::test]
async fn no_device_is_given_more_than_it_can_be_expected_to_do() {
    let town = Town::of(1, 2).await;
    let asked = json!({"op": "defrost", "by": "Li"});
    for _ in 0..32 {
        assert_eq!(send(&town, "POST", COMMANDS, asked.clone()).await.0, 202);
    }
    let (status, answer) = send(&town, "POST", COMMANDS, asked.clone()).await;
    assert_eq!((status, &answer["error"]["code"]), (429, &json!("too_many")));
    let other = "/api/v1/devices/putuo/s0/fridge-1/commands";
    assert_eq!(send(&town, "POST", other, asked).await.0, 202);
}

#[tokio::test]
async fn settings_get_revisions_that_grow_by_one() {
    let town = Town::of(1, 1).await;
    let (status, answer) = town.ask(CONFIG).await;
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("no_config")));
    let wish = |seconds: i64| json!({"settings": {"report_s": seconds}, "by": "Li"});
    let (status, first) = send(&town, "PUT", CONFIG, wish(60)).await;
    let expected = json!({
        "device": "putuo/s0/fridge-0", "revision": 1, "settings": {"report_s": 60}, "by": "Li",
        "since": START.0, "reported": null, "pending": true,
    });
    assert_eq!((status, &first), (200, &expected));
    assert_eq!(send(&town, "PUT", CONFIG, wish(60)).await.1, first, "the same once more");
    assert_eq!(send(&town, "PUT", CONFIG, wish(30)).await.1["revision"], 2);
    assert_eq!(town.ask(CONFIG).await.1["settings"], json!({"report_s": 30}));
    let (status, answer) = send(&town, "PUT", CONFIG, wish(1)).await;
    assert_eq!(status, 400);
    assert!(answer["error"]["says"].as_str().unwrap().starts_with("settings.report_s: expected"));
}

#[tokio::test]
async fn what_becomes_of_a_command_is_an_event_of_its_station() {
    let town = Town::of(2, 1).await;
    let mut of_s0 = town.get("/api/v1/events?station=putuo/s0&kinds=command").await;
    for station in ["putuo/s1", "putuo/s0"] {
        town.live.announce_command(station, &json!({"id": station, "state": "done"}));
    }
    let heard = events(&mut of_s0, 1).await;
    assert_eq!(heard, [("command".to_owned(), json!({"id": "putuo/s0", "state": "done"}))]);
}

#[tokio::test]
async fn another_sites_page_asks_for_nothing() {
    let town = Town::of(1, 1).await;
    let request = town.http.post(format!("{}{COMMANDS}", town.address));
    let request =
        request.header("content-type", "application/json").header("origin", "https://evil.example");
    let answer = request.body(r#"{"op":"defrost","by":"Li"}"#).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 403);
    assert_eq!(town.ask(COMMANDS).await.1, json!([]));
}
