//! Every device's rules against everything that comes, and against time.
//!
//! What it decides is a function of the groups it is given and the moments it is asked at. A timer
//! happens at the moment it was due, whenever we get round to it, so that judging the same groups
//! again after a crash comes to the same.

mod describe;
mod device;
mod feed;
mod observe;
mod record;
mod reload;
mod saved;
mod station;

pub(super) use saved::applied;
pub use saved::{Restored, Unreadable};

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
    time::Duration,
};

use foldhash::fast::FixedState;

use super::{
    life::Link,
    model::{Happening, Reason},
    place::Place,
    plan::Plan,
    state::State,
    track::Arrival,
};
use crate::{
    decode::{Decoded, PresenceState},
    reading::{Kind, Reading, Slot, Timestamp},
    registry::{self, Registry},
};
use device::{Asking, Device, Event, NEVER};
use station::Links;

/// A receipt this much behind the engine's time comes from before the clock was set.
const DISORDER: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub struct Engine {
    registry: Arc<Registry>,
    /// By the addresses of rules and profile, which registry and plan keep alive.
    plans: HashMap<(usize, usize), Arc<Plan>, FixedState>,
    links: Links,
    devices: Vec<Option<Box<Device>>>,
    timers: BinaryHeap<Reverse<(Timestamp, Slot)>>,
    dirty: Vec<Slot>,
    start: Timestamp,
    now: Timestamp,
    position: u64,
    /// Milliseconds our clock was set by so far: saved times are of the clock as it was then.
    base: i64,
    /// Silence counts from here on.
    from: Timestamp,
    deaf: bool,
}

/// What happened, and to which devices: their rows belong into the same transaction.
#[derive(Debug, Default)]
pub struct Outcome {
    pub happenings: Vec<Happening>,
    pub devices: Vec<Slot>,
}

impl Engine {
    /// `start`: when the process did. Silence before `start + grace` counts for nothing.
    pub fn new(registry: Arc<Registry>, start: Timestamp, grace: Duration) -> Self {
        let mut engine = Self {
            registry: Arc::default(),
            plans: HashMap::default(),
            links: Links::default(),
            devices: Vec::new(),
            timers: BinaryHeap::new(),
            dirty: Vec::new(),
            start,
            now: Timestamp::MIN,
            position: 0,
            base: 0,
            from: start + grace,
            deaf: false,
        };
        engine.adopt(registry, start);
        engine
    }

    /// The last group it has judged.
    pub fn position(&self) -> u64 {
        self.position
    }

    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn base(&self) -> i64 {
        self.base
    }

    /// Judges a group. `clock` is the time now: no receipt lies behind it.
    pub fn apply(&mut self, decoded: &Decoded, clock: Timestamp) -> Outcome {
        let mut outcome = Outcome::default();
        if decoded.group <= self.position {
            return outcome;
        }
        for message in decoded.readings.chunk_by(|a, b| a.message == b.message) {
            let newest = newest(message);
            for nth in 0..message.len() {
                self.take(decoded, message, nth, newest, clock, &mut outcome);
            }
        }
        for presence in decoded.presence.iter().filter(|presence| !presence.retained) {
            let now = self.moment(presence.received, clock);
            if presence.state != PresenceState::Lost {
                self.station_hears(presence.device, now, decoded.group, &mut outcome);
            }
            self.visit(presence.device, decoded.group, &mut outcome, |device, asking, events| {
                device.say(presence.state, presence.sleeps, now, asking, events);
            });
        }
        for birth in &decoded.births {
            let now = self.moment(birth.received, clock);
            if !birth.retained {
                self.station_hears(birth.device, now, decoded.group, &mut outcome);
            }
            self.visit(birth.device, decoded.group, &mut outcome, |device, asking, events| {
                device.interval = birth.reports_every.unwrap_or(device.interval);
                if !birth.retained {
                    device.greet(now, asking, events);
                    device.boots(birth.boot, now, asking, events);
                }
            });
        }
        self.notice(decoded, clock, &mut outcome);
        self.now = self.now.max(self.moment(decoded.received, clock));
        self.position = decoded.group;
        outcome
    }

