//! From conditions on metrics to tests on places in a device's memory.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Fired, Kept, MOST, Plan, Source, Test, Watched, Window, bit};
use crate::{
    alert::state::Hold,
    reading::Symbol,
    rule::{Condition, Rule, Summed, Text},
};

impl Plan {
    /// The device's own metrics come first: what comes from elsewhere most devices never have, and
    /// make no room for.
    pub(super) fn watch_own(&mut self, rules: &[Rule]) {
        for rule in rules.iter().take(MOST) {
            let mut own = |metric: Symbol| {
                if Source::of(metric) == Source::Own {
                    self.watch(metric);
                }
            };
            symbols(&rule.when, &mut own);
            rule.unless.iter().for_each(|unless| symbols(unless, &mut own));
        }
    }

    pub(super) fn add(&mut self, index: usize, rule: &Rule) {
        let when = self.ready(&rule.when);
        let unless = rule.unless.as_ref().map(|unless| self.ready(unless));
        for cell in when.cells(&self.windows) {
            self.mark(cell, |watched| watched.counts |= bit(index));
            self.mark(cell, |watched| watched.touches |= bit(index));
        }
        for cell in unless.iter().flat_map(|test| test.cells(&self.windows)).collect::<Vec<_>>() {
            self.mark(cell, |watched| watched.touches |= bit(index));
        }
        self.watch_texts([&rule.says, &rule.cure]);
        let waits_for_silence = when.silences().next().is_some();
        let timed = |test: &Test| test.any_part(&|part| self.is_timed(part));
        let begins_by_time = timed(&when);
        let turns_by_time = begins_by_time || unless.as_ref().is_some_and(timed);
        self.absences |= if waits_for_silence { bit(index) } else { 0 };
        self.timed |= if turns_by_time { bit(index) } else { 0 };
        self.late |= if rule.on_backfill { bit(index) } else { 0 };
        // Neither silence nor time bring readings that could be counted.
        let uncounted = waits_for_silence || (begins_by_time && rule.readings == 1);
        let readings = if uncounted { 0 } else { rule.readings };
        let hold = Hold { readings, ..Hold::from(rule) };
        self.checks.push(super::Check { when, unless, hold });
    }

    /// Whether time alone may turn it, at a moment that can be foretold.
    fn is_timed(&self, test: &Test) -> bool {
        match test {
            Test::Older { .. } | Test::Expires { .. } | Test::During { .. } | Test::Open(_) => true,
            Test::Sum { window, .. } => self.is_counted_seldom(*window),
            _ => false,
        }
    }

    /// A window of what comes too seldom to be asked when something comes: it is asked when
    /// something leaves it.
    pub(crate) fn is_counted_seldom(&self, window: usize) -> bool {
        match self.windows.get(window).map(|window| &window.of) {
            Some(Kept::Fired) => true,
            Some(Kept::Growth { cell }) => {
                self.metrics.get(*cell).is_some_and(|m| m.symbol.as_str() == "device.boots_total")
            }
            _ => false,
        }
    }

    fn ready(&mut self, condition: &Condition) -> Test {
        match *condition {
            Condition::Above { metric, limit, clear } => {
                Test::Above { cell: self.watch(metric), limit, clear }
            }
            Condition::Below { metric, limit, clear } => {
                Test::Below { cell: self.watch(metric), limit, clear }
            }
            Condition::Outside { metric, low, high, margin } => {
                Test::Outside { cell: self.watch(metric), low, high, margin }
            }
            Condition::Is { metric, value } => Test::Is { cell: self.watch(metric), value },
            Condition::AbsentFor { metric: None, within } => Test::AbsentLink { within },
            Condition::AbsentFor { metric: Some(metric), within } => {
                Test::AbsentData { cell: self.watch(metric), within }
            }
            Condition::ChangesFaster { metric, by, within } => {
                let kept = Kept::Extremes { cell: self.watch(metric), by };
                Test::Faster { window: self.remember(condition, kept, within), by }
            }
            Condition::StuckFor { metric, within, tolerance } => {
                let kept = Kept::Still { cell: self.watch(metric), tolerance };
                Test::Stuck { window: self.remember(condition, kept, within) }
            }
            Condition::SumOver { ref what, limit, within } => {
                let kept = self.summed(what);
                let window = self.remember(condition, kept, within);
                self.count_fired(what, window);
                Test::Sum { window, limit }
            }
            Condition::GrownSince { metric, limit, record } => {
                let kept = Kept::Since { cell: self.watch(metric), record: self.watch(record) };
                Test::Sum { window: self.remember(condition, kept, Duration::ZERO), limit }
            }
            Condition::AboveUsual { metric, times, within, least } => {
                let kept = Kept::Usual { cell: self.watch(metric) };
                Test::Usual { window: self.remember(condition, kept, within), times, least }
            }
            Condition::Reaches { metric, value, within, over } => {
                let kept = Kept::Course { cell: self.watch(metric) };
                Test::Reaches { window: self.remember(condition, kept, over), value, within }
            }
            Condition::OlderThan { metric, than } => Test::Older { cell: self.watch(metric), than },
            Condition::ExpiresWithin { date, within } => Test::Expires { date, within },
            Condition::During { from, to } => Test::During { from, to },
            Condition::StationOpen(open) => Test::Open(open),
            Condition::All(ref parts) => Test::All(self.ready_each(parts)),
            Condition::Any(ref parts) => Test::Any(self.ready_each(parts)),
        }
    }

