//! How an event is told: a line for people, or an object for programs.

use serde_json::{Value, json};
use waystation::{device::unit, reading::Timestamp};

use super::stream::Heard;

/// `{"event": "reading", …}`; `None` where the data is no JSON.
pub(super) fn json(heard: &Heard) -> Option<String> {
    let mut value: Value = serde_json::from_str(&heard.data).ok()?;
    match value.as_object_mut() {
        Some(members) => drop(members.insert("event".to_owned(), json!(heard.kind))),
        None => value = json!({ "event": heard.kind, "data": value }),
    }
    Some(value.to_string())
}

pub(super) fn text(heard: &Heard) -> Option<String> {
    let said: Value = serde_json::from_str(&heard.data).ok()?;
    Some(match heard.kind.as_str() {
        "reading" => reading(&said),
        "rejection" => rejection(&said),
        "alert" => alert(&said),
        "command" => command(&said),
        "missed" => format!("({said} events are missing here: this terminal was too slow)"),
        other => format!("{other} {said}"),
    })
}

fn line(at: Option<&Value>, device: &str, what: &str, said: &str) -> String {
    format!("{}  {device}  {what}  {said}", time(at))
}

fn reading(said: &Value) -> String {
    let metric = |(name, value): (&String, &Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name} {value} {}", unit(name)).trim_end().to_owned()
    };
    let metrics = said.get("metrics").and_then(Value::as_object).into_iter().flatten().map(metric);
    let mut metrics = metrics.collect::<Vec<_>>().join(", ");
    let (at, received) = (said.get("at"), said.get("received"));
    if at != received {
        let by = if word(said, "/placed_by") == "uptime" { "uptime" } else { "clock" };
        let is_late = said.get("backfill") == Some(&Value::Bool(true));
        let late = if is_late { ", late" } else { "" };
        metrics = format!("{metrics}  (measured {}, by its {by}{late})", time(at));
    }
    let what = if word(said, "/kind") == "event" { "event  " } else { "reading" };
    line(received, &path(said), what, &metrics)
}

fn rejection(said: &Value) -> String {
    let device = said.get("device").and_then(Value::as_str);
    let whose = device.unwrap_or_else(|| word(said, "/topic"));
    let [code, says, cure] = ["/code", "/says", "/cure/en"].map(|at| word(said, at));
    line(said.get("at"), whose, "REFUSED", &format!("{says}  ({code}: {cure})"))
}

fn alert(said: &Value) -> String {
    let [state, rule, severity] = ["/state", "/rule", "/severity"].map(|at| word(said, at));
    let [says, cure] = ["/says/en", "/do/en"].map(|at| word(said, at));
    let ended = said.get("ended").filter(|ended| !ended.is_null());
    let does = if ended.is_none() { format!("  ({cure})") } else { String::new() };
    let told = format!("{state}: {rule}, {severity}: {says}{does}");
    line(ended.or_else(|| said.get("since")), &path(said), "ALERT  ", &told)
}

fn command(said: &Value) -> String {
    let [device, id, op, state, by] =
        ["/device", "/id", "/op", "/state", "/by"].map(|at| word(said, at));
    let reason = word(said, "/reason");
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let step = said.get("history").and_then(Value::as_array).and_then(|steps| steps.last());
    let at = step.and_then(|step| step.get("at")).or_else(|| said.get("asked"));
    line(at, device, "COMMAND", &format!("{op} is {state}{why}  ({id}, asked by {by})"))
}

fn path(said: &Value) -> String {
    ["/district", "/station", "/device"].map(|level| word(said, level)).join("/")
}

/// The text at a JSON pointer; empty where there is none.
fn word<'a>(said: &'a Value, at: &str) -> &'a str {
    said.pointer(at).and_then(Value::as_str).unwrap_or_default()
}

fn time(at: Option<&Value>) -> String {
    at.and_then(Value::as_i64).map(|at| Timestamp(at).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: &str, said: &Value, expected: &str) {
        let heard = Heard { kind: kind.to_owned(), data: said.to_string() };
        assert_eq!(text(&heard).as_deref(), Some(expected));
        let told: Value = serde_json::from_str(&json(&heard).unwrap()).unwrap();
        assert_eq!(told["event"], kind);
    }

    #[test]
    fn every_event_is_one_readable_line() {
        let device = json!({ "district": "d", "station": "s", "device": "x" });
        let with = |more: Value| {
            let mut said = device.clone();
            said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            said
        };
        let at = 1_767_225_600_000_i64;
        let metrics = json!({ "temp_c": 4.1, "mode": "cool", "door_open": false });
        check(
            "reading",
            &with(json!({ "at": at, "received": at, "kind": "event", "metrics": metrics })),
            "2026-01-01T00:00:00.000Z  d/s/x  event    door_open false, mode cool, temp_c 4.1 °C",
        );
        check(
            "reading",
            &with(
                json!({ "at": at - 600_000, "received": at, "kind": "telemetry", "backfill": true,
                "placed_by": "uptime", "metrics": {"temp_c": 4} }),
            ),
            "2026-01-01T00:00:00.000Z  d/s/x  reading  temp_c 4 °C  \
             (measured 2025-12-31T23:50:00.000Z, by its uptime, late)",
        );
        check(
            "rejection",
            &json!({ "at": at, "device": "d/s/x", "code": "wrong_type", "says": "temp_c: no", "cure": {"en": "Do."} }),
            "2026-01-01T00:00:00.000Z  d/s/x  REFUSED  temp_c: no  (wrong_type: Do.)",
        );
        check(
            "alert",
            &with(json!({ "since": at, "ended": null, "state": "firing", "rule": "too_warm",
                "severity": "major", "says": {"en": "Warm."}, "do": {"en": "Cool it."} })),
            "2026-01-01T00:00:00.000Z  d/s/x  ALERT    firing: too_warm, major: Warm.  (Cool it.)",
        );
        check(
            "command",
            &json!({ "device": "d/s/x", "id": "7", "op": "unlock", "state": "failed", "by": "Li",
                "reason": "jammed", "asked": 0, "history": [{"state": "failed", "at": at}] }),
            "2026-01-01T00:00:00.000Z  d/s/x  COMMAND  unlock is failed: jammed  (7, asked by Li)",
        );
        check("missed", &json!(3), "(3 events are missing here: this terminal was too slow)");
    }
}