    /// Lets time pass: whatever is due up to `to` happens.
    pub fn tick(&mut self, to: Timestamp) -> Outcome {
        let mut outcome = Outcome::default();
        while let Some(Reverse((at, slot))) =
            self.timers.peek().copied().filter(|top| top.0.0 <= to)
        {
            self.timers.pop();
            let Some(Some(device)) = self.devices.get_mut(slot.index()) else { continue };
            if device.queued != at {
                continue;
            }
            device.queued = NEVER;
            self.visit(slot, 0, &mut outcome, |device, asking, events| {
                device.run(to, asking, events);
            });
        }
        self.now = self.now.max(to);
        outcome
    }

    /// When something will be due, if nothing comes.
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.timers.peek().map(|top| top.0.0)
    }

    /// Our clock was set by so many milliseconds: every timer keeps what it has left.
    pub fn shift(&mut self, millis: i64) {
        self.now = self.now.plus_millis(millis);
        self.from = self.from.plus_millis(millis);
        self.base = self.base.saturating_add(millis);
        let now = self.now;
        for device in self.devices.iter_mut().flatten() {
            device.shift(millis);
            // What hours, ages and dates say is looked at by the clock as it is now.
            device.due = if device.plan.timed == 0 { device.due } else { device.due.min(now) };
        }
        self.requeue();
    }

    /// We cannot hear: silence says nothing until we can again.
    pub fn input_lost(&mut self) {
        self.deaf = true;
    }

    /// We hear again: silence counts from now.
    pub fn input_back(&mut self, now: Timestamp) {
        self.deaf = false;
        self.from = self.from.max(now);
        let registry = Arc::clone(&self.registry);
        for registered in registry.devices() {
            let Some(Some(device)) = self.devices.get_mut(registered.slot.index()) else {
                continue;
            };
            device.from = device.from.max(now);
            let due = device.next_due(now, Place::new(&registry, registered));
            device.due = if device.plan.timed == 0 { due } else { device.due.min(due) };
        }
        self.requeue();
    }

    /// A person says that it is over. `None`: no such alert is open here.
    pub fn confirm(
        &mut self,
        path: &str,
        alert: &str,
        by: &str,
        now: Timestamp,
    ) -> Option<Outcome> {
        let slot = self.registry.find(path)?.slot;
        let device = self.devices.get_mut(slot.index())?.as_mut()?;
        let late = device.late.as_mut().map(|late| &mut late.active);
        let tracks = [Some(&mut device.live.active), late];
        let found = tracks
            .into_iter()
            .flatten()
            .flatten()
            .find(|active| active.state.is_open() && active.alert.as_deref() == Some(alert))?;
        found.state = State::Ended;
        found.alert = None;
        let reason = Some(Reason::Confirmed { by: by.to_owned() });
        let ended = Happening::Resolved { id: alert.to_owned(), at: now, reason };
        device.applied = self.position;
        self.touch(slot);
        Some(Outcome { happenings: vec![ended], devices: vec![slot] })
    }

    /// Rules that wait to fire.
    pub fn pending(&self) -> impl Iterator<Item = crate::rule::Severity> {
        self.devices.iter().flatten().flat_map(|device| {
            let pending =
                |active: &&super::track::Active| matches!(active.state, State::Pending { .. });
            let rule = |active: &super::track::Active| device.plan.rules.get(active.rule);
            device.live.active.iter().filter(pending).filter_map(rule).map(|rule| rule.severity)
        })
    }

    fn take(
        &mut self,
        decoded: &Decoded,
        message: &[Reading],
        nth: usize,
        newest: Timestamp,
        clock: Timestamp,
        outcome: &mut Outcome,
    ) {
        let Some(reading) = message.get(nth) else { return };
        let now = self.moment(reading.received, clock);
        let arrival = Arrival {
            samples: decoded.samples_of(reading),
            now,
            at: if reading.backfill { reading.at.min(now) } else { now - newest.since(reading.at) },
            event: reading.kind == Kind::Event,
        };
        let Some(registered) = self.registry.device(reading.device) else { return };
        let derived = registered.profile.derived;
        let all_late = reading.backfill && registered.profile.backfill_alerts;
        if !derived {
            self.station_hears(reading.device, now, decoded.group, outcome);
        }
        let came = Some((reading.message, reading.received));
        let before = self.offered(reading);
        let visited =
            self.visit(reading.device, decoded.group, outcome, |device, asking, events| {
                let asking = Asking { message: came, ..*asking };
                match (reading.backfill, derived) {
                    (true, _) => device.take_late(&arrival, all_late, &asking, events),
                    // What is derived of a station is no sign of life of it.
                    (false, true) => device.learn(&arrival, &asking, events),
                    (false, false) => device.take(&arrival, &asking, events),
                }
                if device.plan.observed.is_some() && nth == 0 {
                    device.observe(&observe::Seen::of(decoded, message), now, &asking, events);
                }
            });
        if let (true, Some(before)) = (visited, before) {
            self.feed(decoded, reading, now, &before, outcome);
        }
    }

    /// Lets something happen to a device, unless group `group` is in it already.
    fn visit(
        &mut self,
        slot: Slot,
        group: u64,
        outcome: &mut Outcome,
        what: impl FnOnce(&mut Device, &Asking<'_>, &mut Vec<Event>),
    ) -> bool {
        // Whoever says something is heard, and its station with it.
        let hushed = if group == 0 { self.hushed(slot) } else { NEVER };
        let Some(registered) = self.registry.device(slot) else { return false };
        let Some(Some(device)) = self.devices.get_mut(slot.index()) else { return false };
        if group != 0 && group <= device.applied {
            return false;
        }
        let mut events = Vec::new();
        let place = Place::new(&self.registry, registered);
        let asking = Asking { place, deaf: self.deaf, hushed, message: None };
        what(device, &asking, &mut events);
        if !device.dirty {
            device.dirty = true;
            self.dirty.push(slot);
        }
        if device.due < device.queued {
            device.queued = device.due;
            self.timers.push(Reverse((device.due, slot)));
        }
        if !events.is_empty() {
            let registered: &registry::Device = registered;
            let tell =
                |event: &Event| describe::happening(&self.registry, registered, device, event);
            outcome.happenings.extend(events.iter().map(tell));
            outcome.devices.push(slot);
        }
        true
    }

    /// When a message came, as far as that can be: clocks are set, and messages wait in queues.
    fn moment(&self, received: Timestamp, clock: Timestamp) -> Timestamp {
        let moment = received.min(clock);
        if moment < self.now - DISORDER { self.now } else { moment }
    }

    /// All timers anew.
    fn requeue(&mut self) {
        let mut timers = Vec::with_capacity(self.devices.len());
        for (index, device) in self.devices.iter_mut().enumerate() {
            let (Some(device), Ok(index)) = (device, u32::try_from(index)) else { continue };
            device.queued = device.due;
            if device.due != NEVER {
                timers.push(Reverse((device.due, Slot(index))));
            }
        }
        self.timers = timers.into();
    }
}

