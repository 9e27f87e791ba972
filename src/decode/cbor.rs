//! CBOR (RFC 8949), read by minicbor's decoder value by value.

use std::borrow::Cow;

use minicbor::{
    Decoder,
    data::{IanaTag, Type},
    decode,
};
use smallvec::SmallVec;

use super::token::{Flaw, Number, Source, Token};

/// A CBOR item and how far it has been read.
#[derive(Debug)]
pub(super) struct Cbor<'a> {
    decoder: Decoder<'a>,
    /// Of what is open: how many parts are to come, `None` where a break ends it.
    /// No longer than the contract allows things to be nested.
    open: SmallVec<[Option<u64>; 8]>,
}

/// Whether a payload is CBOR: it begins with an array, a map, or the tag that says so.
pub(super) fn is_cbor(payload: &[u8]) -> bool {
    matches!(payload, [0x80..=0xbf, ..] | [0xd9, 0xd9, 0xf7, ..])
}

impl<'a> Cbor<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Self {
        Self { decoder: Decoder::new(payload), open: SmallVec::new() }
    }

    fn flaw(&self, expected: &str) -> Flaw {
        let at = self.decoder.position();
        let found = match self.decoder.input().get(at) {
            Some(byte) => format!("{byte:#04x} at byte {at}"),
            None => format!("the end at byte {at}"),
        };
        Flaw::garbled(found, expected)
    }

    fn read<T>(
        &mut self,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, decode::Error>,
    ) -> Result<T, Flaw> {
        let at = self.decoder.position();
        read(&mut self.decoder).map_err(|_| {
            self.decoder.set_position(at);
            self.flaw("a CBOR item")
        })
    }

    /// Whether what is innermost goes on; takes its end away where it does not.
    fn goes_on(&mut self) -> Result<bool, Flaw> {
        let goes_on = match self.open.last_mut() {
            Some(Some(0)) | None => false,
            Some(Some(left)) => {
                *left -= 1;
                true
            }
            Some(None) => {
                let ends = self.read(|decoder| decoder.datatype())? == Type::Break;
                if ends {
                    self.decoder.set_position(self.decoder.position() + 1);
                }
                !ends
            }
        };
        if !goes_on {
            self.open.pop();
        }
        Ok(goes_on)
    }

    fn text(&mut self) -> Result<Cow<'a, str>, Flaw> {
        match self.read(|decoder| decoder.datatype())? {
            Type::String => self.read(Decoder::str).map(Cow::Borrowed),
            Type::StringIndef => self
                .read(|decoder| decoder.str_iter()?.collect::<Result<String, _>>())
                .map(Cow::Owned),
            _ => Err(self.flaw("a text as key")),
        }
    }

    /// Passes over tags; true when one says that seconds since 1970 follow.
    fn tags(&mut self) -> Result<bool, Flaw> {
        let mut seconds = false;
        while self.read(|decoder| decoder.datatype())? == Type::Tag {
            seconds = self.read(Decoder::tag)? == IanaTag::Timestamp.tag();
        }
        Ok(seconds)
    }

    fn number(&mut self, kind: Type, seconds: bool) -> Result<Token<'a>, Flaw> {
        let number = if matches!(kind, Type::F16 | Type::F32 | Type::F64) {
            Number::Float(self.read(Decoder::f64)?)
        } else {
            let whole = i128::from(self.read(Decoder::int)?);
            let below =
                i64::try_from(whole).map_or(Number::Float(f64::NEG_INFINITY), Number::Negative);
            u64::try_from(whole).map_or(below, Number::Whole)
        };
        let milliseconds = |number: Number<'_>| Number::Float(number.as_float() * 1000.0);
        Ok(Token::Number(if seconds { milliseconds(number) } else { number }))
    }
}

impl<'a> Source<'a> for Cbor<'a> {
    fn value(&mut self) -> Result<Token<'a>, Flaw> {
        let seconds = self.tags()?;
        match self.read(|decoder| decoder.datatype())? {
            Type::Bool => self.read(Decoder::bool).map(Token::State),
            Type::Null => self.read(Decoder::null).map(|()| Token::Null),
            Type::Undefined => self.read(Decoder::undefined).map(|()| Token::Null),
            Type::String | Type::StringIndef => self.text().map(Token::Text),
            Type::Bytes | Type::BytesIndef => {
                self.read(|decoder| decoder.bytes_iter()?.try_for_each(|part| part.map(drop)))?;
                Ok(Token::Bytes)
            }
            Type::Array | Type::ArrayIndef => {
                let left = self.read(Decoder::array)?;
                self.open.push(left);
                Ok(Token::Array)
            }
            Type::Map | Type::MapIndef => {
                let left = self.read(Decoder::map)?;
                self.open.push(left);
                Ok(Token::Object)
            }
            Type::Simple | Type::Break | Type::Tag | Type::Unknown(_) => Err(self.flaw("a value")),
            kind => self.number(kind, seconds),
        }
    }

    fn key(&mut self) -> Result<Option<Cow<'a, str>>, Flaw> {
        if self.goes_on()? { self.text().map(Some) } else { Ok(None) }
    }

    fn element(&mut self) -> Result<bool, Flaw> {
        self.goes_on()
    }

    fn end(&mut self) -> Result<(), Flaw> {
        let is_end = self.decoder.position() == self.decoder.input().len();
        if is_end { Ok(()) } else { Err(self.flaw("the end")) }
    }
}
