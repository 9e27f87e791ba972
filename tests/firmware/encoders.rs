//! The encoders, held to the readings of `devices/vectors`.

use std::{fs, path::Path, process::Command};

use serde_json::{Map, Value, json};

use crate::fridge::{compile, micropython, python, source};

/// The metrics of the vectors' profile, and what one of C's whole numbers stands for.
const METRICS: [(&str, f64); 6] = [
    ("temp_c", 0.1),
    ("power_w", 0.1),
    ("door_open", 1.0),
    ("mode", 1.0),
    ("items_out_total", 1.0),
    ("cleaned_at", 1000.0),
];
const MODES: [&str; 3] = ["cool", "heat", "off"];

#[test]
fn every_reading_of_the_vectors_is_encoded_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/firmware");
    let files = [here.join("encode.c"), "json.c".into(), "waystation.c".into(), "posix.c".into()];
    let c = compile(&files, folder.path());
    let script = here.join("encode.py");
    let messages = messages();
    assert!(messages.len() >= 30, "only {} vectors can be encoded", messages.len());
    for (name, asked) in messages {
        let wanted = wanted(&asked);
        let by = [
            ("C", said(Command::new(&c).args(numbers(&asked)))),
            (
                "MicroPython",
                said(script_of(micropython().as_path(), &script, "micropython", &asked)),
            ),
            ("Python", said(script_of(python().as_path(), &script, "python", &asked))),
        ];
        for (written, said) in by {
            assert_eq!(floats(said), wanted, "{written}: {name}");
        }
    }
}

/// All vectors with readings and without a rejection, as what an encoder is given.
fn messages() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("devices/vectors");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|file| file.extension().is_some_and(|e| e == "json"));
    let read =
        |file| -> Vec<Value> { serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap() };
    let vectors = files.flat_map(read).filter(|vector| vector["expect"]["rejections"].is_null());
    vectors
        .filter_map(|vector| Some((vector["name"].to_string(), asked(&vector["expect"])?)))
        .collect()
}

/// `None` where the example's metrics cannot say it: more than one decimal, more than 32 bits.
fn asked(expect: &Value) -> Option<Value> {
    let readings = expect["readings"].as_array()?;
    let at = |one: &Value| one["at"].as_str()?.parse::<jiff::Timestamp>().ok();
    let times: Vec<_> = readings
        .iter()
        .map(|one| at(one).map(jiff::Timestamp::as_millisecond))
        .collect::<Option<_>>()?;
    let first = times.iter().min()?;
    let whole = readings.iter().all(|one| values(&one["metrics"]).is_some());
    let readings: Vec<_> = readings
        .iter()
        .zip(&times)
        .map(|(one, at)| json!({"up": at - first + 1000, "metrics": one["metrics"]}))
        .collect();
    let message = json!({"boot": 17, "seq": 4213, "at": times.last()?, "readings": readings});
    (whole && (1..=20).contains(&times.len())).then_some(message)
}

/// What is to come of it, all numbers as floats.
fn wanted(asked: &Value) -> Value {
    let readings = asked["readings"].as_array().unwrap();
    let up = readings.last().unwrap()["up"].as_i64().unwrap();
    let mut message = json!({"boot": 17, "seq": 4213, "at": asked["at"], "up": up});
    let body = message.as_object_mut().unwrap();
    if let [only] = readings.as_slice() {
        body.extend(only["metrics"].as_object().unwrap().clone());
    } else {
        let one = |one: &Value| {
            let mut all =
                Map::from_iter([("dt".to_owned(), json!(one["up"].as_i64().unwrap() - up))]);
            all.extend(one["metrics"].as_object().unwrap().clone());
            Value::from(all)
        };
        body.insert("readings".to_owned(), readings.iter().map(one).collect());
    }
    floats(message)
}

/// The values as C takes them, `-` where there is none.
fn values(metrics: &Value) -> Option<Vec<String>> {
    let known = metrics.as_object()?.keys().all(|name| METRICS.iter().any(|(one, _)| one == name));
    let value = |(name, step): &(&str, f64)| -> Option<String> {
        let number = match &metrics[name] {
            Value::Null => return Some("-".to_owned()),
            Value::Bool(state) => f64::from(u8::from(*state)),
            Value::String(word) => {
                return MODES.iter().position(|mode| mode == word).map(|at| at.to_string());
            }
            number => number.as_f64()? / step,
        };
        let near = (number - number.round()).abs() < 1e-6 && number.abs() < 2e9;
        near.then(|| format!("{:.0}", number.round()))
    };
    known.then(|| METRICS.iter().map(value).collect::<Option<_>>())?
}

fn numbers(asked: &Value) -> Vec<String> {
    let head = ["boot", "seq", "at"].map(|key| asked[key].to_string());
    let reading = |one: &Value| {
        let mut words = vec![one["up"].to_string()];
        words.extend(values(&one["metrics"]).unwrap());
        words
    };
    let readings = asked["readings"].as_array().unwrap().iter().flat_map(reading);
    head.into_iter().chain(readings).collect()
}

fn script_of(program: &Path, script: &Path, folder: &str, asked: &Value) -> Command {
    let mut command = Command::new(program);
    command.arg(script).arg(source().join(folder)).arg(asked.to_string());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn said(mut command: impl std::borrow::BorrowMut<Command>) -> Value {
    let output = command.borrow_mut().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn floats(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap()),
        Value::Array(all) => all.into_iter().map(floats).collect(),
        Value::Object(all) => {
            all.into_iter().map(|(name, value)| (name, floats(value))).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}
