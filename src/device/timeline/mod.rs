//! A timeline: what a device says, moment by moment, and which alerts must come of it.
//!
//! ```text
//! [[timeline]] ─ reader ─▶ Timeline { facts, plays, expects } ─ rehearse ─▶ as expected, or not
//! ```
//! Here it is read and checked; `rehearse` plays it.

mod expect;
mod moment;
mod play;
mod written;

pub use expect::{Expected, Turn};
pub use moment::Moment;
pub use play::{How, Play, Said, What};
pub(super) use written::{Names, Written, note, read};

use std::collections::BTreeMap;

use crate::reading::Symbol;

/// One course of events of one device, with what must happen.
#[derive(Debug, Clone)]
pub struct Timeline {
    pub name: String,
    /// Whose device plays; a profile's own timelines leave it out.
    pub profile: Option<String>,
    /// The rules whose happenings are compared: those it names, else those of the file it is in.
    pub rules: Vec<Symbol>,
    pub facts: Facts,
    pub plays: Vec<Play>,
    pub expects: Vec<Expected>,
}

/// What the registry says of the station and the device, as it would stand in a stations file.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub opens: Option<toml::Value>,
    pub closed: Option<toml::Value>,
    pub capacity: Option<u32>,
    /// Dates of the device, by what ends then.
    pub dates: BTreeMap<String, String>,
    /// Anything else of the device's entry: `reports_every`, `rules`.
    pub device: toml::Table,
}

impl Timeline {
    /// When nothing more is played or expected.
    pub fn end(&self) -> Moment {
        let plays = self.plays.iter().map(Play::end);
        plays.chain(self.expects.iter().map(|expected| expected.at)).max().unwrap_or_default()
    }
}
