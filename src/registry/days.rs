//! Days as people write them: `2026-10-01`, or from the first to the last, `2026-10-01..2026-10-07`.

use std::sync::Arc;

use jiff::civil::Date;

/// Days on which a station is closed: spans in order that neither touch nor overlap, both ends in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Days(Arc<[(Date, Date)]>);

impl Days {
    /// In any order; or what cannot be understood.
    pub(super) fn parse(written: &[String]) -> Result<Self, String> {
        Ok(Self::merge(written.iter().map(|text| span(text)).collect::<Result<_, _>>()?))
    }

    /// The days of both, shared where one adds nothing.
    pub(super) fn with(&self, more: &Self) -> Self {
        match (self.is_empty(), more.is_empty()) {
            (_, true) => self.clone(),
            (true, false) => more.clone(),
            (false, false) => Self::merge(self.0.iter().chain(more.0.iter()).copied().collect()),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, day: Date) -> bool {
        let behind = self.0.partition_point(|(first, _)| *first <= day);
        let span = behind.checked_sub(1).and_then(|index| self.0.get(index));
        span.is_some_and(|(_, last)| day <= *last)
    }

    pub fn spans(&self) -> impl Iterator<Item = (Date, Date)> {
        self.0.iter().copied()
    }

    fn merge(mut spans: Vec<(Date, Date)>) -> Self {
        spans.sort_unstable();
        let mut merged: Vec<(Date, Date)> = Vec::with_capacity(spans.len());
        for (first, last) in spans {
            match merged.last_mut() {
                Some((_, end)) if first <= end.tomorrow().unwrap_or(Date::MAX) => {
                    *end = last.max(*end);
                }
                _ => merged.push((first, last)),
            }
        }
        Self(merged.into())
    }
}

fn span(text: &str) -> Result<(Date, Date), String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last) = (day(first)?, day(last)?);
    if first > last { Err(format!("{text:?} runs backwards")) } else { Ok((first, last)) }
}

/// A day of the calendar, written in full.
pub(super) fn day(text: &str) -> Result<Date, String> {
    let written = text.trim();
    let plain = written.len() == 10 && written.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let day = plain.then(|| written.parse().ok()).flatten();
    day.ok_or_else(|| format!("{text:?} is no day"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(written: &[&str]) -> Result<Days, String> {
        Days::parse(&written.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn days_are_read_in_any_order_and_merged() {
        let holidays = days(&["2026-10-05..2026-10-07", "2026-01-01", "2026-10-01..2026-10-05"]);
        let holidays = holidays.unwrap();
        assert_eq!(holidays.spans().count(), 2);
        for (text, expected) in [
            ("2025-12-31", false),
            ("2026-01-01", true),
            ("2026-01-02", false),
            ("2026-09-30", false),
            ("2026-10-01", true),
            ("2026-10-06", true),
            ("2026-10-07", true),
            ("2026-10-08", false),
        ] {
            assert_eq!(holidays.contains(day(text).unwrap()), expected, "{text}");
        }
        assert_eq!(days(&["2026-01-01", "2026-01-02"]).unwrap().spans().count(), 1);
        let both = holidays.with(&days(&["2026-10-08"]).unwrap());
        assert!(both.contains(day("2026-10-08").unwrap()) && both.spans().count() == 2);
    }

    #[test]
    fn what_is_no_day_is_named() {
        for (text, expected) in [
            ("2026-13-01", "\"2026-13-01\" is no day"),
            ("2026-2-1", "is no day"),
            ("tomorrow", "\"tomorrow\" is no day"),
            ("2026-10-07..2026-10-01", "runs backwards"),
            ("2026-10-07..", "\"\" is no day"),
        ] {
            let found = days(&[text]).unwrap_err();
            assert!(found.contains(expected), "{text}: {found}");
        }
    }
}
