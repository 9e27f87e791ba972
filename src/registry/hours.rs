//! When a station is open: by its hours, without the days it is closed, in its district's time.
//!
//! The hours of a day begin on it: a night shift that began on the evening before a holiday runs to
//! its end, and none begins on the holiday. Local times become moments, so that an hour which a
//! change of the clocks repeats or leaves out neither opens a station twice nor leaves it open.

use jiff::{civil::Date, tz::TimeZone};

use super::{Days, Opens, Registry, Station, opens::DAY};
use crate::reading::Timestamp;

/// Days looked at in one go.
const AT_ONCE: usize = 8;
/// A station that does not open or close for so many times that does neither.
const LOOKS: usize = 50;

impl Registry {
    /// Whether the station is open by its hours. Whether its door is, is for rules to say.
    pub fn open_at(&self, station: &Station, at: Timestamp) -> bool {
        self.hours(station).is_some_and(|hours| hours.open_at(at))
    }

    /// When it opens or closes next, later than `after`; `None` where it does neither for a year.
    pub fn next_change(&self, station: &Station, after: Timestamp) -> Option<Timestamp> {
        self.hours(station)?.next_change(after)
    }

    fn hours<'a>(&'a self, station: &'a Station) -> Option<Hours<'a>> {
        let zone = &self.district_of(station)?.time_zone;
        Some(Hours { opens: &station.opens, closed: &station.closed, zone })
    }
}

struct Hours<'a> {
    opens: &'a Opens,
    closed: &'a Days,
    zone: &'a TimeZone,
}

