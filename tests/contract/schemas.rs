//! What decoding accepts, a schema accepts; what decoding refuses, a schema refuses where it can see why.

use std::{collections::BTreeSet, sync::Arc};

use proptest::{
    prelude::*,
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use serde_json::{Value, json};
use waystation::{
    contract::{self, Question, Verdict},
    decode::{Code, Contract},
    device::{self, Profile},
};

use crate::{
    support::validators::{Ask, Case, look},
    vectors::{self, NEW_YEAR},
};

/// Codes that a schema sees in part: it may let pass what decoding refuses with them.
const SEEN_IN_PART: [Code; 3] = [Code::BadTime, Code::BadValue, Code::Personal];

/// Messages of one profile, what decoding makes of them, and what the schemas say.
#[derive(Default)]
struct Trial {
    ask: Ask,
    names: Vec<String>,
    verdicts: Vec<Verdict>,
}

fn judge(profile: &Arc<Profile>, kind: &str, payload: &str) -> Verdict {
    let question = Question { profile, kind, payload: payload.as_bytes(), received: NEW_YEAR };
    contract::judge(&Arc::new(Contract::default()), question)
}

impl Trial {
    fn know(&mut self, profile: &Arc<Profile>) {
        for kind in contract::KINDS {
            let schema = contract::schema(kind, Some(profile));
            self.ask.schemas.insert(format!("{} {kind}", profile.id), schema);
        }
    }

    /// Judges a message; what is no JSON no schema ever sees.
    fn add(&mut self, name: &str, profile: &Arc<Profile>, kind: &str, payload: &str) {
        let Ok(message) = serde_json::from_str::<Value>(payload) else { return };
        self.names.push(format!("{name}: {payload}"));
        self.verdicts.push(judge(profile, kind, payload));
        self.ask.cases.push(Case { schema: format!("{} {kind}", profile.id), message });
    }

    /// How many were accepted, and how many the schemas refused for a reason.
    fn hold(&self) -> (usize, usize) {
        let found = look(&self.ask).cases;
        assert_eq!(found.len(), self.verdicts.len());
        let (mut accepted, mut refused, mut wrong) = (0, 0, Vec::new());
        for ((name, verdict), found) in self.names.iter().zip(&self.verdicts).zip(&found) {
            let codes: Vec<Code> = verdict.rejections.iter().map(|r| r.code).collect();
            match found {
                Some(why) if verdict.accepted => {
                    wrong.push(format!("{name}\n  decoding accepts it, the schema says: {why}"));
                }
                None if codes.iter().any(|code| is_seen(*code)) => {
                    wrong
                        .push(format!("{name}\n  the schema accepts it, decoding says: {codes:?}"));
                }
                Some(_) => refused += 1,
                None => accepted += 1,
            }
        }
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), found.len(), wrong.join("\n"));
        (accepted, refused)
    }
}

fn is_seen(code: Code) -> bool {
    !contract::UNSEEN.contains(&code) && !SEEN_IN_PART.contains(&code)
}

#[test]
fn every_example_of_every_profile_is_to_its_schema_what_it_is_to_decoding() {
    let mut trial = Trial::default();
    for profile in device::load(None).unwrap().iter() {
        trial.know(profile);
        for example in &profile.examples {
            trial.add(&profile.id, profile, "telemetry", &example.payload);
        }
    }
    let (accepted, refused) = trial.hold();
    assert!(accepted >= 8 && refused >= 5, "{accepted} accepted, {refused} refused");
}

#[test]
fn every_message_of_the_vectors_is_to_its_schema_what_it_is_to_decoding() {
    let (mut trial, profile) = (Trial::default(), vectors::profile());
    trial.know(&profile);
    for vector in vectors::all() {
        if contract::KINDS.contains(&vector.kind()) && vector.payload_hex.is_empty() {
            trial.add(&vector.name, &profile, vector.kind(), &vector.payload);
        }
    }
    let (accepted, refused) = trial.hold();
    assert!(accepted >= 50 && refused >= 25, "{accepted} accepted, {refused} refused");
}

