//! One rule is asked, and its alert's state moves on.

use sha2::{Digest, Sha256};

use super::{Asking, Device, Event};
use crate::{
    alert::{
        judge::judge_rule,
        life::Life,
        plan::{Plan, bit, each},
        state::{Asked, Change, State, step},
        track::{Active, Track},
    },
    reading::Timestamp,
};

impl Device {
    pub(super) fn ask(
        &mut self,
        rule: usize,
        asked: Asked,
        now: Timestamp,
        asking: &Asking<'_>,
        events: &mut Vec<Event>,
    ) {
        let life = self.life(asking);
        let before = events.len();
        self.live.ask(&self.plan, rule, asked, now, &life, asking, events);
        if !self.plan.fired.is_empty() && events.len() > before {
            let raised = events.last().is_some_and(|event| event.change == Change::Raised);
            if raised {
                self.count_fired(rule, now, asking, events);
            }
        }
    }

    /// A rule fired: what counts that counts, and those who look at the count are asked. It ends,
    /// for a rule that fires does not fire again before it has resolved.
    fn count_fired(
        &mut self,
        rule: usize,
        now: Timestamp,
        asking: &Asking<'_>,
        events: &mut Vec<Event>,
    ) {
        let plan = std::sync::Arc::clone(&self.plan);
        for fired in plan.fired.iter().filter(|fired| fired.rule == rule) {
            let within = plan.windows.get(fired.window).map(|window| window.within);
            let Some((memory, within)) = self.live.window_room(fired.window).zip(within) else {
                continue;
            };
            memory.count(now, within);
            for rule in each(fired.asks) {
                self.ask(rule, Asked::ByTimer, now, asking, events);
            }
            self.due = self.due.min(self.next_due(now, asking.place));
        }
    }
}

impl Track {
    pub(crate) fn is_open(&self, rule: usize) -> bool {
        self.active.iter().any(|active| active.rule == rule && active.state.is_open())
    }

    pub(super) fn came(&self, cell: usize) -> Option<Timestamp> {
        self.cell(cell).map(|cell| cell.came)
    }

    pub(super) fn deadline(&self, plan: &Plan, rule: usize) -> Option<Timestamp> {
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
    pub(super) fn ask(
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
        let verdict = judge_rule(check, &self.facts(plan, life, asking.place, now));
        let place = self.active.iter().position(|active| active.rule == rule);
        if place.is_none() && verdict != crate::alert::Verdict::Breached {
            return;
        }
        let place = place.unwrap_or_else(|| {
            // One silence is one alert, whenever we find it; all else begins when it is found.
            let silence = plan.absences & !plan.timed & bit(rule) != 0;
            let origin = origin(asking, life, (!silence).then_some(now)).into();
            self.active.push(Active { rule, state: State::Normal, origin, alert: None });
            self.active.len() - 1
        });
        let Some(active) = self.active.get_mut(place) else { return };
        let since = began(active.state).unwrap_or(now);
        let (next, change) = step(active.state, verdict, asked, now, check.hold);
        active.state = next;
        if change == Some(Change::Raised) {
            let name = plan.rules.get(rule).map_or("", |rule| rule.id.as_str());
            active.alert = Some(id_of(asking.place.path(), name, &active.origin));
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

/// What began it: a message by its place in the journal, a moment, or silence by what was heard last.
fn origin(asking: &Asking<'_>, life: &Life, moment: Option<Timestamp>) -> String {
    match (asking.message, moment, life.heard) {
        (Some((message, received)), ..) => format!("message {message} of {}", received.0),
        (None, Some(moment), _) => format!("at {}", moment.0),
        (None, None, Some(heard)) => format!("silent since {}", heard.0),
        (None, None, None) => format!("never seen since {}", life.from.0),
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
