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
    Whole(u64),
    Negative(i64),
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
            Self::Written(text) => {
                short_decimal(text).or_else(|| text.parse().ok()).unwrap_or(f64::NAN)
            }
            Self::Whole(whole) => float(whole),
            Self::Negative(below) => -float(below.unsigned_abs()),
            Self::Float(float) => float,
        }
    }

    /// As a whole number, rounded; `None` where there is none.
    pub(super) fn as_whole(self) -> Option<i64> {
        match self {
            Self::Written(text) => text.parse().ok().or_else(|| whole(self.as_float())),
            Self::Whole(whole) => i64::try_from(whole).ok(),
            Self::Negative(below) => Some(below),
            Self::Float(float) => whole(float),
        }
    }

    /// As a count; `17.0`, as some encoders write every number, is one.
    pub(super) fn as_count(self) -> Option<u64> {
        match self {
            Self::Written(text) => text.parse().ok().or_else(|| count(self.as_float())),
            Self::Whole(whole) => Some(whole),
            Self::Negative(_) => None,
            Self::Float(float) => count(float),
        }
    }
}

const TENS: [f64; 10] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// What sensors mostly say: up to nine digits, a point among them or not. Both parts are exact as
/// floats, so their quotient is the float nearest to what is written.
fn short_decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() > 10 {
        return None;
    }
    let (mut number, mut places, mut pointed) = (0_u32, 0_usize, false);
    for byte in digits.bytes() {
        match byte {
            b'0'..=b'9' => {
                number = number.checked_mul(10)?.checked_add(u32::from(byte - b'0'))?;
                places += usize::from(pointed);
            }
            b'.' => pointed = true,
            _ => return None,
        }
    }
    let float = f64::from(number) / TENS.get(places)?;
    Some(if digits.len() == text.len() { float } else { -float })
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "floats are what we keep")]
fn float(whole: u64) -> f64 {
    whole as f64
}

fn count(float: f64) -> Option<u64> {
    whole(float).filter(|_| float.fract() == 0.0)?.try_into().ok()
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
            Self::Number(Number::Negative(below)) => below.to_string(),
            Self::Number(Number::Float(float)) => float.to_string(),
            Self::Text(text) => return show::quoted(text),
            Self::Bytes => "a byte string".to_owned(),
            Self::Object => "an object".to_owned(),
            Self::Array => "an array".to_owned(),
        };
        show::cut(&found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn short_decimals_are_the_floats_that_are_meant(text in r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?") {
            let meant: f64 = text.parse().unwrap();
            let float = Number::Written(&text).as_float();
            prop_assert_eq!(float.to_bits(), meant.to_bits(), "{}", text);
        }
    }

    #[test]
    fn what_is_no_short_decimal_is_read_as_well() {
        for text in
            ["1e3", "123456789012", "-0", "0.1234567890123", "4294967296.0", "-1e-400", "1E+2"]
        {
            let meant: f64 = text.parse().unwrap();
            assert_eq!(Number::Written(text).as_float().to_bits(), meant.to_bits(), "{text}");
        }
        assert!(Number::Written("NaN").as_float().is_nan());
        assert!(Number::Written("1e400").as_float().is_infinite());
    }
}
