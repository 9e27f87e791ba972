//! One device: its memory, its rules' states, its timers. Everything here is pure.

use std::{sync::Arc, time::Duration};

use sha2::{Digest, Sha256};

use crate::{
    alert::{
        Verdict,
        cell::Packed,
        judge::{fresh_until, judge_rule},
        life::{Life, Link},
        plan::{Mask, Plan, bit, each},
        state::{Asked, Change, State, step},
        track::{Active, Arrival, Track},
    },
    reading::{MessageId, Timestamp},
};

/// No timer is set.
pub(crate) const NEVER: Timestamp = Timestamp(i64::MAX);

#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) plan: Arc<Plan>,
    pub(crate) heard: Option<Timestamp>,
    pub(crate) late_heard: Option<Timestamp>,
    pub(crate) link: Link,
    pub(crate) interval: Duration,
    /// Silence counts from here on.
    pub(crate) from: Timestamp,
    /// Groups up to this one are in it already.
    pub(crate) applied: u64,
    /// The next moment at which time alone may change something.
    pub(crate) due: Timestamp,
    /// When the engine's queue will look at it.
    pub(crate) queued: Timestamp,
    pub(crate) dirty: bool,
    pub(crate) live: Track,
    /// Late readings take their own course.
    pub(crate) late: Option<Box<Track>>,
}

/// A rule of a device began to hold, or no longer does.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) rule: usize,
    pub(crate) change: Change,
    pub(crate) at: Timestamp,
    pub(crate) since: Timestamp,
    pub(crate) alert: Box<str>,
    pub(crate) late: bool,
    /// The values as they were then; what else the same message says came after it.
    pub(crate) cells: Box<[Packed]>,
}

/// What every question needs to know besides the device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) path: &'a str,
    pub(crate) deaf: bool,
    /// The message that made us ask, and when it came; none where time did.
    pub(crate) message: Option<(MessageId, Timestamp)>,
}

impl Device {
    pub(crate) fn new(plan: Arc<Plan>, interval: Duration, from: Timestamp) -> Self {
        let mut device = Self {
            plan,
            heard: None,
            late_heard: None,
            link: Link::Alive,
            interval,
            from,
            applied: 0,
            due: NEVER,
            queued: NEVER,
            dirty: false,
            live: Track::default(),
            late: None,
        };
        device.due = device.next_due(Timestamp::MIN);
        device
    }

    pub(crate) fn life(&self, deaf: bool) -> Life {
        Life {
            heard: self.heard,
            late: self.late_heard,
            link: self.link,
            interval: self.interval,
            from: self.from,
            deaf,
        }
    }

