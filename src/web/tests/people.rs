//! What people say: of alerts, and of their work.

use serde_json::{Value as Json, json};

use super::{
    events,
    fixture::{START, Town, alert},
};
use crate::{alert::Standing, rule::Severity};

#[tokio::test]
async fn a_person_ends_an_alert_and_no_other_sites_page_does() {
    let town = Town::of(1, 1).await;
    *town.alerts.0.lock().unwrap() =
        Ok(vec![alert("a", "s0", Severity::Critical, Standing::Firing)]);
    let confirm = async |id: &str, body: &str, headers: &[(&str, &str)]| {
        let mut request = town.http.post(format!("{}/api/v1/alerts/{id}/confirm", town.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.body(body.to_owned()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str::<Json>(&answer.text().await.unwrap()).unwrap())
    };
    let json_type = ("content-type", "application/json");
    let by = r#"{"by": "Li"}"#;
    for (id, body, headers, status, code) in [
        ("a", by, vec![json_type, ("origin", "https://evil.example")], 403, "foreign_page"),
        ("a", by, vec![("content-type", "text/plain")], 400, "bad_query"),
        ("a", r#"{"by": " "}"#, vec![json_type], 400, "bad_query"),
        ("nobody", by, vec![json_type], 404, "unknown_alert"),
    ] {
        let (found, answer) = confirm(id, body, &headers).await;
        assert_eq!((found, answer["error"]["code"].as_str()), (status, Some(code)), "{answer}");
    }
    let own = ("origin", town.address.as_str());
    let (status, ended) = confirm("a", by, &[json_type, own]).await;
    assert_eq!((status, &ended["state"]), (200, &json!("resolved")), "{ended}");
    assert_eq!(ended["reason"], json!({"confirmed": {"by": "Li"}}));
    assert_eq!(town.ask("/api/v1/alerts").await.1, json!([]));
}

#[tokio::test]
async fn a_person_looks_after_an_alert_for_a_while() {
    let town = Town::of(1, 1).await;
    *town.alerts.0.lock().unwrap() = Ok(vec![alert("a", "s0", Severity::Major, Standing::Firing)]);
    let mut heard = town.get("/api/v1/events?kinds=alert").await;
    for (body, status, expected) in [
        (json!({"by": ""}), 400, "by: expected 1 to 80 characters"),
        (json!({"by": "Li", "for": "soon"}), 400, "for: expected a length of time"),
        (json!({"by": "Li", "for": "1s"}), 400, "for: expected a minute to 30 days"),
        (json!({"by": "Li", "fro": "1h"}), 400, "unknown field `fro`"),
    ] {
        let (found, answer) = town.tell("/api/v1/alerts/a/acknowledge", &body).await;
        let says = answer["error"]["says"].as_str().unwrap();
        assert!(found == status && says.contains(expected), "{expected}\nnot in\n{answer}");
    }
    let (_, unknown) = town.tell("/api/v1/alerts/b/acknowledge", &json!({"by": "Li"})).await;
    assert_eq!(unknown["error"]["code"], "unknown_alert");
    let (status, known) = town.tell("/api/v1/alerts/a/acknowledge", &json!({"by": " Li "})).await;
    let until = START.0 + 8 * 3_600_000;
    assert_eq!((status, &known["state"]), (200, &json!("acknowledged")));
    assert_eq!(known["acknowledged"], json!({"by": "Li", "at": START.0, "until": until}));
    assert_eq!(events(&mut heard, 1).await[0].1, known);
    let again = json!({"by": "Wang", "comment": "on my way", "for": "30m"});
    let (_, known) = town.tell("/api/v1/alerts/a/acknowledge", &again).await;
    let until = START.0 + 30 * 60_000;
    let expected = json!({"by": "Wang", "comment": "on my way", "at": START.0, "until": until});
    assert_eq!(known["acknowledged"], expected);
}

#[tokio::test]
async fn work_is_written_down_and_read_again() {
    let town = Town::of(1, 2).await;
    let work = |more: Json| {
        let mut work = json!({"device": "putuo/s0/fridge-0", "kind": "cleaned", "by": "Li"});
        work.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        work
    };
    for (more, expected) in [
        (json!({"device": "putuo/s0/fridge-9"}), "device: no device \"putuo/s0/fridge-9\""),
        (json!({"kind": "cleand"}), "kind: there is no record of the kind \"cleand\""),
        (json!({"values": {"temp": 4}}), "values.temp: profile \"fridge\" has no such metric"),
        (json!({"values": {"temp_c": "4"}}), "values.temp_c: expected a number, found \"4\""),
        (json!({"at": "2026-01-01T01:00:00Z"}), "at: 2026-01-01T01:00:00.000Z has not been yet"),
        (json!({"by": null}), "invalid type: null"),
    ] {
        let (status, answer) = town.tell("/api/v1/records", &work(more)).await;
        let (says, cure) = (answer["error"]["says"].as_str().unwrap(), &answer["error"]["cure"]);
        assert!(status == 400 && says.contains(expected), "{expected}\nnot in\n{answer}");
        assert_ne!(cure, "", "{answer}");
    }
    let foreign = town.http.post(format!("{}/api/v1/records", town.address));
    let foreign =
        foreign.header("origin", "https://evil.example").body(work(json!({})).to_string());
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    assert!(town.alerts.1.lock().unwrap().is_empty());

    let more = json!({"part": "seal", "at": "2025-12-31T08:00:00Z", "values": {"temp_c": 4}});
    let (status, record) = town.tell("/api/v1/records", &work(more)).await;
    assert_eq!((status, &record["at"]), (201, &json!(START.0 - 16 * 3_600_000)), "{record}");
    town.tell("/api/v1/records", &work(json!({"device": "putuo/s0/fridge-1"}))).await;
    let (_, all) = town.ask("/api/v1/records").await;
    assert_eq!((all.as_array().unwrap().len(), &all[1]), (2, &record));
    assert_eq!(town.ask("/api/v1/records?device=putuo/s0/fridge-0").await.1, json!([record]));
    assert_eq!(town.ask("/api/v1/records?limit=1&offset=1").await.1, json!([record]));
}