impl Hours<'_> {
    fn open_at(&self, at: Timestamp) -> bool {
        if *self.opens == Opens::Always && self.closed.is_empty() {
            return true;
        }
        let Some(today) = self.day(at) else { return false };
        [today.yesterday().ok(), Some(today)]
            .into_iter()
            .flatten()
            .flat_map(|date| self.of(date))
            .any(|(opens, closes)| (opens..closes).contains(&at))
    }

    fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let now = self.open_at(after);
        let differs = |at: &Timestamp| *at > after && self.open_at(*at) != now;
        match self.opens {
            Opens::Always => {
                let end = |last: Date| last.tomorrow().ok();
                let edges = self.closed.spans().flat_map(|(first, last)| [Some(first), end(last)]);
                edges.filter_map(|day| self.moment(day?, 0)).find(differs)
            }
            Opens::Week(spans) if spans.is_empty() => None,
            Opens::Week(_) => {
                let first = self.day(after)?.yesterday().ok()?;
                let mut days = first.series(jiff::Span::new().days(1));
                (0..LOOKS).find_map(|_| {
                    let some = days.by_ref().take(AT_ONCE);
                    let mut edges: Vec<_> =
                        some.flat_map(|day| self.of(day)).flat_map(<[_; 2]>::from).collect();
                    edges.sort_unstable();
                    edges.into_iter().find(differs)
                })
            }
        }
    }

    /// From when to when it is open by the hours of that day.
    fn of(&self, date: Date) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let day = u16::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0) * DAY;
        let all_day = [(day, day + DAY)];
        let spans = match self.opens {
            _ if self.closed.contains(date) => Vec::new(),
            Opens::Always => all_day.to_vec(),
            Opens::Week(spans) => {
                let of_day = |span: &&(u16, u16)| (day..day + DAY).contains(&span.0);
                spans.iter().filter(of_day).copied().collect()
            }
        };
        let moment = move |minute: u16| self.moment(date, minute.saturating_sub(day));
        spans.into_iter().filter_map(move |(from, to)| Some((moment(from)?, moment(to)?)))
    }

    /// So many minutes into the local day, or into the one behind it.
    fn moment(&self, date: Date, minute: u16) -> Option<Timestamp> {
        let date = if minute < DAY { date } else { date.tomorrow().ok()? };
        let minute = minute % DAY;
        let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
        let moment = self.zone.to_timestamp(date.at(hour, minute, 0, 0)).ok()?;
        Some(Timestamp(moment.as_millisecond()))
    }

    fn day(&self, at: Timestamp) -> Option<Date> {
        let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
        Some(self.zone.to_datetime(at).date())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::registry::days;

    const ZONES: [&str; 2] = ["Asia/Shanghai", "Europe/Berlin"];
    const MINUTE: i64 = 60_000;

    fn closed(days: &[&str]) -> Days {
        Days::parse(&days.iter().map(|&day| day.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn every_day(from: u16, to: u16) -> Opens {
        Opens::Week((0..7).map(|day| (day * DAY + from, day * DAY + to)).collect())
    }

    /// What opens and closes from `start` on, in local time, at most `count` times.
    fn changes(opens: &Opens, closed: &Days, zone: &str, start: &str, count: usize) -> Vec<String> {
        let zone = &TimeZone::get(zone).unwrap();
        let hours = Hours { opens, closed, zone };
        let start: jiff::civil::DateTime = start.parse().unwrap();
        let mut at = Timestamp(zone.to_timestamp(start).unwrap().as_millisecond());
        let mut found = Vec::new();
        while let Some(next) = hours.next_change(at).filter(|_| found.len() < count) {
            let local = zone.to_datetime(jiff::Timestamp::from_millisecond(next.0).unwrap());
            let what = if hours.open_at(next) { "opens" } else { "closes" };
            found.push(format!("{} {what}", local.strftime("%m-%d %H:%M")));
            at = next;
        }
        found
    }

    #[test]
    fn a_holiday_has_no_hours_and_the_night_before_it_runs_to_its_end() {
        let holiday = &closed(&["2026-10-01..2026-10-02"]);
        let check = |opens: &Opens, expected: &[&str]| {
            assert_eq!(
                changes(opens, holiday, "Asia/Shanghai", "2026-09-30T12:00", 3),
                expected,
                "{opens:?}"
            );
        };
        check(
            &every_day(480, 1320),
            &["09-30 22:00 closes", "10-03 08:00 opens", "10-03 22:00 closes"],
        );
        check(
            &every_day(1320, 1800),
            &["09-30 22:00 opens", "10-01 06:00 closes", "10-03 22:00 opens"],
        );
        check(&Opens::Always, &["10-01 00:00 closes", "10-03 00:00 opens"]);
        check(&Opens::Week(vec![]), &[]);
        let none = &Days::default();
        assert!(changes(&Opens::Always, none, "Asia/Shanghai", "2026-09-30T12:00", 3).is_empty());
    }

    #[test]
    fn clocks_that_change_open_a_station_once() {
        let none = &Days::default();
        let night = every_day(150, 300);
        let spring = changes(&night, none, "Europe/Berlin", "2026-03-28T12:00", 2);
        assert_eq!(spring, ["03-29 03:30 opens", "03-29 05:00 closes"]);
        let autumn = changes(&night, none, "Europe/Berlin", "2026-10-24T12:00", 3);
        assert_eq!(autumn, ["10-25 02:30 opens", "10-25 05:00 closes", "10-26 02:30 opens"]);
        let late = every_day(1200, 1590);
        let autumn = changes(&late, none, "Europe/Berlin", "2026-10-24T12:00", 3);
        assert_eq!(autumn, ["10-24 20:00 opens", "10-25 02:30 closes", "10-25 20:00 opens"]);
    }

    prop_compose! {
        fn a_week()(spans in prop::collection::vec((0u16..7, 0u16..1440, 1u16..=1440), 0..8)) -> Opens {
            let mut week: Vec<_> =
                spans.into_iter().map(|(day, from, long)| (day * DAY + from, day * DAY + from + long)).collect();
            week.sort_unstable();
            Opens::Week(week)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Days around the changes of the clocks, minute by minute: where a station is open
        /// changes exactly when it was said to.
        #[test]
        fn the_next_change_is_the_one_a_scan_finds(
            opens in prop_oneof![Just(Opens::Always), a_week(), a_week(), a_week()],
            holidays in prop::collection::vec(-1i64..6, 0..3),
            zone in prop::sample::select(&ZONES[..]),
            first in prop::sample::select(vec!["2026-03-27", "2026-10-23", "2026-06-01"]),
        ) {
            let zone = &TimeZone::get(zone).unwrap();
            let first = days::day(first).unwrap();
            let day = |n: &i64| first.checked_add(jiff::Span::new().days(*n)).unwrap().to_string();
            let closed = &Days::parse(&holidays.iter().map(day).collect::<Vec<_>>()).unwrap();
            let hours = Hours { opens: &opens, closed, zone };
            let start = zone.to_timestamp(first.at(0, 0, 0, 0)).unwrap().as_millisecond();
            let open: Vec<_> = (0..5 * 1440)
                .map(|minute| hours.open_at(Timestamp(start + minute * MINUTE)))
                .collect();
            for (minute, was) in open.iter().enumerate().step_by(61) {
                let found = open[minute..].iter().position(|now| now != was);
                let at = |minute: usize| Timestamp(start + i64::try_from(minute).unwrap() * MINUTE);
                let next = hours.next_change(at(minute));
                match found {
                    Some(later) => prop_assert_eq!(next, Some(at(minute + later))),
                    None => prop_assert!(next.is_none_or(|next| next >= at(open.len()))),
                }
            }
        }

        /// Away from changes of the clocks and from holidays it is the clock on the wall that counts.
        #[test]
        fn hours_are_those_of_the_clock_on_the_wall(
            opens in a_week(),
            zone in prop::sample::select(&ZONES[..]),
            minute in 0i64..20_000,
        ) {
            let zone = &TimeZone::get(zone).unwrap();
            let start = zone.to_timestamp(days::day("2026-06-01").unwrap().at(0, 0, 0, 0)).unwrap();
            let hours = Hours { opens: &opens, closed: &Days::default(), zone };
            let at = Timestamp(start.as_millisecond() + minute * MINUTE);
            let of_week = u16::try_from(minute % (7 * 1440)).unwrap();
            prop_assert_eq!(hours.open_at(at), opens.at(of_week));
        }
    }
}
