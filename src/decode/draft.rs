//! What a message said, before anything is known of its place in time.

use std::{collections::HashMap, ops::Range};

use foldhash::fast::FixedState;

use super::show;
use crate::reading::{Sample, Slot, Timestamp};

/// What a message said, before anything is known of its place in time. Used again and again.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) boot: Option<u64>,
    pub(super) seq: Option<u32>,
    pub(super) at: Option<Timestamp>,
    pub(super) up: Option<i64>,
    pub(super) parts: Vec<Part>,
    /// It named at least one metric, measured or not.
    pub(super) named: bool,
    /// It named a person's credential.
    pub(super) personal: bool,
    /// Metrics beside the envelope, not inside `readings`.
    pub(super) flat: Vec<Sample>,
    /// Where the last message placed by receipt stands, of each device of this group.
    pub(super) by_receipt: HashMap<Slot, Timestamp, FixedState>,
}

/// One reading of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) place: Place,
    /// `None`: it cannot be read, and the reading has no place in time.
    pub(super) dt: Option<i64>,
    pub(super) at: Option<Timestamp>,
    pub(super) samples: Range<u32>,
}

/// Where in a message an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Whole,
    /// Element of `readings`.
    Reading(usize),
    /// Element of the array that is the message.
    Element(usize),
}

/// Keys with a meaning of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Boot,
    Seq,
    At,
    Up,
    Readings,
    Dt,
}

impl Draft {
    pub(super) fn clear(&mut self) {
        self.parts.clear();
        self.flat.clear();
        let (parts, flat) = (std::mem::take(&mut self.parts), std::mem::take(&mut self.flat));
        let by_receipt = std::mem::take(&mut self.by_receipt);
        *self = Self { parts, flat, by_receipt, ..Self::default() };
    }

    /// A new group begins.
    pub(super) fn begin_group(&mut self) {
        self.by_receipt.clear();
    }
}

impl Place {
    /// JSON pointer to a key of the object.
    pub(super) fn pointer(self, key: &str) -> String {
        let key = show::pointer(key);
        match self {
            Self::Whole => format!("/{key}"),
            Self::Reading(index) => format!("/readings/{index}/{key}"),
            Self::Element(index) => format!("/{index}/{key}"),
        }
    }
}

impl Field {
    pub(super) fn of(key: &str, place: Place) -> Option<Self> {
        match key {
            "dt" => Some(Self::Dt),
            "at" => Some(Self::At),
            _ if place != Place::Whole => None,
            "boot" => Some(Self::Boot),
            "seq" => Some(Self::Seq),
            "up" => Some(Self::Up),
            "readings" => Some(Self::Readings),
            _ => None,
        }
    }

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Seq => "seq",
            Self::At => "at",
            Self::Up => "up",
            Self::Readings => "readings",
            Self::Dt => "dt",
        }
    }

    pub(super) fn bit(self) -> u8 {
        match self {
            Self::Boot => 1,
            Self::Seq => 1 << 1,
            Self::At => 1 << 2,
            Self::Up => 1 << 3,
            Self::Readings => 1 << 4,
            Self::Dt => 1 << 5,
        }
    }

    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Boot => "a whole number of at least 0",
            Self::Seq => "a whole number from 0 to 4294967295",
            Self::At => "milliseconds since 1970 or an RFC 3339 time",
            Self::Up => "milliseconds since the device started",
            Self::Readings => "an array",
            Self::Dt => "milliseconds before (-) or after the message's moment",
        }
    }
}
