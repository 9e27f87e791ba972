//! The lines of `plays`: what comes from the device, from another of its station, or from people.

use std::time::Duration;

use super::{
    Moment,
    written::{Flaw, Names, flaw},
};
use crate::{
    reading::Symbol,
    rule::{RECORDS, Shape},
};

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Play {
    /// As it stands in the file.
    pub line: String,
    pub at: Moment,
    /// Again after so long, as long as it is before the moment.
    pub every: Option<(Duration, Moment)>,
    /// Of another device of the station, by its profile.
    pub profile: Option<String>,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Reads {
        how: How,
        values: Vec<(Symbol, Said)>,
    },
    /// A maintenance record.
    Record {
        kind: String,
        part: Option<String>,
        values: Vec<(Symbol, Said)>,
    },
    /// What the device says of itself: `online`, `offline`, `lost`, `sleeping`.
    Status {
        state: &'static str,
        sleeps: Option<Duration>,
    },
    /// It starts.
    Birth,
    /// A value of this metric that is refused.
    Refused(Symbol),
    /// A person writes a new date into the device's entry: what ends, and when.
    Date(String, String),
    /// A person ends what this rule raised.
    Confirm(String),
    /// From now on its clock is ahead by so many milliseconds; `None`: it claims no time.
    Clock(Option<i64>),
    /// So many messages of it get lost.
    Skip(u32),
    Wait,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Telemetry,
    Event,
    /// Measured so long before it comes.
    Late(Duration),
}

/// A value as the line says it.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    State(bool),
    Number(f64),
    Word(String),
    /// A moment of the timeline.
    At(Moment),
    /// So long before the line's own moment.
    Ago(Duration),
}

impl Play {
    pub(super) fn end(&self) -> Moment {
        self.every.map_or(self.at, |(_, to)| to)
    }

    /// How often it comes.
    pub fn count(&self) -> u64 {
        let Some((every, to)) = self.every else { return 1 };
        let (span, every) =
            (to.0 - self.at.0, i64::try_from(every.as_millis()).unwrap_or(i64::MAX));
        u64::try_from((span + every - 1) / every.max(1)).unwrap_or(0)
    }

    /// The moments at which it comes.
    pub fn moments(&self) -> impl Iterator<Item = Moment> + use<> {
        let (at, every) = (self.at, self.every.map_or(Duration::ZERO, |(every, _)| every));
        let step = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        (0..i64::try_from(self.count()).unwrap_or(0)).map(move |n| Moment(at.0 + n * step))
    }
}

pub(super) fn play(line: &str, names: &Names<'_>) -> Result<Play, Flaw> {
    let (head, again) = match line.split_once(" every ") {
        Some((head, again)) => (head, Some(again)),
        None => (line, None),
    };
    let Some((at, rest)) = Moment::split(head) else {
        let cure = "begin with a time such as 08:00 or +1d 08:00";
        return Err(flaw("does not begin with a time", cure));
    };
    let every = again.map(|again| every(at, again)).transpose()?;
    let (profile, rest) = match rest.split_once(": ") {
        Some((profile, rest)) => (Some(profile.to_owned()), rest.trim()),
        None => (None, rest),
    };
    if let Some(profile) = &profile {
        names.profile(profile)?;
    }
    let what = what(rest, &Of { names, profile: profile.as_deref() })?;
    Ok(Play { line: line.to_owned(), at, every, profile, what })
}

/// `1m to 02:00`
fn every(at: Moment, again: &str) -> Result<(Duration, Moment), Flaw> {
    let cure = "write it as \"every 1m to 02:00\"";
    let parts = again.split_once(" to ");
    let (every, to) = parts.ok_or_else(|| flaw("\"every\" without \"to\"", cure))?;
    let to = Moment::parse(to).ok_or_else(|| flaw(format!("\"{to}\" is no time"), cure))?;
    let every = duration(every)?;
    if every.is_zero() || to <= at {
        return Err(flaw("ends before it begins", cure));
    }
    Ok((every, to))
}

/// Whose names count in a line.
struct Of<'a> {
    names: &'a Names<'a>,
    profile: Option<&'a str>,
}

