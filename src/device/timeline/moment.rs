//! Times of a timeline: local, from the Monday on which every timeline begins.

use std::{fmt, time::Duration};

const DAY: i64 = 24 * 3600 * 1000;

/// Milliseconds since Monday 00:00 in the station; `+1d 08:00` is Tuesday at eight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// The moment at the beginning of `text`, and what stands behind it.
    pub(super) fn split(text: &str) -> Option<(Self, &str)> {
        let text = text.trim();
        let (days, clock) = match text.strip_prefix('+') {
            None => (0, text),
            Some(after) => {
                let (days, rest) = after.split_once('d')?;
                (days.parse::<u16>().ok()?, rest.trim_start())
            }
        };
        let (clock, rest) = clock.split_once(char::is_whitespace).unwrap_or((clock, ""));
        Some((Self(i64::from(days) * DAY + of_day(clock)?), rest.trim()))
    }

    /// A moment and nothing else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::split(text).filter(|(_, rest)| rest.is_empty()).map(|(moment, _)| moment)
    }

    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Milliseconds since midnight of `08:00`, `08:00:30`, and `24:00` as the end of the day.
fn of_day(clock: &str) -> Option<i64> {
    let mut parts = clock.split(':');
    let mut part = |most: i64| {
        let text = parts.next().filter(|text| text.len() == 2)?;
        text.parse::<u8>().ok().map(i64::from).filter(|number| *number <= most)
    };
    let (hour, minute) = (part(24)?, part(59)?);
    let second = if clock.len() > 5 { part(59)? } else { 0 };
    let millis = ((hour * 60 + minute) * 60 + second) * 1000;
    (parts.next().is_none() && millis <= DAY).then_some(millis)
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        if days != 0 {
            write!(f, "{days:+}d ")?;
        }
        let (seconds, millis) = (rest / 1000, rest % 1000);
        write!(f, "{:02}:{:02}", seconds / 3600, seconds / 60 % 60)?;
        match (seconds % 60, millis) {
            (0, 0) => Ok(()),
            (seconds, 0) => write!(f, ":{seconds:02}"),
            (seconds, millis) => write!(f, ":{seconds:02}.{millis:03}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_as_they_are_written() {
        for (text, millis) in [
            ("00:00", 0),
            ("08:30", 30_600_000),
            ("23:59:59", 86_399_000),
            ("+1d 00:00", 86_400_000),
            ("+30d 12:00:05", 2_635_205_000),
        ] {
            assert_eq!(Moment::parse(text), Some(Moment(millis)), "{text}");
            assert_eq!(Moment(millis).to_string(), text);
        }
        assert_eq!(Moment::parse("24:00"), Some(Moment(DAY)));
        assert_eq!(Moment(-3_600_000).to_string(), "-1d 23:00");
        for wrong in
            ["", "8:00", "08:60", "24:01", "08:00 x", "+1 08:00", "+d 08:00", "08:00:00:00"]
        {
            assert_eq!(Moment::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_stands_behind_a_moment_is_the_rest() {
        let (moment, rest) = Moment::split("+2d 01:00  temp_c=4 every 1m to 02:00").unwrap();
        assert_eq!((moment.0 / DAY, rest), (2, "temp_c=4 every 1m to 02:00"));
    }
}
