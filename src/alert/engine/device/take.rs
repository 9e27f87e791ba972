//! Something came: a reading in time or late, or what others say of the device.

use std::sync::Arc;

use super::{Asking, Device, Event};
use crate::{
    alert::{
        Verdict,
        judge::judge_rule,
        life::{Life, Link},
        plan::{Mask, bit, each},
        state::Asked,
        track::Arrival,
    },
    reading::Timestamp,
};

impl Device {
    /// A sign of life came. What was due at this very moment waits for what it says.
    pub(crate) fn hear(&mut self, now: Timestamp, asking: &Asking<'_>, events: &mut Vec<Event>) {
        self.run(now.plus_millis(-1), asking, events);
        self.freeze_stale(now, asking);
        self.heard = Some(now);
        if matches!(self.link, Link::Lost(_)) {
            self.link = Link::Alive;
        }
    }

    /// A reading came, in time.
    pub(crate) fn take(
        &mut self,
        arrival: &Arrival<'_>,
        asking: &Asking<'_>,
        events: &mut Vec<Event>,
    ) {
        self.hear(arrival.now, asking, events);
        self.take_in(arrival, asking, events);
        self.ask_silent(arrival.now, asking, events);
        self.arm(arrival.now, asking.place);
    }

    /// Something about it came that is no sign of life of it: from other devices, from people, or
    /// from what we see of its messages.
    pub(crate) fn learn(
        &mut self,
        arrival: &Arrival<'_>,
        asking: &Asking<'_>,
        events: &mut Vec<Event>,
    ) {
        self.run(arrival.now.plus_millis(-1), asking, events);
        self.freeze_stale(arrival.now, asking);
        self.take_in(arrival, asking, events);
        self.arm(arrival.now, asking.place);
    }

    fn take_in(&mut self, arrival: &Arrival<'_>, asking: &Asking<'_>, events: &mut Vec<Event>) {
        let plan = Arc::clone(&self.plan);
        let life = self.life(asking);
        let touched = self.live.take_in(&plan, arrival, &life, asking.place);
        for rule in each(touched.rules) {
            let asked =
                if touched.counted & bit(rule) != 0 { Asked::ByReading } else { Asked::ByTimer };
            self.ask(rule, asked, arrival.now, asking, events);
            self.end_late(rule, arrival.now, asking, events);
        }
        if touched.rules & plan.timed != 0 {
            // What came may bring the moment nearer at which time turns the rule.
            self.due = self.due.min(self.next_due(arrival.now, asking.place));
        }
    }

    /// A late reading came: its rules take their own course, in the readings' own time.
    pub(crate) fn take_late(
        &mut self,
        arrival: &Arrival<'_>,
        all: bool,
        asking: &Asking<'_>,
        events: &mut Vec<Event>,
    ) {
        self.hear(arrival.now, asking, events);
        self.late_heard = Some(arrival.now);
        let plan = Arc::clone(&self.plan);
        let rules = if all { Mask::MAX } else { plan.late };
        if rules != 0 {
            let life = Life { heard: Some(arrival.at), deaf: true, ..self.life(asking) };
            let arrival = Arrival { now: arrival.at, ..*arrival };
            let mut track = self.late.take().unwrap_or_default();
            let before = events.len();
            let touched = track.take_in(&plan, &arrival, &life, asking.place);
            for rule in each(touched.rules & rules) {
                if !self.live.is_open(rule) {
                    track.ask(&plan, rule, Asked::ByReading, arrival.now, &life, asking, events);
                }
            }
            events.iter_mut().skip(before).for_each(|event| event.late = true);
            self.late = Some(track);
        }
        self.ask_silent(arrival.now, asking, events);
        self.arm(arrival.now, asking.place);
    }

    /// What late readings raised ends when readings of now say that it is good.
    fn end_late(&mut self, rule: usize, now: Timestamp, asking: &Asking<'_>, out: &mut Vec<Event>) {
        let Some(mut late) = self.late.take() else { return };
        if let (true, Some(check)) = (late.is_open(rule), self.plan.checks.get(rule)) {
            let life = self.life(asking);
            let facts = self.live.facts(&self.plan, &life, asking.place, now);
            if judge_rule(check, &facts) == Verdict::Cleared && !check.hold.latched {
                out.extend(late.end(rule, now));
            }
        }
        self.late = Some(late).filter(|late| !late.active.is_empty());
    }
}
