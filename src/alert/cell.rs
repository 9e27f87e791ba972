//! The last value of a metric and when it came, in 16 bytes: a hundred thousand devices have many.

use crate::reading::{Symbol, Timestamp, Value};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    pub(crate) value: Value,
    pub(crate) came: Timestamp,
}

/// [`Cell`], packed; the time keeps 48 bits of milliseconds, enough for the next 8000 years.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) enum Packed {
    #[default]
    Empty,
    Number([u8; 8], Came),
    State(bool, Came),
    Word(Symbol, Came),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Came([u8; 6]);

const LATEST: i64 = (1 << 48) - 1;

impl Packed {
    pub(crate) fn new(Cell { value, came }: Cell) -> Self {
        let came = Came::new(came);
        match value {
            Value::Number(number) => Self::Number(number.to_le_bytes(), came),
            Value::State(state) => Self::State(state, came),
            Value::Word(word) => Self::Word(word, came),
        }
    }

    pub(crate) fn open(self) -> Option<Cell> {
        let (value, came) = match self {
            Self::Empty => return None,
            Self::Number(bytes, came) => (Value::Number(f64::from_le_bytes(bytes)), came),
            Self::State(state, came) => (Value::State(state), came),
            Self::Word(word, came) => (Value::Word(word), came),
        };
        Some(Cell { value, came: came.open() })
    }
}

impl Came {
    fn new(came: Timestamp) -> Self {
        let mut kept = [0; 6];
        let bytes = came.0.clamp(0, LATEST).to_le_bytes();
        kept.iter_mut().zip(bytes).for_each(|(kept, byte)| *kept = byte);
        Self(kept)
    }

    fn open(self) -> Timestamp {
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(self.0).for_each(|(byte, kept)| *byte = kept);
        Timestamp(i64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_again_and_is_small() {
        assert_eq!(size_of::<Packed>(), 16);
        let word = Symbol::intern("packed").unwrap();
        for value in [Value::Number(-4.25), Value::State(true), Value::Word(word)] {
            let cell = Cell { value, came: Timestamp(1_800_000_000_123) };
            assert_eq!(Packed::new(cell).open(), Some(cell));
        }
        assert_eq!(Packed::Empty.open(), None);
    }
}
