//! The body of `telemetry` and `event`: a flat object, an envelope with `readings`, or an array of
//! readings. One pass, straight into samples.

use super::{
    Code, Decoded, Extra,
    contract::{EXTRAS_MAX, READINGS_MAX},
    draft::{Draft, Field, Part, Place},
    message::Incoming,
    personal, show,
    token::{Flaw, Number, Refusal, Source, Token, deeper, skip},
    value,
};
use crate::{
    device::{Metric, Profile},
    reading::{Sample, Slot},
};

/// Keys of one object that came, to know one that comes twice.
#[derive(Debug)]
struct Seen {
    metrics: u128,
    fields: u8,
    extras: usize,
}

/// Reads one body.
pub(super) struct Reader<'x, 'm> {
    pub(super) message: &'x Incoming<'m>,
    pub(super) device: Slot,
    pub(super) profile: &'x Profile,
    pub(super) out: &'x mut Decoded,
    pub(super) draft: &'x mut Draft,
}

impl Seen {
    /// Notes a field; true when it was there before.
    fn field(&mut self, field: Field) -> bool {
        let before = self.fields;
        self.fields |= field.bit();
        before == self.fields
    }
}

impl Reader<'_, '_> {
    pub(super) fn read<'a>(&mut self, source: &mut impl Source<'a>) -> Result<(), Flaw> {
        match source.value()? {
            Token::Object => self.whole(source)?,
            Token::Array => self.readings(source, Place::Element, 1)?,
            other => {
                let found = other.found();
                return Err(Flaw::new(Code::NotAnObject, String::new(), found, "an object"));
            }
        }
        source.end()
    }

    fn whole<'a>(&mut self, source: &mut impl Source<'a>) -> Result<(), Flaw> {
        let mut part = Part { place: Place::Whole, dt: Some(0), at: None, samples: 0..0 };
        self.members(source, &mut part, deeper(0)?)?;
        self.draft.at = part.at.take();
        if !self.draft.flat.is_empty() {
            let start = self.samples();
            self.out.samples.append(&mut self.draft.flat);
            part.samples = start..self.samples();
            self.draft.parts.push(part);
        }
        Ok(())
    }

    fn readings<'a>(
        &mut self,
        source: &mut impl Source<'a>,
        place: fn(usize) -> Place,
        depth: u32,
    ) -> Result<(), Flaw> {
        let mut index = 0;
        while source.element()? {
            if index == READINGS_MAX {
                let expected = format!("at most {READINGS_MAX} readings in one message");
                return Err(Flaw::new(Code::TooMany, String::new(), "more".to_owned(), &expected));
            }
            self.reading(source, place(index), depth)?;
            index += 1;
        }
        Ok(())
    }

    fn reading<'a>(
        &mut self,
        source: &mut impl Source<'a>,
        place: Place,
        depth: u32,
    ) -> Result<(), Flaw> {
        let token = source.value()?;
        if token != Token::Object {
            self.draft.named = true;
            let path = place.pointer("");
            let path = path.trim_end_matches('/').to_owned();
            let (found, expected) = (token.found(), "an object".to_owned());
            self.refuse(Refusal { code: Code::NotAnObject, path, found, expected });
            return skip(source, &token, depth);
        }
        let start = self.samples();
        let mut part = Part { place, dt: Some(0), at: None, samples: start..start };
        self.members(source, &mut part, deeper(depth)?)?;
        part.samples.end = self.samples();
        self.draft.parts.push(part);
        Ok(())
    }

    fn members<'a>(
        &mut self,
        source: &mut impl Source<'a>,
        part: &mut Part,
        depth: u32,
    ) -> Result<(), Flaw> {
        let mut seen = Seen { metrics: 0, fields: 0, extras: self.out.extras.len() };
        while let Some(key) = source.key()? {
            let token = source.value()?;
            let doubled = if let Some(field) = Field::of(&key, part.place) {
                self.field(source, field, &token, part, depth)?;
                if field == Field::Readings {
                    seen.extras = self.out.extras.len();
                }
                seen.field(field)
            } else {
                self.draft.named = true;
                let doubled = self.metric(&key, &token, part.place, &mut seen);
                skip(source, &token, depth)?;
                doubled
            };
            if doubled {
                let path = part.place.pointer(&key);
                return Err(Flaw::new(
                    Code::DoubledKey,
                    path,
                    "it twice".to_owned(),
                    "each key once",
                ));
            }
        }
        Ok(())
    }

    fn field<'a>(
        &mut self,
        source: &mut impl Source<'a>,
        field: Field,
        token: &Token<'a>,
        part: &mut Part,
        depth: u32,
    ) -> Result<(), Flaw> {
        let number = if let Token::Number(number) = token { Some(*number) } else { None };
        let could = match (field, token) {
            (_, Token::Null) => true,
            (Field::Readings, Token::Array) => {
                return self.readings(source, Place::Reading, deeper(depth)?);
            }
            (Field::Readings, _) => false,
            (Field::Boot, _) => put(&mut self.draft.boot, number.and_then(Number::as_count)),
            (Field::Seq, _) => {
                let seq = number.and_then(Number::as_count).and_then(|seq| seq.try_into().ok());
                put(&mut self.draft.seq, seq)
            }
            (Field::Up, _) => {
                let up = number.and_then(Number::as_whole).filter(|up| *up >= 0);
                put(&mut self.draft.up, up)
            }
            (Field::At, _) => put(&mut part.at, value::moment(token)),
            (Field::Dt, _) => put(&mut part.dt, number.and_then(Number::as_whole)),
        };
        if !could {
            self.refuse_field(field, token, part.place);
        }
        skip(source, token, depth)
    }

    fn refuse_field(&mut self, field: Field, token: &Token<'_>, place: Place) {
        let code = match field {
            Field::Boot | Field::Seq | Field::Readings => Code::WrongType,
            Field::At | Field::Up | Field::Dt => Code::BadTime,
        };
        self.draft.named |= matches!(field, Field::Readings | Field::Dt);
        let (path, expected) = (place.pointer(field.key()), field.expected().to_owned());
        self.refuse(Refusal { code, path, found: token.found(), expected });
    }

    /// Takes one metric; true when this object had it before.
    fn metric(&mut self, key: &str, token: &Token<'_>, place: Place, seen: &mut Seen) -> bool {
        let mut metrics = (0_u32..).zip(&self.profile.metrics);
        let Some((index, metric)) = metrics.find(|(_, metric)| metric.symbol.as_str() == key)
        else {
            return self.unknown(key, token, place, seen);
        };
        let bit = 1_u128.checked_shl(index).unwrap_or(0);
        if seen.metrics & bit != 0 {
            return true;
        }
        seen.metrics |= bit;
        self.judge(metric, key, token, place);
        false
    }

    fn judge(&mut self, metric: &Metric, key: &str, token: &Token<'_>, place: Place) {
        match value::judge(metric, token) {
            Ok(None) => {}
            Ok(Some(value)) => {
                let whole = place == Place::Whole;
                let samples = if whole { &mut self.draft.flat } else { &mut self.out.samples };
                samples.push(Sample { metric: metric.symbol, value });
            }
            Err(refusal) => self.refuse(Refusal { path: place.pointer(key), ..refusal }),
        }
    }

    fn unknown(&mut self, key: &str, token: &Token<'_>, place: Place, seen: &Seen) -> bool {
        if personal::is_in(key) {
            self.draft.personal = true;
            let expected = "nothing that tells who a person is".to_owned();
            let (code, path) = (Code::Personal, place.pointer(key));
            self.refuse(Refusal { code, path, found: String::new(), expected });
            return false;
        }
        let name = show::cut(key);
        let mut of_object = self.out.extras.iter().skip(seen.extras);
        if of_object.any(|extra| extra.name == name) {
            return true;
        }
        let of_message = self.out.extras.len() - self.message.extras_before;
        if of_message < EXTRAS_MAX {
            self.out.extras.push(Extra { device: self.device, name, found: token.found() });
        }
        false
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.message.refuse(self.out, refusal);
    }

    fn samples(&self) -> u32 {
        u32::try_from(self.out.samples.len()).unwrap_or(u32::MAX)
    }
}

/// Puts a value that could be read in its place; false when there is none.
fn put<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let taken = value.is_some();
    *place = value;
    taken
}