    fn ready_each(&mut self, parts: &[Condition]) -> Vec<Test> {
        parts.iter().map(|part| self.ready(part)).collect()
    }

    fn summed(&mut self, what: &Summed) -> Kept {
        match what {
            Summed::Held(condition) => Kept::Held(self.ready(condition)),
            Summed::Growth(metric) => Kept::Growth { cell: self.watch(*metric) },
            Summed::Share(part, whole) => {
                Kept::Share { part: self.watch(*part), whole: self.watch(*whole) }
            }
            Summed::Times(metric) => Kept::Times { cell: self.watch(*metric) },
            Summed::Fired(_) => Kept::Fired,
        }
    }

    fn count_fired(&mut self, what: &Summed, window: usize) {
        let Summed::Fired(rule) = what else { return };
        let Some(rule) = self.rule_named(rule.as_str()) else { return };
        if !self.fired.iter().any(|fired| fired.window == window) {
            self.fired.push(Fired { rule, window, asks: 0 });
        }
    }

    pub(super) fn watch(&mut self, symbol: Symbol) -> usize {
        if let Some(known) = self.cell(symbol) {
            return known;
        }
        let source = Source::of(symbol);
        self.metrics.push(Watched { symbol, source, touches: 0, counts: 0, windows: 0 });
        self.metrics.len() - 1
    }

    /// What a text shows of other devices and of records is looked at too.
    fn watch_texts(&mut self, texts: [&Text; 2]) {
        for symbol in texts.into_iter().flat_map(shown) {
            self.watch(symbol);
        }
    }

    fn remember(&mut self, condition: &Condition, kept: Kept, within: Duration) -> usize {
        let key = key_of(condition);
        if let Some(known) = self.windows.iter().position(|window| window.key == key) {
            return known;
        }
        let index = self.windows.len();
        for cell in kept.cells(&self.windows) {
            self.mark(cell, |watched| watched.windows |= bit(index));
        }
        self.windows.push(Window { key, within, of: kept });
        index
    }

    fn mark(&mut self, cell: usize, how: impl FnOnce(&mut Watched)) {
        if let Some(watched) = self.metrics.get_mut(cell) {
            how(watched);
        }
    }
}

fn key_of(condition: &Condition) -> u64 {
    let digest = Sha256::digest(format!("{condition:?}"));
    digest.iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
}

/// What rules ask of other devices of the station.
pub(crate) fn from_afar(rules: &[Rule]) -> Vec<Symbol> {
    let mut found = Vec::new();
    for rule in rules.iter().take(MOST) {
        let mut note = |symbol| found.push(symbol);
        symbols(&rule.when, &mut note);
        rule.unless.iter().for_each(|unless| symbols(unless, &mut note));
        [&rule.says, &rule.cure].into_iter().flat_map(shown).for_each(note);
    }
    found.retain(|symbol| Source::of(*symbol) == Source::Afar);
    found
}

/// What a text shows of other devices and of records: `{people.occupancy}`.
fn shown(text: &Text) -> impl Iterator<Item = Symbol> {
    let parts = [&text.en, &text.zh].into_iter().flat_map(|text| text.split('{').skip(1));
    let names = parts.filter_map(|part| part.split_once('}')).map(|(name, _)| name);
    let elsewhere = names.filter(|name| name.contains('.') && !name.starts_with("date."));
    elsewhere.filter_map(|name| Symbol::intern(name).ok())
}

/// Every metric a condition names.
fn symbols(condition: &Condition, name: &mut impl FnMut(Symbol)) {
    match condition {
        Condition::Above { metric, .. }
        | Condition::Below { metric, .. }
        | Condition::Outside { metric, .. }
        | Condition::Is { metric, .. }
        | Condition::ChangesFaster { metric, .. }
        | Condition::StuckFor { metric, .. }
        | Condition::AboveUsual { metric, .. }
        | Condition::Reaches { metric, .. }
        | Condition::OlderThan { metric, .. } => name(*metric),
        Condition::AbsentFor { metric, .. } => metric.iter().for_each(|metric| name(*metric)),
        Condition::GrownSince { metric, record, .. } => {
            name(*metric);
            name(*record);
        }
        Condition::SumOver { what, .. } => match what {
            Summed::Held(held) => symbols(held, name),
            Summed::Growth(metric) | Summed::Times(metric) => name(*metric),
            Summed::Share(part, whole) => {
                name(*part);
                name(*whole);
            }
            Summed::Fired(_) => {}
        },
        Condition::All(parts) | Condition::Any(parts) => {
            for part in parts {
                symbols(part, name);
            }
        }
        Condition::ExpiresWithin { .. } | Condition::During { .. } | Condition::StationOpen(_) => {}
    }
}
