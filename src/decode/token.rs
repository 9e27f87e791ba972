//! What JSON and CBOR have in common: one value after another, asked for by whoever reads them.
//!
//! Not serde: a number its `f64` cannot hold (`1e400`, `NaN`) would cost the whole message, what is
//! passed over would recurse as deep as a device likes, and a doubled key would go unseen.

use std::borrow::Cow;

use super::{Code, contract::DEPTH_MAX, show};

/// A value, or the beginning of one that holds others.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    Null,
    State(bool),
    Number(Number<'a>),
    Text(Cow<'a, str>),
    Bytes,
    Object,
    Array,
}

/// A number as it stood in the message; whoever wants it says as what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number<'a> {
    /// JSON: the grammar was checked, or it is one of the words for what is not finite.
    Written(&'a str),
    Whole(i128),
    Float(f64),
}

/// Why something was refused, before it is known of which message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) path: String,
    pub(super) found: String,
    pub(super) expected: String,
}

/// A [`Refusal`] of the whole message. Boxed, as it is rare and readers pass results along.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Flaw(pub(super) Box<Refusal>);

impl Flaw {
    pub(super) fn new(code: Code, path: String, found: String, expected: &str) -> Self {
        Self(Box::new(Refusal { code, path, found, expected: expected.to_owned() }))
    }

    pub(super) fn garbled(found: String, expected: &str) -> Self {
        Self::new(Code::NotJson, String::new(), found, expected)
    }
}

/// A payload that is read value by value.
pub(super) trait Source<'a> {
    /// The next value; behind [`Token::Object`] its keys follow, behind [`Token::Array`] its elements.
    fn value(&mut self) -> Result<Token<'a>, Flaw>;
    /// The next key of the innermost object, whose value follows; `None` where the object ends.
    fn key(&mut self) -> Result<Option<Cow<'a, str>>, Flaw>;
    /// Whether the innermost array goes on; false where it ends.
    fn element(&mut self) -> Result<bool, Flaw>;
    /// Checks that nothing follows.
    fn end(&mut self) -> Result<(), Flaw>;
}

/// Passes over what `token` began inside `depth` objects and arrays.
pub(super) fn skip<'a>(
    source: &mut impl Source<'a>,
    token: &Token<'a>,
    depth: u32,
) -> Result<(), Flaw> {
    match token {
        Token::Object => {
            let depth = deeper(depth)?;
            while source.key()?.is_some() {
                let value = source.value()?;
                skip(source, &value, depth)?;
            }
        }
        Token::Array => {
            let depth = deeper(depth)?;
            while source.element()? {
                let value = source.value()?;
                skip(source, &value, depth)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// One level further inside, if the contract has that many.
pub(super) fn deeper(depth: u32) -> Result<u32, Flaw> {
    if depth < DEPTH_MAX {
        return Ok(depth + 1);
    }
    let expected = format!("at most {DEPTH_MAX} objects and arrays inside each other");
    Err(Flaw::new(Code::TooDeep, String::new(), "more".to_owned(), &expected))
}

impl Number<'_> {
    /// As a float; infinite or not a number where a float cannot hold it.
    pub(super) fn as_float(self) -> f64 {
        match self {
            Self::Written(text) => text.parse().unwrap_or(f64::NAN),
            Self::Whole(whole) => float(whole),
            Self::Float(float) => float,
        }
    }

    /// As a whole number, rounded; `None` where there is none.
    pub(super) fn as_whole(self) -> Option<i64> {
        match self {
            Self::Written(text) => text.parse().ok().or_else(|| whole(self.as_float())),
            Self::Whole(whole) => i64::try_from(whole).ok(),
            Self::Float(float) => whole(float),
        }
    }

    /// As a count, which is written without a fraction.
    pub(super) fn as_count(self) -> Option<u64> {
        match self {
            Self::Written(text) => text.parse().ok(),
            Self::Whole(whole) => u64::try_from(whole).ok(),
            Self::Float(float) => {
                (float.fract() == 0.0).then(|| whole(float)).flatten()?.try_into().ok()
            }
        }
    }
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "floats are what we keep")]
fn float(whole: i128) -> f64 {
    whole as f64
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "checked before")]
fn whole(float: f64) -> Option<i64> {
    (float.abs() < 9e18).then(|| float.round() as i64)
}

impl Token<'_> {
    /// As it stood in the message, cut; what holds others is only named.
    pub(super) fn found(&self) -> String {
        let found = match self {
            Self::Null => "null".to_owned(),
            Self::State(state) => state.to_string(),
            Self::Number(Number::Written(text)) => (*text).to_owned(),
            Self::Number(Number::Whole(whole)) => whole.to_string(),
            Self::Number(Number::Float(float)) => float.to_string(),
            Self::Text(text) => return show::quoted(text),
            Self::Bytes => "a byte string".to_owned(),
            Self::Object => "an object".to_owned(),
            Self::Array => "an array".to_owned(),
        };
        show::cut(&found)
    }
}
