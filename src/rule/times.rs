//! Checks conditions that time alone decides: ages, dates, hours of the day.

use super::{
    Condition, Shape,
    check::{Checker, join},
    written::{During, ExpiresWithin, OlderThan},
};

impl Checker<'_> {
    pub(super) fn older(&mut self, key: &str, older: &OlderThan) -> Option<Condition> {
        self.duration(&join(key, "than"), older.than);
        let metric = match (&older.metric, &older.record, &older.date) {
            (Some(name), None, None) => {
                let (metric, shape) = self.metric(key, None, name)?;
                self.expect(key, metric, shape, &[Shape::Time]);
                metric
            }
            (None, Some(record), None) => self.record(key, record)?,
            (None, None, Some(date)) => self.from(key, "date", date)?,
            _ => {
                self.note(key, "needs one of metric, record and date", "");
                return None;
            }
        };
        Some(Condition::OlderThan { metric, than: older.than })
    }

    pub(super) fn expires(&mut self, key: &str, expires: &ExpiresWithin) -> Option<Condition> {
        self.duration(&join(key, "within"), expires.within);
        let date = self.from(key, "date", &expires.date)?;
        Some(Condition::ExpiresWithin { date, within: expires.within })
    }

    pub(super) fn during(&mut self, key: &str, during: &During) -> Option<Condition> {
        let from = self.time_of_day(&join(key, "from"), &during.from);
        let to = self.time_of_day(&join(key, "to"), &during.to);
        let (from, to) = (from?, to?);
        if from == to {
            self.note(key, "from and to are the same", "");
        }
        Some(Condition::During { from, to })
    }

    /// Minutes since midnight.
    fn time_of_day(&mut self, key: &str, text: &str) -> Option<u16> {
        let parts = text.split_once(':');
        let parsed = parts.and_then(|(hour, minute)| {
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (text.len() == 5 && hour < 24 && minute < 60).then_some(hour * 60 + minute)
        });
        if parsed.is_none() {
            self.note(key, format!("{text:?} is no time of day"), "write it as \"22:00\"");
        }
        parsed
    }
}