#[test]
fn every_topic_s_example_fits_its_schema() {
    let mut ask = Ask::default();
    for topic in contract::TOPICS {
        ask.schemas.insert(topic.kind.to_owned(), contract::schema(topic.kind, None));
        let message = serde_json::from_str(topic.example).unwrap();
        ask.cases.push(Case { schema: topic.kind.to_owned(), message });
        let nothing = json!("nothing");
        ask.cases.push(Case { schema: topic.kind.to_owned(), message: nothing });
    }
    let found = look(&ask).cases;
    for (topic, found) in contract::TOPICS.iter().zip(found.chunks(2)) {
        assert_eq!(found[0], None, "{}", topic.kind);
        assert!(found[1].is_some() || topic.kind == "echo", "{}", topic.kind);
    }
}

#[test]
fn topics_are_those_that_decoding_knows() {
    let profile = vectors::profile();
    for topic in contract::TOPICS.iter().filter(|topic| topic.is_of_device()) {
        let codes: Vec<_> = judge(&profile, topic.kind, topic.example).rejections;
        let unknown = codes.iter().any(|rejection| rejection.code == Code::UnknownKind);
        assert_eq!(unknown, topic.direction == contract::Direction::Down, "{}", topic.kind);
        assert_eq!(contract::KINDS.contains(&topic.kind), !unknown, "{}", topic.kind);
    }
}

#[test]
fn a_schema_sees_what_it_is_said_to_see() {
    let (mut trial, profile) = (Trial::default(), vectors::profile());
    trial.know(&profile);
    for payload in [
        r#"{"at":1767225600,"temp_c":4.1}"#,
        r#"{"at":"yesterday","temp_c":4.1}"#,
        r#"{"at":"2026-01-01T00:00:00","temp_c":4.1}"#,
        r#"{"at":true,"temp_c":4.1}"#,
        r#"{"up":-5,"temp_c":4.1}"#,
        r#"{"readings":[{"dt":9999999999999,"temp_c":4.1}]}"#,
        r#"{"readings":[{"dt":"now","temp_c":4.1}]}"#,
        r#"{"mode":"tepid"}"#,
        r#"{"cleaned_at":-1}"#,
        r#"{"cleaned_at":"noon"}"#,
        r#"{"temp_c":4,"card_no":"1"}"#,
        r#"{"temp_c":4,"userPhone":"1"}"#,
        r#"{"temp_c":4,"手机号":"1"}"#,
        r#"[{"temp_c":4,"wifi-mac":"1"}]"#,
    ] {
        trial.add("seen", &profile, "telemetry", payload);
    }
    assert_eq!(trial.hold(), (0, 14));
}

#[test]
fn messages_drawn_at_random_are_to_their_schema_what_they_are_to_decoding() {
    let (mut trial, profile) = (Trial::default(), vectors::profile());
    trial.know(&profile);
    let mut runner = TestRunner::deterministic();
    for _ in 0..4000 {
        let message = message().new_tree(&mut runner).unwrap().current();
        trial.add("drawn", &profile, "telemetry", &message.to_string());
    }
    for _ in 0..1000 {
        let said = statement().new_tree(&mut runner).unwrap().current().to_string();
        trial.add("drawn", &profile, "birth", &said);
        trial.add("drawn", &profile, "status", &said);
        trial.add("drawn", &profile, "reply", &said);
    }
    let (accepted, refused) = trial.hold();
    assert!(accepted >= 500 && refused >= 500, "{accepted} accepted, {refused} refused");
    let codes: BTreeSet<_> =
        trial.verdicts.iter().flat_map(|v| &v.rejections).map(|r| r.code).collect();
    assert!(codes.len() >= 7, "{codes:?}");
}

/// A message that is often right.
fn message() -> impl Strategy<Value = Value> {
    let field = prop_oneof![
        (Just("boot"), whole()),
        (Just("seq"), whole()),
        (Just("up"), whole()),
        (Just("at"), moment()),
        (Just("readings"), prop::collection::vec(reading(), 0..4).prop_map(Value::from).boxed()),
        (Just("readings"), wild()),
    ];
    let flat = (reading(), prop::collection::vec(field, 0..3)).prop_map(|(mut reading, fields)| {
        if let Value::Object(reading) = &mut reading {
            reading.extend(fields.into_iter().map(|(key, value)| (key.to_owned(), value)));
        }
        reading
    });
    let many = prop::collection::vec(reading(), 98..104).prop_map(Value::from);
    let array = prop::collection::vec(reading(), 0..4).prop_map(Value::from);
    prop_oneof![20 => flat, 4 => array, 1 => many, 1 => wild()]
}