fn what(text: &str, of: &Of<'_>) -> Result<What, Flaw> {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    let status = |state| Ok(What::Status { state, sleeps: None });
    match verb {
        "wait" => Ok(What::Wait),
        "birth" => Ok(What::Birth),
        "online" => status("online"),
        "offline" => status("offline"),
        "lost" => status("lost"),
        "sleeping" => Ok(What::Status { state: "sleeping", sleeps: Some(duration(rest)?) }),
        "refused" => of.names.metric(of.profile, rest).map(|(metric, _)| What::Refused(metric)),
        "confirm" => of.names.rule(rest).map(|()| What::Confirm(rest.to_owned())),
        "date" => match rest.split_once('=') {
            Some((name, date)) => Ok(What::Date(name.to_owned(), date.to_owned())),
            None => Err(flaw("which date?", "write it as \"date pads=2028-05-01\"")),
        },
        "clock" => clock(rest).map(What::Clock),
        "skip" => {
            let count = rest.parse().map_err(|_| flaw("how many?", "write it as \"skip 5\""))?;
            Ok(What::Skip(count))
        }
        "record" => record(rest, of),
        "event" => Ok(What::Reads { how: How::Event, values: values(rest, of)? }),
        "late" => {
            let (by, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            Ok(What::Reads { how: How::Late(duration(by)?), values: values(rest, of)? })
        }
        _ => Ok(What::Reads { how: How::Telemetry, values: values(text, of)? }),
    }
}

/// `cleaned`, `replaced filter`, each with values behind it.
fn record(text: &str, of: &Of<'_>) -> Result<What, Flaw> {
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    if !RECORDS.contains(&kind) {
        let cure = format!("known here: {}", RECORDS.join(", "));
        return Err(flaw(format!("unknown record \"{kind}\""), cure));
    }
    let (part, rest) = match rest.split_once(' ').unwrap_or((rest, "")) {
        ("", _) => (None, ""),
        (first, _) if first.contains('=') => (None, rest),
        (part, rest) => (Some(part.to_owned()), rest),
    };
    let values = if rest.is_empty() { Vec::new() } else { values(rest, of)? };
    Ok(What::Record { kind: kind.to_owned(), part, values })
}

fn values(text: &str, of: &Of<'_>) -> Result<Vec<(Symbol, Said)>, Flaw> {
    let cure = "write metric=value, or one of wait, event, late, record, online, offline, lost, \
                sleeping, birth, refused, confirm, date, clock, skip";
    if text.trim().is_empty() {
        return Err(flaw("says nothing", cure));
    }
    let value = |word: &str| {
        let (metric, value) =
            word.split_once('=').ok_or_else(|| flaw(format!("unknown word \"{word}\""), cure))?;
        let (metric, shape) = of.names.metric(of.profile, metric)?;
        Ok((metric, said(value, shape)?))
    };
    text.split_whitespace().map(value).collect()
}

/// What cannot be right is left to decoding, which says it as it would to a device.
fn said(text: &str, shape: Shape<'_>) -> Result<Said, Flaw> {
    if shape == Shape::Time {
        return moment(text);
    }
    Ok(match text {
        "true" => Said::State(true),
        "false" => Said::State(false),
        _ => text.parse().map_or_else(|_| Said::Word(text.to_owned()), Said::Number),
    })
}

/// `now`, `-26h` (before the line's moment), `03:30` or `+1d03:30`.
fn moment(text: &str) -> Result<Said, Flaw> {
    let ago = text.strip_prefix('-').and_then(|text| humantime::parse_duration(text).ok());
    let said = match (text, ago) {
        ("now", _) => Some(Said::Ago(Duration::ZERO)),
        (_, Some(ago)) => Some(Said::Ago(ago)),
        _ => Moment::parse(text).map(Said::At),
    };
    said.ok_or_else(|| {
        flaw(format!("\"{text}\" is no moment"), "write now, -26h, 03:30 or +1d03:30")
    })
}

/// `+10m`, `-10m`, `right`, `none`.
fn clock(text: &str) -> Result<Option<i64>, Flaw> {
    let millis = |text| duration(text).map(|by| i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    match text.split_at_checked(1) {
        Some(("+", by)) => millis(by).map(Some),
        Some(("-", by)) => millis(by).map(|by| Some(-by)),
        _ if text == "right" => Ok(Some(0)),
        _ if text == "none" => Ok(None),
        _ => Err(flaw("by how much is it off?", "write clock +10m, clock -10m, clock right")),
    }
}

fn duration(text: &str) -> Result<Duration, Flaw> {
    humantime::parse_duration(text.trim())
        .map_err(|_| flaw(format!("\"{text}\" is no duration"), "write it as 30s, 5m or 2h"))
}
