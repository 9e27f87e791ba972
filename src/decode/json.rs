//! JSON as RFC 8259 has it, read without copying. One thing more: the words some firmware writes for
//! what is not finite (`NaN`, `Infinity`) count as numbers, so that they cost one metric and not the message.

use std::borrow::Cow;

use super::token::{Flaw, Number, Source, Token};

const NOT_FINITE: &[&str] = &[
    "NaN",
    "nan",
    "NAN",
    "Infinity",
    "infinity",
    "inf",
    "Inf",
    "INF",
    "-Infinity",
    "-infinity",
    "-inf",
    "-Inf",
    "-INF",
    "-nan",
    "-NaN",
];

/// A JSON text and how far it has been read.
#[derive(Debug)]
pub(super) struct Json<'a> {
    text: &'a str,
    at: usize,
    /// An object or array was opened just now: no comma stands before its first part.
    opened: bool,
}

impl<'a> Json<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Result<Self, Flaw> {
        let text = std::str::from_utf8(payload).map_err(|error| {
            let found = format!("a byte that is not UTF-8 at byte {}", error.valid_up_to());
            Flaw::garbled(found, "JSON in UTF-8")
        })?;
        Ok(Self { text, at: 0, opened: false })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space.
    fn next_sign(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    fn from(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn flaw(&self, expected: &str) -> Flaw {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let found = match rest.chars().next() {
            Some(c) => format!("{c:?} at byte {}", self.at),
            None => format!("the end at byte {}", self.at),
        };
        Flaw::garbled(found, expected)
    }

    fn digits(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.flaw("a digit")) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Token<'a>, Flaw> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => {
                self.at = start;
                return self.not_finite();
            }
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Token::Number(Number::Written(self.from(start))))
    }

    fn not_finite(&mut self) -> Result<Token<'a>, Flaw> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let end = rest.bytes().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let word = rest.get(..end).filter(|word| NOT_FINITE.contains(word));
        let word = word.ok_or_else(|| self.flaw("a value"))?;
        self.at += end;
        Ok(Token::Number(Number::Written(word)))
    }

    fn literal(&mut self) -> Result<Token<'a>, Flaw> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let (length, token) = match rest {
            [b't', b'r', b'u', b'e', ..] => (4, Token::State(true)),
            [b'f', b'a', b'l', b's', b'e', ..] => (5, Token::State(false)),
            [b'n', b'u', b'l', b'l', ..] => (4, Token::Null),
            _ => return self.not_finite(),
        };
        self.at += length;
        Ok(token)
    }

    /// Reads a text; the opening quote is here.
    fn string(&mut self) -> Result<Cow<'a, str>, Flaw> {
        self.at += 1;
        let start = self.at;
        self.plain();
        if self.peek() == Some(b'"') {
            let text = self.from(start);
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        let mut text = self.from(start).to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => text.push(self.escaped()?),
                Some(0..0x20) => return Err(self.flaw("no control character in a text")),
                Some(_) => {
                    let start = self.at;
                    self.plain();
                    text.push_str(self.from(start));
                }
                None => return Err(self.flaw("the end of a text")),
            }
        }
    }

    /// Goes on to the next byte that means something in a text.
    fn plain(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        self.at += end.unwrap_or(rest.len());
    }

    fn escaped(&mut self) -> Result<char, Flaw> {
        self.at += 1;
        let c = match self.peek() {
            Some(sign @ (b'"' | b'\\' | b'/')) => char::from(sign),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.flaw("an escape sign")),
        };
        self.at += 1;
        Ok(c)
    }

    /// `\u` and four digits; two of them where UTF-16 needs two.
    fn unicode(&mut self) -> Result<char, Flaw> {
        let first = self.four_digits()?;
        let units = if (0xd800..0xdc00).contains(&first) {
            if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u")) {
                return Err(self.flaw("the second half of a surrogate pair"));
            }
            self.at += 1;
            vec![first, self.four_digits()?]
        } else {
            vec![first]
        };
        match char::decode_utf16(units).next() {
            Some(Ok(c)) => Ok(c),
            _ => Err(self.flaw("a surrogate pair")),
        }
    }

    fn four_digits(&mut self) -> Result<u16, Flaw> {
        let digits = self.text.get(self.at + 1..self.at + 5);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.flaw("four hexadecimal digits"))?;
        self.at += 5;
        Ok(unit)
    }

    /// Goes to the next part of what is open; false where it ends with `end`.
    fn next_part(&mut self, end: u8, expected: &str) -> Result<bool, Flaw> {
        let opened = std::mem::take(&mut self.opened);
        match self.next_sign() {
            Some(sign) if sign == end => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !opened => {
                self.at += 1;
                Ok(true)
            }
            _ if opened => Ok(true),
            _ => Err(self.flaw(expected)),
        }
    }
}

impl<'a> Source<'a> for Json<'a> {
    fn value(&mut self) -> Result<Token<'a>, Flaw> {
        match self.next_sign() {
            Some(b'"') => self.string().map(Token::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(sign @ (b'{' | b'[')) => {
                self.at += 1;
                self.opened = true;
                Ok(if sign == b'{' { Token::Object } else { Token::Array })
            }
            _ => self.literal(),
        }
    }

    fn key(&mut self) -> Result<Option<Cow<'a, str>>, Flaw> {
        if !self.next_part(b'}', "a comma or }")? {
            return Ok(None);
        }
        if self.next_sign() != Some(b'"') {
            return Err(self.flaw("a key in double quotes"));
        }
        let key = self.string()?;
        if self.next_sign() != Some(b':') {
            return Err(self.flaw("a colon"));
        }
        self.at += 1;
        Ok(Some(key))
    }

    fn element(&mut self) -> Result<bool, Flaw> {
        self.next_part(b']', "a comma or ]")
    }

    fn end(&mut self) -> Result<(), Flaw> {
        match self.next_sign() {
            None => Ok(()),
            Some(_) => Err(self.flaw("the end")),
        }
    }
}
