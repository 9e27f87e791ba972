//! What may be said to a device of a type: operations, settings, and the echo of its heartbeat.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::rule::Text;

/// Everything a profile declares of the way down.
#[derive(Debug, Clone, Default)]
pub struct Talk {
    pub commands: Vec<Operation>,
    /// Settings a device of this type takes.
    pub config: Vec<Argument>,
    pub echo: Option<Echo>,
}

/// Something a device can be asked to do.
#[derive(Debug, Clone)]
pub struct Operation {
    /// `eject`
    pub op: String,
    pub name: Text,
    /// What whoever asks should know.
    pub hint: Option<Text>,
    pub args: Vec<Argument>,
    /// How long a command holds when whoever asks does not say.
    pub expires: Duration,
}

/// A value a device is given.
#[derive(Debug, Clone)]
pub struct Argument {
    pub name: String,
    pub label: Text,
    pub kind: ArgumentKind,
    pub required: bool,
    /// What the device gets when nothing is said.
    pub default: Option<Value>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ArgumentKind {
    Number {
        range: [f64; 2],
    },
    /// A number without a fraction.
    Whole {
        range: [f64; 2],
    },
    State,
    Words(Vec<String>),
    /// Characters at most.
    Text {
        max: usize,
    },
}

/// A message of the device that it wants back, or it takes us for dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo {
    /// How often the heartbeat comes. One older than this gets no echo: the next is there.
    pub every: Duration,
    /// Which message is the heartbeat.
    pub heartbeat: Heartbeat,
    pub sends: EchoBody,
}

/// The last level of the heartbeat's topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heartbeat {
    Telemetry,
    Event,
    Status,
}

/// What goes back on the device's `echo` topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EchoBody {
    /// The bytes that came.
    #[default]
    Same,
    /// `{"now": ms since 1970}`
    Time,
}

impl Heartbeat {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Event => "event",
            Self::Status => "status",
        }
    }
}

impl Talk {
    pub fn operation(&self, op: &str) -> Option<&Operation> {
        self.commands.iter().find(|operation| operation.op == op)
    }
}

impl ArgumentKind {
    /// What fits, in words: `a whole number from 1 to 500`.
    pub fn expected(&self) -> String {
        match self {
            Self::Number { range: [low, high] } => format!("a number from {low} to {high}"),
            Self::Whole { range: [low, high] } => format!("a whole number from {low} to {high}"),
            Self::State => "true or false".to_owned(),
            Self::Words(words) => format!("one of {}", words.join(", ")),
            Self::Text { max } => format!("a text of at most {max} characters"),
        }
    }

    pub fn fits(&self, value: &Value) -> bool {
        let within = |range: &[f64; 2]| {
            value.as_f64().filter(|number| (range[0]..=range[1]).contains(number))
        };
        match self {
            Self::Number { range } => within(range).is_some(),
            Self::Whole { range } => within(range).is_some_and(|number| number.fract() == 0.0),
            Self::State => value.is_boolean(),
            Self::Words(words) => {
                value.as_str().is_some_and(|said| words.iter().any(|w| w == said))
            }
            Self::Text { max } => value.as_str().is_some_and(|said| said.chars().count() <= *max),
        }
    }

    /// The value as the device gets it: a whole number without a point.
    fn tidy(&self, value: Value) -> Value {
        match (self, value.as_f64()) {
            (Self::Whole { .. }, Some(number)) if value.is_f64() => {
                format!("{number:.0}").parse::<i64>().map_or(value, Value::from)
            }
            _ => value,
        }
    }
}