fn reading() -> BoxedStrategy<Value> {
    let member = prop_oneof![
        2 => (Just("temp_c".to_owned()), (-60.0..80.0).prop_map(Value::from).boxed()),
        1 => (Just("power_w".to_owned()), any::<i32>().prop_map(Value::from).boxed()),
        1 => (Just("items_out_total".to_owned()), (-1..9).prop_map(Value::from).boxed()),
        2 => (Just("door_open".to_owned()), any::<bool>().prop_map(Value::from).boxed()),
        1 => (Just("mode".to_owned()), prop::sample::select(vec!["cool", "off", "on"]).prop_map(Value::from).boxed()),
        1 => (Just("cleaned_at".to_owned()), moment()),
        1 => (Just("dt".to_owned()), (-4_000_000_000_i64..400_000_000).prop_map(Value::from).boxed()),
        1 => (Just("at".to_owned()), moment()),
        1 => (key(), wild()),
    ];
    let object = prop::collection::vec(member, 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()));
    prop_oneof![12 => object, 1 => wild()].boxed()
}

fn key() -> impl Strategy<Value = String> {
    let words = ["card", "Phone", "MAC", "open", "id", "Id", "no", "x", "_", "-", " ", "卡号", "é"];
    let made = prop::collection::vec(prop::sample::select(words.to_vec()), 1..4);
    let known = ["temp_c", "door_open", "mode", "power_w", "humidity"];
    prop_oneof![
        made.prop_map(|words| words.concat()),
        prop::sample::select(known.to_vec()).prop_map(str::to_owned),
    ]
}

fn whole() -> BoxedStrategy<Value> {
    prop_oneof![8 => (0_u32..9).prop_map(Value::from), 1 => wild()].boxed()
}

fn moment() -> BoxedStrategy<Value> {
    let times = [
        json!("2026-01-01T00:00:00Z"),
        json!("2026-01-01 08:00:00+08:00"),
        json!("2026-01-01T00:00:00.123456789Z"),
        json!("2025-12-31t23:59z"),
        json!("20260101T000000Z"),
        json!("2026-01-01T00:00:00"),
        json!("soon"),
        json!(""),
    ];
    let near = NEW_YEAR.0 - 3_000_000_000..NEW_YEAR.0 + 600_000;
    prop_oneof![
        3 => near.prop_map(Value::from),
        2 => prop::sample::select(times.to_vec()),
        1 => wild(),
    ]
    .boxed()
}

/// Anything, not too large.
fn wild() -> BoxedStrategy<Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_000..2_000_i64).prop_map(Value::from),
        (0.0..1e6).prop_map(Value::from),
        "[a-z]{0,6}".prop_map(Value::from),
    ];
    let leaf = scalar.boxed();
    prop_oneof![
        6 => leaf.clone(),
        1 => prop::collection::vec(leaf.clone(), 0..3).prop_map(Value::from),
        1 => prop::collection::vec(("[a-z]{1,3}", leaf), 0..3)
            .prop_map(|members| Value::Object(members.into_iter().collect())),
    ]
    .boxed()
}

/// A birth or a status, often right.
fn statement() -> impl Strategy<Value = Value> {
    let keys = [
        "profile",
        "model",
        "boot",
        "reports_every_s",
        "config",
        "state",
        "sleep_s",
        "state",
        "id",
        "reason",
    ];
    let words = ["fridge", "online", "done", "lost", "sleeping", "offline", "tired"];
    let value = prop_oneof![
        3 => prop::sample::select(words.to_vec()).prop_map(Value::from),
        2 => (-5..100_000_000_i64).prop_map(Value::from),
        1 => wild(),
    ];
    let members = prop::collection::vec((prop::sample::select(keys.to_vec()), value), 0..4);
    members.prop_map(|members| {
        Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    })
}
