//! Opening hours: as people write them, and as minutes of the week.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, de};

use super::Opens;

pub(super) const DAY: u16 = 24 * 60;
const WEEK: u16 = 7 * DAY;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The hours of each day from Monday: `24h`, `closed`, `08:00-22:00`, or several spans with commas.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Written {
    #[default]
    Always,
    EveryDay(String),
    /// Seven, from Monday.
    List(Vec<String>),
    /// By `mon` … `sun` or `mon-fri`; a day that is not named is closed.
    Table(BTreeMap<String, String>),
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Written;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "\"24h\", hours such as \"08:00-22:00\", seven of them, or a table by weekday",
                )
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Written, E> {
                Ok(match text {
                    "24h" => Written::Always,
                    hours => Written::EveryDay(hours.to_owned()),
                })
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Written, A::Error> {
                let mut days = Vec::new();
                while let Some(day) = list.next_element()? {
                    days.push(day);
                }
                Ok(Written::List(days))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
                let mut days = BTreeMap::new();
                while let Some((day, hours)) = map.next_entry()? {
                    days.insert(day, hours);
                }
                Ok(Written::Table(days))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Written {
    /// Spans of minutes since Monday 00:00, or what cannot be understood.
    pub(super) fn parse(&self) -> Result<Opens, String> {
        let mut week = Vec::new();
        match self {
            Self::Always => return Ok(Opens::Always),
            Self::EveryDay(hours) => {
                for day in 0..DAYS.len() {
                    add(&mut week, day, hours)?;
                }
            }
            Self::List(days) if days.len() == DAYS.len() => {
                for (day, hours) in days.iter().enumerate() {
                    add(&mut week, day, hours)?;
                }
            }
            Self::List(days) => {
                return Err(format!("expected seven days from Monday, found {}", days.len()));
            }
            Self::Table(days) => {
                for (names, hours) in days {
                    for day in named(names)? {
                        add(&mut week, day, hours)?;
                    }
                }
            }
        }
        week.sort_unstable();
        let all_day = week.iter().map(|(from, to)| to - from).sum::<u16>() == WEEK;
        Ok(if all_day { Opens::Always } else { Opens::Week(week) })
    }
}

impl Opens {
    /// Whether it is open at this minute of the local week, counted from Monday 00:00.
    pub fn at(&self, minute: u16) -> bool {
        match self {
            Self::Always => true,
            Self::Week(spans) => spans.iter().any(|(from, to)| {
                (*from..*to).contains(&minute)
                    || (*from..*to).contains(&minute.saturating_add(WEEK))
            }),
        }
    }
}

/// The days of `sat` or `mon-fri`.
fn named(names: &str) -> Result<Vec<usize>, String> {
    let day = |name: &str| {
        let found = DAYS.iter().position(|day| *day == name.trim());
        found.ok_or_else(|| format!("{name:?} is no weekday; use mon … sun or mon-fri"))
    };
    match names.split_once('-') {
        None => Ok(vec![day(names)?]),
        Some((first, last)) => match (day(first)?, day(last)?) {
            (first, last) if first <= last => Ok((first..=last).collect()),
            _ => Err(format!("{names:?} runs backwards")),
        },
    }
}

fn add(week: &mut Vec<(u16, u16)>, day: usize, hours: &str) -> Result<(), String> {
    let start = DAY * u16::try_from(day).map_err(|_| "too many days")?;
    match hours {
        "closed" => return Ok(()),
        "24h" => {
            week.push((start, start + DAY));
            return Ok(());
        }
        _ => {}
    }
    for span in hours.split(',') {
        let not_hours = || format!("{hours:?} is not like \"08:00-22:00\", \"24h\" or \"closed\"");
        let (from, to) = span.split_once('-').ok_or_else(not_hours)?;
        let from = minute(from).filter(|from| *from < DAY).ok_or_else(not_hours)?;
        let to = minute(to).ok_or_else(not_hours)?;
        // Past midnight: it closes on the next day.
        let to = if to <= from { to + DAY } else { to };
        week.push((start + from, start + to));
    }
    Ok(())
}

/// Minutes since midnight of `08:00`, up to `24:00`.
fn minute(clock: &str) -> Option<u16> {
    let (hour, minute) = clock.trim().split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Line {
        opens: Written,
    }

    fn read(toml: &str) -> Result<Opens, String> {
        toml::from_str::<Line>(toml).map_err(|error| error.message().to_owned())?.opens.parse()
    }

    #[test]
    fn hours_are_read_in_every_form() {
        assert_eq!(read("opens = '24h'"), Ok(Opens::Always));
        let daily = read("opens = '08:00-22:00'").unwrap();
        let listed = read(&format!("opens = [{}]", ["'08:00-22:00'"; 7].join(","))).unwrap();
        let table = read("opens = { mon-sun = '08:00-22:00' }").unwrap();
        assert_eq!(daily, listed);
        assert_eq!(daily, table);
        for (day, clock, open) in
            [(0, 479, false), (0, 480, true), (6, 1319, true), (6, 1320, false)]
        {
            assert_eq!(daily.at(day * DAY + clock), open, "{day} {clock}");
        }
        assert_eq!(read("opens = ['24h','24h','24h','24h','24h','24h','24h']"), Ok(Opens::Always));
    }

    #[test]
    fn a_night_shift_runs_past_midnight_and_past_sunday() {
        let nights = read("opens = { fri = '22:00-06:00', sun = '22:00-06:00' }").unwrap();
        for (day, hour, open) in [
            (4, 21, false),
            (4, 23, true),
            (5, 5, true),
            (5, 6, false),
            (0, 3, true),
            (1, 3, false),
        ] {
            assert_eq!(nights.at(day * DAY + hour * 60), open, "day {day}, {hour} h");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (toml, expected) in [
            ("opens = '8-22'", "\"8-22\" is not like"),
            ("opens = '25:00-26:00'", "is not like"),
            ("opens = ['24h']", "expected seven days from Monday, found 1"),
            ("opens = { moon = '24h' }", "\"moon\" is no weekday"),
            ("opens = { fri-mon = '24h' }", "runs backwards"),
            ("opens = 24", "expected \"24h\", hours such as"),
        ] {
            let error = read(toml).unwrap_err();
            assert!(error.contains(expected), "{toml}: {error}");
        }
    }
}
