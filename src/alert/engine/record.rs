//! What a person did to a device, and what they found.

use super::{Engine, Outcome};
use crate::{
    alert::track::{Arrival, moment},
    reading::{Sample, Symbol, Timestamp, Value},
};

impl Engine {
    /// Work that was done at `at`, by the names that rules give it (`record.cleaned`), and what was
    /// found, as a reading of the device. It is no sign of life of it. `None`: no such device.
    pub fn record(
        &mut self,
        path: &str,
        done: &[Symbol],
        at: Timestamp,
        found: &[Sample],
        now: Timestamp,
    ) -> Option<Outcome> {
        let slot = self.registry.find(path)?.slot;
        let device = self.devices.get(slot.index())?.as_deref()?;
        // What is told late does not take back what was done since.
        let is_news = |symbol: &&Symbol| {
            let known = device.plan.cell(**symbol).and_then(|cell| device.live.cell(cell));
            known.and_then(|cell| moment(cell.value)).is_none_or(|known| known < at)
        };
        let done = done.iter().filter(is_news);
        let done = done.map(|symbol| Sample { metric: *symbol, value: millis(at) });
        let samples: Vec<_> = done.chain(found.iter().copied()).collect();
        let mut outcome = Outcome::default();
        let arrival = Arrival { samples: &samples, now, at: now, event: false };
        self.visit(slot, 0, &mut outcome, |device, asking, events| {
            device.learn(&arrival, asking, events);
        });
        outcome.devices.push(slot);
        Some(outcome)
    }
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "the calendar fits exactly")]
fn millis(at: Timestamp) -> Value {
    Value::Number(at.0 as f64)
}
