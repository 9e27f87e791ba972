//! What a device reports goes to the devices of its station whose rules look at it.
//!
//! It becomes an ordinary cell of theirs: states are true if any device says so, counters grow as
//! all of them grow, other numbers are the largest, words the latest. What came too long ago from a
//! device counts no more.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Asking, Device, Engine, Outcome};
use crate::{
    alert::{
        plan::{Gather, Offer, Plan},
        track::Arrival,
        window::grown,
    },
    decode::Decoded,
    reading::{Kind, Reading, Sample, Slot, Timestamp, Value},
};

/// What a device's counters were before a reading; the rest is of no use here.
pub(super) type Before = SmallVec<[Option<f64>; 4]>;

/// One metric as the station has it now.
#[derive(Debug, Clone, Copy)]
enum Gathered {
    Is(Sample),
    /// Grew by so much, to so much in all.
    Grew(Sample, f64),
}

impl Engine {
    /// What others will be told of grows from here; `None` where nobody asks.
    pub(super) fn offered(&self, reading: &Reading) -> Option<Before> {
        let device = self.devices.get(reading.device.index())?.as_deref()?;
        let offers = &device.plan.offers;
        if offers.is_empty() || reading.backfill {
            return None;
        }
        Some(offers.iter().map(|offer| device.value(offer)?.as_number()).collect())
    }

    pub(super) fn feed(
        &mut self,
        decoded: &Decoded,
        reading: &Reading,
        now: Timestamp,
        before: &Before,
        outcome: &mut Outcome,
    ) {
        let registry = Arc::clone(&self.registry);
        let Some(registered) = registry.device(reading.device) else { return };
        let listeners: SmallVec<[Slot; 16]> = self.links.asking(registered.station).into();
        let same = |slot: &&Slot| {
            registry.device(**slot).is_some_and(|d| d.profile.id == registered.profile.id)
        };
        let station = registry.station_of(registered);
        let sources: SmallVec<[Slot; 4]> =
            station.iter().flat_map(|station| &station.devices).filter(same).copied().collect();
        let gathered = self.gather(decoded, reading, now, before, &sources);
        let message = Some((reading.message, reading.received));
        for slot in listeners {
            let Some(Some(device)) = self.devices.get(slot.index()) else { continue };
            let samples = gathered.iter().filter_map(|what| device.hears_of(*what));
            let samples: SmallVec<[Sample; 4]> = samples.collect();
            if samples.is_empty() {
                continue;
            }
            let event = reading.kind == Kind::Event;
            let arrival = Arrival { samples: &samples, now, at: now, event };
            self.visit(slot, decoded.group, outcome, |device, asking, events| {
                device.learn(&arrival, &Asking { message, ..*asking }, events);
            });
        }
    }

    fn gather(
        &self,
        decoded: &Decoded,
        reading: &Reading,
        now: Timestamp,
        before: &Before,
        sources: &[Slot],
    ) -> SmallVec<[Gathered; 4]> {
        let device = self.devices.get(reading.device.index()).and_then(Option::as_deref);
        let Some(device) = device else { return SmallVec::new() };
        let sources: SmallVec<[&Device; 4]> =
            sources.iter().filter_map(|slot| self.devices.get(slot.index())?.as_deref()).collect();
        let offers = device.plan.offers.iter().zip(before);
        let told = offers.filter_map(|(offer, before)| {
            let came = came(&device.plan, offer, decoded.samples_of(reading));
            // A state is told again while its device is there; an event happens once.
            let lasts = matches!(offer.gather, Gather::Any | Gather::Latest);
            let again = lasts && reading.kind == Kind::Telemetry;
            if !came && !again {
                return None;
            }
            let all = sources.iter().filter_map(|source| source.offers(offer, now));
            let sample = |value| Sample { metric: offer.symbol, value };
            Some(match offer.gather {
                Gather::Sum => {
                    let now = device.value(offer)?.as_number()?;
                    let total = all.filter_map(|(value, _)| value.as_number()).sum();
                    let grew = before.map_or(0.0, |before| grown(before, now));
                    Gathered::Grew(sample(Value::Number(total)), grew)
                }
                Gather::Any => {
                    let any =
                        all.map(|(value, _)| value == Value::State(true)).reduce(|a, b| a || b);
                    Gathered::Is(sample(Value::State(any?)))
                }
                Gather::Largest => {
                    let numbers = all.filter_map(|(value, _)| value.as_number());
                    Gathered::Is(sample(Value::Number(numbers.reduce(f64::max)?)))
                }
                Gather::Latest => {
                    let latest = all.max_by_key(|(_, came)| *came);
                    Gathered::Is(sample(latest?.0))
                }
            })
        });
        told.collect()
    }
}

fn came(plan: &Plan, offer: &Offer, samples: &[Sample]) -> bool {
    let metric = plan.metrics.get(offer.cell).map(|metric| metric.symbol);
    samples.iter().any(|sample| Some(sample.metric) == metric)
}

impl Device {
    fn value(&self, offer: &Offer) -> Option<Value> {
        self.live.cell(offer.cell).map(|cell| cell.value)
    }

    /// Its value of what another of its profile offers, and when that came, unless it is too old.
    /// A counter stays what it was, however long ago.
    fn offers(&self, offer: &Offer, now: Timestamp) -> Option<(Value, Timestamp)> {
        let own = self.plan.offers.iter().find(|own| own.symbol == offer.symbol)?;
        let cell = self.live.cell(own.cell)?;
        let life = self.undisturbed();
        let fresh = match offer.gather {
            Gather::Sum => true,
            Gather::Any | Gather::Latest => life.is_fresh(self.heard.max(Some(cell.came)), now),
            Gather::Largest => life.is_fresh(Some(cell.came), now),
        };
        fresh.then_some((cell.value, cell.came))
    }

    /// What its rules are told, if any of them asks.
    fn hears_of(&self, what: Gathered) -> Option<Sample> {
        let (Gathered::Is(sample) | Gathered::Grew(sample, _)) = what;
        let cell = self.plan.cell(sample.metric)?;
        let Gathered::Grew(_, by) = what else { return Some(sample) };
        let known = self.live.cell(cell).and_then(|cell| cell.value.as_number());
        Some(known.map_or(sample, |known| Sample { value: Value::Number(known + by), ..sample }))
    }
}
