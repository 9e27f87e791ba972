//! A sample as the store holds it, and the days it is sorted into.

use crate::reading::{Symbol, Timestamp, Value};

pub(super) const DAY: i64 = 86_400_000;
pub(super) const HOUR: u32 = 3_600_000;

/// Days since 1970-01-01; what lies before it or after 2149 is not kept.
pub(super) type Day = u16;

/// A metric's or a word's number in table `names`.
pub(super) type NameId = u16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Number,
    State,
    /// Its value is the word's [`NameId`].
    Word,
}

impl Kind {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Number => 0,
            Self::State => 1,
            Self::Word => 2,
        }
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        [Self::Number, Self::State, Self::Word].into_iter().find(|kind| kind.code() == code)
    }
}

/// One metric at one moment of a day; 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    pub(super) value: f64,
    /// Milliseconds since midnight UTC.
    pub(super) at: u32,
    pub(super) metric: NameId,
    pub(super) kind: Kind,
}

impl Entry {
    /// `None` when there is no number left for a name.
    pub(super) fn new(
        metric: NameId,
        at: u32,
        value: Value,
        name: impl FnOnce(Symbol) -> Option<NameId>,
    ) -> Option<Self> {
        let (kind, value) = match value {
            // Adding zero makes -0.0 a plain zero, which is a whole number.
            Value::Number(number) => (Kind::Number, number + 0.0),
            Value::State(state) => (Kind::State, f64::from(u8::from(state))),
            Value::Word(word) => (Kind::Word, f64::from(name(word)?)),
        };
        Some(Self { value, at, metric, kind })
    }
}

/// Day and millisecond of the day.
pub(super) fn split(at: Timestamp) -> Option<(Day, u32)> {
    let day = Day::try_from(at.0.div_euclid(DAY)).ok()?;
    Some((day, u32::try_from(at.0.rem_euclid(DAY)).ok()?))
}

pub(super) fn join(day: Day, at: u32) -> Timestamp {
    Timestamp(i64::from(day) * DAY + i64::from(at))
}

/// Puts entries in order of metric and time; of those at the same time the last given stays.
pub(super) fn settle(entries: &mut Vec<Entry>) {
    let place = |entry: &Entry| (entry.metric, entry.at);
    if !entries.is_sorted_by(|a, b| place(a) < place(b)) {
        entries.sort_by_key(place);
        // `dedup_by` drops the later of two: hand the later's content to the one that stays.
        entries.dedup_by(|later, earlier| {
            let same = place(later) == place(earlier);
            if same {
                *earlier = *later;
            }
            same
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stays_small() {
        assert_eq!(size_of::<Entry>(), 16);
    }

    #[test]
    fn of_two_at_one_time_the_last_given_stays() {
        let entry = |metric, at, value| Entry { value, at, metric, kind: Kind::Number };
        let mut entries =
            vec![entry(1, 5, 1.0), entry(0, 9, 2.0), entry(1, 5, 3.0), entry(1, 5, 4.0)];
        settle(&mut entries);
        assert_eq!(entries, [entry(0, 9, 2.0), entry(1, 5, 4.0)]);
    }

    #[test]
    fn days_are_split_and_joined() {
        for at in [0, 1, DAY - 1, DAY, 1_767_225_600_123] {
            let (day, of_day) = split(Timestamp(at)).unwrap();
            assert_eq!(join(day, of_day), Timestamp(at));
        }
        assert_eq!(split(Timestamp(-1)), None);
        assert_eq!(split(Timestamp(i64::MAX)), None);
    }
}
