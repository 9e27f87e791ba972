//! What time alone does to a device.

use std::sync::Arc;

use super::{Asking, Device, Event, NEVER};
use crate::{
    alert::{
        Verdict,
        judge::fresh_until,
        place::Place,
        plan::{bit, each},
        state::{Asked, step},
        times::next_turn,
    },
    reading::Timestamp,
};

impl Device {
    /// Lets time pass up to `to`: whatever is due happens at the moment it was due.
    pub(crate) fn run(&mut self, to: Timestamp, asking: &Asking<'_>, events: &mut Vec<Event>) {
        // What was due before a message came was begun by time, not by the message.
        let asking = &Asking { message: None, ..*asking };
        while self.due <= to {
            let at = self.due;
            let plan = Arc::clone(&self.plan);
            let turned = plan.timed;
            for rule in self.live.at_work() {
                let due = self.live.deadline(&plan, rule).is_some_and(|due| due <= at);
                if due || turned & bit(rule) != 0 {
                    self.ask_by_timer(rule, at, asking, events);
                }
            }
            for rule in each(plan.absences | turned) {
                if !self.live.at_work().contains(&rule) {
                    self.ask(rule, Asked::ByTimer, at, asking, events);
                }
            }
            self.due = self.next_due(at, asking.place);
        }
    }

    /// Asks again the rules that silence had breached.
    pub(crate) fn ask_silent(
        &mut self,
        now: Timestamp,
        asking: &Asking<'_>,
        events: &mut Vec<Event>,
    ) {
        if self.live.active.is_empty() {
            return;
        }
        for rule in self.live.at_work() {
            if self.plan.absences & bit(rule) != 0 {
                self.ask(rule, Asked::ByTimer, now, asking, events);
            }
        }
    }

    /// After something changed: the timer may have to ring earlier.
    pub(crate) fn arm(&mut self, now: Timestamp, place: Place<'_>) {
        if self.due == NEVER || !self.live.active.is_empty() {
            self.due = self.due.min(self.next_due(now, place));
        }
    }

    /// The first moment after `after` at which time alone changes something.
    pub(crate) fn next_due(&self, after: Timestamp, place: Place<'_>) -> Timestamp {
        let timers = self.live.active.iter().filter_map(|active| {
            self.live.deadline(&self.plan, active.rule).map(|due| due.max(after.plus_millis(1)))
        });
        let silences = self.silences().filter(|due| *due > after);
        timers.chain(silences).chain(self.next_turn(after, place)).min().unwrap_or(NEVER)
    }

    /// The same where nobody looked before: rules that time turns are looked at once, at `now`.
    pub(crate) fn first_due(&self, now: Timestamp, place: Place<'_>) -> Timestamp {
        let silences = self.silences().min().unwrap_or(NEVER);
        let timers = self
            .live
            .active
            .iter()
            .filter_map(|active| self.live.deadline(&self.plan, active.rule));
        let due = timers.min().unwrap_or(NEVER).min(silences);
        if self.plan.timed == 0 { due } else { due.min(now).min(self.next_due(now, place)) }
    }

    fn silences(&self) -> impl Iterator<Item = Timestamp> {
        let life = self.undisturbed();
        each(self.plan.absences)
            .filter_map(|rule| self.plan.checks.get(rule))
            .flat_map(|check| check.when.silences())
            .map(move |(cell, within)| match cell {
                None => life.link_deadline(within),
                Some(cell) => life.data_deadline(self.live.came(cell), within),
            })
    }

    /// When time turns a rule that looks at hours, ages or dates.
    fn next_turn(&self, after: Timestamp, place: Place<'_>) -> Option<Timestamp> {
        if self.plan.timed == 0 {
            return None;
        }
        let life = self.undisturbed();
        let facts = self.live.facts(&self.plan, &life, place, after);
        let checks = each(self.plan.timed).filter_map(|rule| self.plan.checks.get(rule));
        let tests = checks.flat_map(|check| std::iter::once(&check.when).chain(&check.unless));
        tests.filter_map(|test| next_turn(test, &facts, after)).min()
    }

    /// At a timer, values that grew too old meanwhile stop it at the moment they did.
    fn ask_by_timer(
        &mut self,
        rule: usize,
        at: Timestamp,
        asking: &Asking<'_>,
        events: &mut Vec<Event>,
    ) {
        if self.freeze_if_stale(rule, at, asking) {
            return;
        }
        self.ask(rule, Asked::ByTimer, at, asking, events);
    }

    pub(super) fn freeze_stale(&mut self, now: Timestamp, asking: &Asking<'_>) {
        if self.live.active.is_empty() {
            return;
        }
        for rule in self.live.at_work() {
            self.freeze_if_stale(rule, now, asking);
        }
    }

    fn freeze_if_stale(&mut self, rule: usize, now: Timestamp, asking: &Asking<'_>) -> bool {
        let plan = Arc::clone(&self.plan);
        let Some(check) = plan.checks.get(rule) else { return false };
        let life = self.life(asking);
        let fresh = fresh_until(&check.when, &self.live.facts(&plan, &life, asking.place, now));
        let stale = fresh < now;
        if let Some(active) =
            self.live.active.iter_mut().find(|active| stale && active.rule == rule)
        {
            let frozen = step(active.state, Verdict::Unknown, Asked::ByTimer, fresh, check.hold);
            active.state = frozen.0;
        }
        stale
    }
}
