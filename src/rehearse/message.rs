//! What a device of a timeline publishes: the topic and the bytes it would send.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::world;
use crate::{
    decode::Contract,
    device::{How, Metric, MetricKind, Moment, Said, What},
    journal::{Condition, Message, Messages, Source},
    reading::{self, Symbol},
};

/// How a device numbers its messages, and what its clock shows.
#[derive(Debug)]
pub(super) struct Sender {
    path: String,
    boot: u64,
    seq: u64,
    /// Ahead by so many milliseconds; `None`: it claims no time.
    clock: Option<i64>,
}

impl Sender {
    pub(super) fn new(profile: &str) -> Self {
        Self { path: world::path(profile), boot: 1, seq: 0, clock: None }
    }

    pub(super) fn set_clock(&mut self, clock: Option<i64>) {
        self.clock = clock;
    }

    pub(super) fn has_wrong_clock(&self) -> bool {
        self.clock.is_some_and(|ahead| ahead != 0)
    }

    /// So many of its messages get lost.
    pub(super) fn skip(&mut self, messages: u32) {
        self.seq += u64::from(messages);
    }

    /// The message for a line; none where it is nothing that a device sends. `refused` is the
    /// metric whose value must not be taken.
    pub(super) fn message(
        &mut self,
        at: Moment,
        what: &What,
        refused: Option<&Metric>,
    ) -> Option<Messages> {
        let (kind, body) = match what {
            What::Birth => {
                (self.boot, self.seq) = (self.boot + 1, 0);
                ("birth", json!({ "boot": self.boot }))
            }
            What::Status { state, sleeps: None } => ("status", json!({ "state": state })),
            What::Status { state, sleeps: Some(sleeps) } => {
                ("status", json!({ "state": state, "sleep_s": sleeps.as_secs() }))
            }
            What::Reads { how: How::Event, values } => {
                ("event", self.readings(at, values, Duration::ZERO))
            }
            What::Reads { how: How::Telemetry, values } => {
                ("telemetry", self.readings(at, values, Duration::ZERO))
            }
            What::Reads { how: How::Late(by), values } => {
                ("telemetry", self.readings(at, values, *by))
            }
            What::Refused(_) => ("telemetry", self.bad(at, refused?)),
            _ => return None,
        };
        Some(self.wrap(at, kind, &body))
    }

    fn readings(&mut self, at: Moment, values: &[(Symbol, Said)], late: Duration) -> Value {
        let mut body = self.envelope(at, late);
        body.extend(values.iter().map(|(metric, said)| (metric.to_string(), value(said, at))));
        Value::Object(body)
    }

    fn bad(&mut self, at: Moment, metric: &Metric) -> Value {
        let mut body = self.envelope(at, Duration::ZERO);
        let value = match (&metric.kind, metric.plausible) {
            (MetricKind::Number | MetricKind::Counter, Some([_, high])) => json!(high + 1.0),
            _ => json!("rubbish"),
        };
        body.insert(metric.symbol.to_string(), value);
        Value::Object(body)
    }

    fn envelope(&mut self, at: Moment, late: Duration) -> Map<String, Value> {
        self.seq += 1;
        let mut body = Map::new();
        body.insert("boot".to_owned(), json!(self.boot));
        body.insert("seq".to_owned(), json!(self.seq));
        if self.clock.is_some() || !late.is_zero() {
            let claimed = world::time(at).plus_millis(self.clock.unwrap_or(0)) - late;
            body.insert("at".to_owned(), json!(claimed.0));
        }
        body
    }

    fn wrap(&self, at: Moment, kind: &str, body: &Value) -> Messages {
        let topic = format!("{}/{}/{kind}", Contract::default().prefix, self.path);
        let mut messages = Messages::default();
        messages.push(&Message {
            source: Source::Listen,
            received: world::time(at),
            retained: false,
            condition: Condition::Whole,
            topic: topic.as_bytes(),
            sender: b"",
            payload: body.to_string().as_bytes(),
        });
        messages
    }
}

fn value(said: &Said, at: Moment) -> Value {
    match said {
        Said::State(state) => json!(state),
        Said::Number(number) => json!(number),
        Said::Word(word) => json!(word),
        Said::At(moment) => json!(world::time(*moment).0),
        Said::Ago(ago) => json!((world::time(at) - *ago).0),
    }
}

/// The same value as a person writes it into a record.
pub(super) fn found(said: &Said, at: Moment) -> Option<reading::Value> {
    let moment = match said {
        Said::State(state) => return Some(reading::Value::State(*state)),
        Said::Number(number) => return Some(reading::Value::Number(*number)),
        Said::Word(word) => return Symbol::known(word).map(reading::Value::Word),
        Said::At(moment) => world::time(*moment),
        Said::Ago(ago) => world::time(at) - *ago,
    };
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a day of a timeline")]
    Some(reading::Value::Number(moment.0 as f64))
}