/// Checks what was given against what is declared, and fills in what has a default. Every mistake
/// is named with what is allowed.
pub fn admit(
    declared: &[Argument],
    given: Map<String, Value>,
) -> Result<Map<String, Value>, Vec<String>> {
    let (mut admitted, mut wrong) = (Map::new(), Vec::new());
    for (name, value) in given {
        match declared.iter().find(|argument| argument.name == name) {
            Some(argument) if argument.kind.fits(&value) => {
                admitted.insert(name, argument.kind.tidy(value));
            }
            Some(argument) => {
                wrong.push(format!("{name}: expected {}, found {value}", argument.kind.expected()));
            }
            None => wrong.push(format!("{name}: unknown; {}", allowed(declared))),
        }
    }
    for argument in declared {
        let given = admitted.contains_key(&argument.name)
            || wrong.iter().any(|wrong| wrong.starts_with(&format!("{}:", argument.name)));
        match &argument.default {
            _ if given => {}
            Some(default) => drop(admitted.insert(argument.name.clone(), default.clone())),
            None if argument.required => {
                wrong.push(format!(
                    "{}: missing, expected {}",
                    argument.name,
                    argument.kind.expected()
                ));
            }
            None => {}
        }
    }
    if wrong.is_empty() { Ok(admitted) } else { Err(wrong) }
}

fn allowed(declared: &[Argument]) -> String {
    let each = declared.iter().map(|a| format!("{} ({})", a.name, a.kind.expected()));
    match each.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "nothing is taken here".to_owned(),
        known => format!("known here: {known}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn argument(
        name: &str,
        kind: ArgumentKind,
        required: bool,
        default: Option<Value>,
    ) -> Argument {
        Argument { name: name.to_owned(), label: Text::default(), kind, required, default }
    }

    #[track_caller]
    fn check(given: Value, expected: Result<Value, &[&str]>) {
        let declared = [
            argument("slot", ArgumentKind::Whole { range: [1.0, 12.0] }, true, None),
            argument("for_s", ArgumentKind::Number { range: [0.5, 60.0] }, false, Some(json!(5))),
            argument("force", ArgumentKind::State, false, None),
            argument("mode", ArgumentKind::Words(vec!["a".into(), "b".into()]), false, None),
            argument("text", ArgumentKind::Text { max: 3 }, false, None),
        ];
        let Value::Object(given) = given else { panic!("{given}") };
        let admitted = admit(&declared, given).map(Value::Object);
        match expected {
            Ok(expected) => assert_eq!(admitted, Ok(expected)),
            Err(parts) => {
                let wrong = admitted.unwrap_err();
                assert_eq!(wrong.len(), parts.len(), "{wrong:?}");
                for (wrong, part) in wrong.iter().zip(parts) {
                    assert!(wrong.starts_with(part), "{wrong:?} does not begin with {part:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_given_must_be_declared_and_fit() {
        check(json!({"slot": 3}), Ok(json!({"slot": 3, "for_s": 5})));
        check(
            json!({"slot": 12.0, "for_s": 0.5, "force": false, "mode": "b", "text": "普陀区"}),
            Ok(json!({"slot": 12, "for_s": 0.5, "force": false, "mode": "b", "text": "普陀区"})),
        );
        check(json!({}), Err(&["slot: missing, expected a whole number from 1 to 12"]));
        check(json!({"slot": 13}), Err(&["slot: expected a whole number from 1 to 12, found 13"]));
        check(json!({"slot": 1.5}), Err(&["slot: expected a whole"]));
        check(
            json!({"slot": "1"}),
            Err(&["slot: expected a whole number from 1 to 12, found \"1\""]),
        );
        check(json!({"slot": 1, "mode": "c"}), Err(&["mode: expected one of a, b, found \"c\""]));
        check(json!({"slot": 1, "text": "long"}), Err(&["text: expected a text of at most 3"]));
        check(json!({"slot": 1, "force": 1}), Err(&["force: expected true or false, found 1"]));
        check(
            json!({"slots": 1, "mode": null}),
            Err(&[
                "mode: expected",
                "slots: unknown; known here: slot (a whole number",
                "slot: missing",
            ]),
        );
        assert_eq!(
            admit(&[], json!({"x": 1}).as_object().unwrap().clone()),
            Err(vec!["x: unknown; nothing is taken here".to_owned()])
        );
    }
}