    /// A sign of life came. What was due at this very moment waits for what it says.
    pub(crate) fn hear(&mut self, now: Timestamp, asking: &Asking<'_>, events: &mut Vec<Event>) {
        self.run(now.plus_millis(-1), asking, events);
        self.freeze_stale(now, asking.deaf);
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
        let plan = Arc::clone(&self.plan);
        let life = self.life(asking.deaf);
        let touched = self.live.take_in(&plan, arrival, &life);
        for rule in each(touched.rules) {
            let asked =
                if touched.counted & bit(rule) != 0 { Asked::ByReading } else { Asked::ByTimer };
            self.ask(rule, asked, arrival.now, asking, events);
            self.end_late(rule, arrival.now, asking, events);
        }
        self.ask_silent(arrival.now, asking, events);
        self.arm(arrival.now);
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
            let life = Life { heard: Some(arrival.at), deaf: true, ..self.life(true) };
            let arrival = Arrival { now: arrival.at, ..*arrival };
            let mut track = self.late.take().unwrap_or_default();
            let before = events.len();
            let touched = track.take_in(&plan, &arrival, &life);
            for rule in each(touched.rules & rules) {
                if !self.live.is_open(rule) {
                    track.ask(&plan, rule, Asked::ByReading, arrival.now, &life, asking, events);
                }
            }
            events.iter_mut().skip(before).for_each(|event| event.late = true);
            self.late = Some(track);
        }
        self.ask_silent(arrival.now, asking, events);
        self.arm(arrival.now);
    }

    /// Lets time pass up to `to`: whatever is due happens at the moment it was due.
    pub(crate) fn run(&mut self, to: Timestamp, asking: &Asking<'_>, events: &mut Vec<Event>) {
        while self.due <= to {
            let at = self.due;
            let plan = Arc::clone(&self.plan);
            for rule in self.live.at_work() {
                if self.live.deadline(&plan, rule).is_some_and(|due| due <= at) {
                    self.ask_by_timer(rule, at, asking, events);
                }
            }
            for rule in each(plan.absences) {
                if !self.live.at_work().contains(&rule) {
                    let by_time = Asking { message: None, ..*asking };
                    self.ask(rule, Asked::ByTimer, at, &by_time, events);
                }
            }
            self.due = self.next_due(at);
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
    pub(crate) fn arm(&mut self, now: Timestamp) {
        if self.due == NEVER || !self.live.active.is_empty() {
            self.due = self.due.min(self.next_due(now));
        }
    }

    /// The same when every clock was moved by so many milliseconds.
    pub(crate) fn shift(&mut self, millis: i64) {
        if millis == 0 {
            return;
        }
        let shift = |at: Timestamp| if at == NEVER { at } else { at.plus_millis(millis) };
        self.heard = self.heard.map(shift);
        self.late_heard = self.late_heard.map(shift);
        self.from = shift(self.from);
        self.due = shift(self.due);
        if let Link::Lost(at) = &mut self.link {
            *at = shift(*at);
        }
        let plan = Arc::clone(&self.plan);
        self.live.shift(&plan, millis);
    }

    /// The first moment after `after` at which time alone changes something.
    pub(crate) fn next_due(&self, after: Timestamp) -> Timestamp {
        let life = self.life(false);
        let timers = self.live.active.iter().filter_map(|active| {
            self.live.deadline(&self.plan, active.rule).map(|due| due.max(after.plus_millis(1)))
        });
        let silences = each(self.plan.absences)
            .filter_map(|rule| self.plan.checks.get(rule))
            .flat_map(|check| check.when.silences())
            .map(|(cell, within)| match cell {
                None => life.link_deadline(within),
                Some(cell) => life.data_deadline(self.live.came(cell), within),
            })
            .filter(|due| *due > after);
        timers.chain(silences).min().unwrap_or(NEVER)
    }

    fn ask(
        &mut self,
        rule: usize,
        asked: Asked,
        now: Timestamp,
        asking: &Asking<'_>,
        events: &mut Vec<Event>,
    ) {
        let life = self.life(asking.deaf);
        self.live.ask(&self.plan, rule, asked, now, &life, asking, events);
    }

    /// At a timer, values that grew too old meanwhile stop it at the moment they did.
    fn ask_by_timer(
        &mut self,
        rule: usize,
        at: Timestamp,
        asking: &Asking<'_>,
        events: &mut Vec<Event>,
    ) {
        if self.freeze_if_stale(rule, at, asking.deaf) {
            return;
        }
        self.ask(rule, Asked::ByTimer, at, asking, events);
    }

    fn freeze_stale(&mut self, now: Timestamp, deaf: bool) {
        if self.live.active.is_empty() {
            return;
        }
        for rule in self.live.at_work() {
            self.freeze_if_stale(rule, now, deaf);
        }
    }

    fn freeze_if_stale(&mut self, rule: usize, now: Timestamp, deaf: bool) -> bool {
        let plan = Arc::clone(&self.plan);
        let Some(check) = plan.checks.get(rule) else { return false };
        let life = self.life(deaf);
        let fresh = fresh_until(&check.when, &self.live.facts(&plan, &life, now));
        let stale = fresh < now;
        if let Some(active) =
            self.live.active.iter_mut().find(|active| stale && active.rule == rule)
        {
            let frozen = step(active.state, Verdict::Unknown, Asked::ByTimer, fresh, check.hold);
            active.state = frozen.0;
        }
        stale
    }

    /// What late readings raised ends when readings of now say that it is good.
    fn end_late(&mut self, rule: usize, now: Timestamp, asking: &Asking<'_>, out: &mut Vec<Event>) {
        let Some(mut late) = self.late.take() else { return };
        if let (true, Some(check)) = (late.is_open(rule), self.plan.checks.get(rule)) {
            let life = self.life(asking.deaf);
            let verdict = judge_rule(check, &self.live.facts(&self.plan, &life, now));
            if verdict == Verdict::Cleared && !check.hold.latched {
                out.extend(late.end(rule, now));
            }
        }
        self.late = Some(late).filter(|late| !late.active.is_empty());
    }
}

impl Track {
    pub(crate) fn is_open(&self, rule: usize) -> bool {
        self.active.iter().any(|active| active.rule == rule && active.state.is_open())
    }

    fn came(&self, cell: usize) -> Option<Timestamp> {
        self.cell(cell).map(|cell| cell.came)
    }

    fn deadline(&self, plan: &Plan, rule: usize) -> Option<Timestamp> {
        let hold = plan.checks.get(rule)?.hold;
        self.active.iter().find(|active| active.rule == rule)?.state.deadline(hold)
    }

    /// Ends what people know of.
    pub(crate) fn end(&mut self, rule: usize, at: Timestamp) -> Option<Event> {
        let index = self.active.iter().position(|active| active.rule == rule)?;
        let ended = self.active.swap_remove(index);
        let alert = ended.alert?;
        Some(Event {
            rule,
            change: Change::Resolved,
            at,
            since: at,
            alert,
            late: false,
            cells: Box::default(),
        })
    }

    /// Judges one rule and moves its state.
    #[expect(clippy::too_many_arguments, reason = "a device's parts, borrowed one by one")]
    fn ask(
        &mut self,
        plan: &Plan,
        rule: usize,
        asked: Asked,
        now: Timestamp,
        life: &Life,
        asking: &Asking<'_>,
        events: &mut Vec<Event>,
    ) {
        let Some(check) = plan.checks.get(rule) else { return };
        let verdict = judge_rule(check, &self.facts(plan, life, now));
        let place = self.active.iter().position(|active| active.rule == rule);
        if place.is_none() && verdict != Verdict::Breached {
            return;
        }
        let place = place.unwrap_or_else(|| {
            let origin = origin(asking, life).into();
            self.active.push(Active { rule, state: State::Normal, origin, alert: None });
            self.active.len() - 1
        });
        let Some(active) = self.active.get_mut(place) else { return };
        let since = began(active.state).unwrap_or(now);
        let (next, change) = step(active.state, verdict, asked, now, check.hold);
        active.state = next;
        if change == Some(Change::Raised) {
            let name = plan.rules.get(rule).map_or("", |rule| rule.id.as_str());
            active.alert = Some(id_of(asking.path, name, &active.origin));
        }
        if let (Some(change), Some(alert)) = (change, active.alert.clone()) {
            let raised = change == Change::Raised;
            let cells = if raised { self.cells.clone() } else { Box::default() };
            events.push(Event { rule, change, at: now, since, alert, late: false, cells });
        }
        if next == State::Normal {
            self.active.swap_remove(place);
        }
    }
}

fn began(state: State) -> Option<Timestamp> {
    match state {
        State::Pending { since, .. } => Some(since),
        _ => None,
    }
}

/// What began it: a message by its place in the journal, or silence by what was heard last.
fn origin(asking: &Asking<'_>, life: &Life) -> String {
    match (asking.message, life.heard) {
        (Some((message, received)), _) => format!("message {message} of {}", received.0),
        (None, Some(heard)) => format!("silent since {}", heard.0),
        (None, None) => format!("never seen since {}", life.from.0),
    }
}

fn id_of(path: &str, rule: &str, origin: &str) -> Box<str> {
    let digest = Sha256::digest(format!("{path}\n{rule}\n{origin}"));
    let mut id = String::with_capacity(20);
    for byte in digest.iter().take(10) {
        for half in [byte >> 4, byte & 15] {
            id.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
    }
    id.into()
}