impl Device {
    /// It said whether it is there, or its broker did in its name.
    fn say(
        &mut self,
        state: PresenceState,
        sleeps: Option<Duration>,
        now: Timestamp,
        asking: &Asking<'_>,
        events: &mut Vec<Event>,
    ) {
        if state == PresenceState::Lost {
            self.run(now, asking, events);
            self.link = Link::Lost(now);
            self.due = self.due.min(self.next_due(now, asking.place));
            return;
        }
        self.greet(now, asking, events);
        let seconds = |sleeps: Duration| u32::try_from(sleeps.as_secs()).unwrap_or(u32::MAX);
        self.link = match (state, sleeps) {
            (PresenceState::Sleeping, Some(sleeps)) => Link::Asleep(seconds(sleeps)),
            _ => Link::Alive,
        };
        self.due = self.due.min(self.next_due(now, asking.place));
    }

    /// A message came that is no reading.
    fn greet(&mut self, now: Timestamp, asking: &Asking<'_>, events: &mut Vec<Event>) {
        self.hear(now, asking, events);
        self.ask_silent(now, asking, events);
        self.arm(now, asking.place);
    }
}

/// The latest time in a message that came in time: a batch keeps its order in time, though the
/// device's clock may be off.
fn newest(message: &[Reading]) -> Timestamp {
    let live = message.iter().filter(|reading| !reading.backfill);
    live.map(|reading| reading.at).max().unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
