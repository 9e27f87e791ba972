//! What a device measured at one moment, and the small words everything else is made of.

use std::{
    fmt,
    ops::{Add, Range, Sub},
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub const MIN: Self = Self(i64::MIN);

    /// Time that went by since `earlier`; zero when `earlier` lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        self.plus_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        self.plus_millis(-i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, or the bare milliseconds where the calendar ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// A name that profiles declare (a metric, a word of an enumeration), kept once for the life of the
/// process. Payloads never create one, so their number is bounded by the files we loaded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u16);

const SYMBOLS_MAX: usize = 8192;
static NAMES: [OnceLock<&'static str>; SYMBOLS_MAX] = [const { OnceLock::new() }; SYMBOLS_MAX];
static BY_NAME: Mutex<Option<std::collections::HashMap<&'static str, Symbol>>> = Mutex::new(None);

/// More distinct names than [`Symbol`] can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {SYMBOLS_MAX} different names of metrics and words")]
pub struct TooManyNames;

impl Symbol {
    pub fn intern(name: &str) -> Result<Self, TooManyNames> {
        let mut guard = BY_NAME.lock().unwrap_or_else(PoisonError::into_inner);
        let by_name = guard.get_or_insert_default();
        if let Some(symbol) = by_name.get(name) {
            return Ok(*symbol);
        }
        let index = by_name.len();
        let symbol = Self(u16::try_from(index).map_err(|_| TooManyNames)?);
        let place = NAMES.get(index).ok_or(TooManyNames)?;
        let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
        place.get_or_init(|| name);
        by_name.insert(name, symbol);
        Ok(symbol)
    }

    /// The symbol of a name some profile declared, if any did.
    pub fn known(name: &str) -> Option<Self> {
        let guard = BY_NAME.lock().unwrap_or_else(PoisonError::into_inner);
        guard.as_ref()?.get(name).copied()
    }

    pub fn as_str(self) -> &'static str {
        NAMES.get(usize::from(self.0)).and_then(|name| name.get()).copied().unwrap_or("?")
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a metric was found to be. Numbers are always floats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    Number(f64),
    State(bool),
    /// One word of an enumeration the profile declares.
    Word(Symbol),
}

impl Value {
    /// Numbers as they are, states as 0 and 1; words have none.
    pub fn as_number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::State(state) => Some(f64::from(u8::from(state))),
            Self::Word(_) => None,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::State(state) => serializer.serialize_bool(*state),
            Self::Word(word) => serializer.serialize_str(word.as_str()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::State(state) => write!(f, "{state}"),
            Self::Word(word) => write!(f, "{word}"),
        }
    }
}

/// One metric and what it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub metric: Symbol,
    pub value: Value,
}

/// A registered device's number while the process runs: the same for the same
/// `district/station/device` across reloads, never given to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

impl Slot {
    pub fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Place of a message in the journal: which group, which message of it (from 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    pub group: u64,
    pub index: u32,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.group, self.index)
    }
}

/// What gave a reading its place in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlacedBy {
    /// The device's own clock (`at`).
    Device,
    /// The device's uptime (`up`), against the uptime it had at an earlier receipt.
    Uptime,
    /// The moment we received it.
    Receipt,
}

/// Telemetry may wait in a batch; an event may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Telemetry,
    Event,
}

/// The metrics of one device at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub device: Slot,
    pub message: MessageId,
    pub kind: Kind,
    /// Where the reading is placed in time.
    pub at: Timestamp,
    pub placed_by: PlacedBy,
    /// What the device's clock said, if it said anything, believed or not.
    pub claimed: Option<Timestamp>,
    pub received: Timestamp,
    /// Late (stored, but as a rule neither raises nor clears alerts).
    pub backfill: bool,
    /// Its samples, as a range of [`crate::decode::Decoded::samples`].
    pub samples: Range<u32>,
}
