//! Whether a value is what a metric's profile says it is.

use super::{
    Code,
    token::{Refusal, Token},
};
use crate::{
    device::{Metric, MetricKind},
    reading::{Symbol, Timestamp, Value},
};

/// Milliseconds since 1970 that the calendar of RFC 3339 has.
const CALENDAR_MS: std::ops::RangeInclusive<i64> = 0..=253_402_300_799_999;

/// The value as the store wants it; `None` where it was not measured (`null`).
pub(super) fn judge(metric: &Metric, token: &Token<'_>) -> Result<Option<Value>, Refusal> {
    let value = match (&metric.kind, token) {
        (_, Token::Null) => return Ok(None),
        (MetricKind::Number | MetricKind::Counter, Token::Number(number)) => {
            Value::Number(measured(metric, number.as_float(), token)?)
        }
        (MetricKind::State, Token::State(state)) => Value::State(*state),
        (MetricKind::Words(words), Token::Text(text)) => {
            let known = words.iter().find(|word| word.as_str() == text);
            let known = known.ok_or_else(|| refusal(Code::BadValue, token, one_of(words)))?;
            Value::Word(*known)
        }
        (MetricKind::Time, Token::Number(_) | Token::Text(_)) => Value::Number(moment_of(token)?),
        (kind, _) => return Err(refusal(Code::WrongType, token, wanted(kind).to_owned())),
    };
    Ok(Some(value))
}

fn measured(metric: &Metric, number: f64, token: &Token<'_>) -> Result<f64, Refusal> {
    if !number.is_finite() {
        return Err(refusal(Code::BadValue, token, "a finite number".to_owned()));
    }
    if let Some([low, high]) = metric.plausible
        && !(low..=high).contains(&number)
    {
        return Err(refusal(Code::Implausible, token, format!("a number from {low} to {high}")));
    }
    if metric.kind == MetricKind::Counter && number < 0.0 {
        return Err(refusal(Code::Implausible, token, "a count of at least 0".to_owned()));
    }
    Ok(number)
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "the calendar fits exactly")]
fn moment_of(token: &Token<'_>) -> Result<f64, Refusal> {
    let moment = moment(token).filter(|moment| CALENDAR_MS.contains(&moment.0));
    let moment = moment
        .ok_or_else(|| refusal(Code::BadValue, token, wanted(&MetricKind::Time).to_owned()))?;
    Ok(moment.0 as f64)
}

/// A moment as devices write it: ms since 1970, or RFC 3339.
pub(super) fn moment(token: &Token<'_>) -> Option<Timestamp> {
    match token {
        Token::Number(number) => number.as_whole().map(Timestamp),
        Token::Text(text) => {
            let moment: jiff::Timestamp = text.parse().ok()?;
            Some(Timestamp(moment.as_millisecond()))
        }
        _ => None,
    }
}

fn refusal(code: Code, token: &Token<'_>, expected: String) -> Refusal {
    Refusal { code, path: String::new(), found: token.found(), expected }
}

fn wanted(kind: &MetricKind) -> &'static str {
    match kind {
        MetricKind::Number | MetricKind::Counter => "a number",
        MetricKind::State => "true or false",
        MetricKind::Words(_) => "a word in double quotes",
        MetricKind::Time => "milliseconds since 1970 or an RFC 3339 time",
    }
}

fn one_of(words: &[Symbol]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("{:?}", word.as_str())).collect();
    format!("one of {}", words.join(", "))
}
