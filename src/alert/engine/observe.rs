//! What we see of a device beside what it reports: refused values, its clock, its boots, messages
//! that never came.
//!
//! What is as it should be is not written down before it was otherwise: most devices are never seen
//! to do anything of this, and take no memory for it.

use smallvec::SmallVec;

use super::{Asking, Device, Engine, Event, Outcome};
use crate::{
    alert::track::Arrival,
    decode::{Code, Decoded},
    reading::{MessageId, Reading, Sample, Timestamp, Value},
};

/// Two clocks that differ by less agree.
const CLOCK_LEAST_S: f64 = 10.0;

/// What is seen of one message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    implausible: bool,
    /// Between the latest time in it and its receipt; none in what comes late.
    clock_off_s: Option<f64>,
    /// It has a reading; a message that has none was not counted by whoever sent it either.
    counts: bool,
}

impl Seen {
    /// Of a message that has readings: these.
    pub(super) fn of(decoded: &Decoded, message: &[Reading]) -> Self {
        let Some(first) = message.first() else { return Self::default() };
        let live = message.iter().filter(|reading| !reading.backfill);
        let claimed = live.filter_map(|reading| reading.claimed).max();
        let clock_off_s = claimed.map(|claimed| {
            claimed.since(first.received).max(first.received.since(claimed)).as_secs_f64()
        });
        Self { implausible: refused(decoded, first.message), clock_off_s, counts: true }
    }
}

/// Rejections stand in the order of the messages.
fn refused(decoded: &Decoded, message: MessageId) -> bool {
    let first = decoded.rejections.partition_point(|refused| refused.message < message);
    let mut of_message =
        decoded.rejections.iter().skip(first).take_while(|refused| refused.message == message);
    of_message.any(|refused| refused.code == Code::Implausible)
}

/// So do readings.
fn has_reading(decoded: &Decoded, message: MessageId) -> bool {
    decoded.readings.binary_search_by_key(&message, |reading| reading.message).is_ok()
}

impl Engine {
    /// What no reading tells of: messages that held nothing but refused values, and those that never
    /// came.
    pub(super) fn notice(&mut self, decoded: &Decoded, clock: Timestamp, outcome: &mut Outcome) {
        for rejection in decoded.rejections.iter().filter(|r| r.code == Code::Implausible) {
            let Some(slot) = rejection.device.filter(|slot| self.observes(*slot)) else { continue };
            if has_reading(decoded, rejection.message) {
                continue;
            }
            let now = self.moment(rejection.received, clock);
            let message = Some((rejection.message, rejection.received));
            let seen = Seen { implausible: true, ..Seen::default() };
            self.visit(slot, decoded.group, outcome, |device, asking, events| {
                device.observe(&seen, now, &Asking { message, ..*asking }, events);
            });
        }
        for gap in &decoded.gaps {
            if self.observes(gap.device) {
                let now = self.moment(decoded.received, clock);
                self.visit(gap.device, decoded.group, outcome, |device, asking, events| {
                    device.misses(gap.missing, now, asking, events);
                });
            }
        }
    }

    fn observes(&self, slot: crate::reading::Slot) -> bool {
        let device = self.devices.get(slot.index()).and_then(Option::as_deref);
        device.is_some_and(|device| device.plan.observed.is_some())
    }
}

type Samples = SmallVec<[Sample; 4]>;

impl Device {
    pub(super) fn observe(
        &mut self,
        seen: &Seen,
        now: Timestamp,
        asking: &Asking<'_>,
        events: &mut Vec<Event>,
    ) {
        let Some(observed) = self.plan.observed else { return };
        let mut samples = Samples::new();
        if seen.implausible || self.has(observed.implausible) {
            samples.extend(self.sample(observed.implausible, Value::State(seen.implausible)));
        }
        if let Some(off) = seen.clock_off_s
            && (off >= CLOCK_LEAST_S || self.has(observed.clock))
        {
            samples.extend(self.sample(observed.clock, Value::Number(off)));
        }
        if seen.counts
            && let Some(messages) = self.count(observed.messages)
        {
            let missing = self.count(observed.missing).unwrap_or(0.0);
            samples.extend(self.sample(observed.missing, Value::Number(missing)));
            samples.extend(self.sample(observed.messages, Value::Number(messages + 1.0)));
        }
        self.note(&samples, now, asking, events);
    }

    /// Messages of it never came. They are counted, and those that come, from the first of them on.
    fn misses(&mut self, more: u64, now: Timestamp, asking: &Asking<'_>, out: &mut Vec<Event>) {
        let Some(observed) = self.plan.observed else { return };
        let messages = self.count(observed.messages).unwrap_or(0.0);
        for more in [None, Some(more)] {
            if more.is_none() && self.has(observed.missing) {
                continue;
            }
            let missing = self.count(observed.missing).unwrap_or(0.0) + number(more.unwrap_or(0));
            let mut samples = Samples::new();
            samples.extend(self.sample(observed.missing, Value::Number(missing)));
            samples.extend(self.sample(observed.messages, Value::Number(messages)));
            self.note(&samples, now, asking, out);
        }
    }

    /// It said which boot it is in.
    pub(super) fn boots(
        &mut self,
        boot: Option<u64>,
        now: Timestamp,
        asking: &Asking<'_>,
        events: &mut Vec<Event>,
    ) {
        let Some(boot) = boot.map(folded) else { return };
        let again = self.boot != 0 && self.boot != boot;
        self.boot = boot;
        let Some(observed) = self.plan.observed.filter(|_| again) else { return };
        let before = self.count(observed.boots);
        let counts = [before.is_none().then_some(0.0), Some(before.unwrap_or(0.0) + 1.0)];
        for count in counts.into_iter().flatten() {
            let sample = self.sample(observed.boots, Value::Number(count));
            self.note(sample.as_slice(), now, asking, events);
        }
    }

    fn note(
        &mut self,
        samples: &[Sample],
        now: Timestamp,
        asking: &Asking<'_>,
        events: &mut Vec<Event>,
    ) {
        if !samples.is_empty() {
            self.learn(&Arrival { samples, now, at: now, event: false }, asking, events);
        }
    }

    fn sample(&self, cell: Option<usize>, value: Value) -> Option<Sample> {
        let metric = self.plan.metrics.get(cell?)?.symbol;
        Some(Sample { metric, value })
    }

    fn has(&self, cell: Option<usize>) -> bool {
        cell.is_some_and(|cell| self.live.cell(cell).is_some())
    }

    fn count(&self, cell: Option<usize>) -> Option<f64> {
        self.live.cell(cell?).and_then(|cell| cell.value.as_number())
    }
}

/// Boots are numbered as devices like; zero stands for none.
fn folded(boot: u64) -> u32 {
    u32::try_from((boot ^ (boot >> 32)) & u64::from(u32::MAX)).unwrap_or(0).max(1)
}

/// Counts are small: what does not fit is as good as endless.
fn number(count: u64) -> f64 {
    u32::try_from(count).unwrap_or(u32::MAX).into()
}
