//! Checks conditions: metrics exist and fit, limits and windows make sense.

use crate::reading::Symbol;

use super::{
    Against, Condition, Shape, Silence, Wanted,
    check::{Checker, DEPTH_MAX, join},
    written::{
        AbsentFor, ChangesFaster, Exceeds, Is, Level, Literal, Outside, Share, StuckFor, When,
    },
};

impl Checker<'_> {
    pub(super) fn condition(&mut self, key: &str, when: &When, depth: usize) -> Option<Condition> {
        if depth > DEPTH_MAX {
            self.note(key, format!("nested deeper than {DEPTH_MAX} conditions"), "split the rule");
            return None;
        }
        match when {
            When::Above(limit) => self.above(&join(key, "above"), limit),
            When::Below(limit) => self.below(&join(key, "below"), limit),
            When::Outside(outside) => self.outside(&join(key, "outside"), outside),
            When::Exceeds(exceeds) => self.exceeds(&join(key, "exceeds"), exceeds),
            When::Share(share) => self.share(&join(key, "share"), share),
            When::Is(is) => self.is(&join(key, "is"), is),
            When::ChangesFaster(change) => self.change(&join(key, "changes_faster"), change),
            When::StuckFor(stuck) => self.stuck(&join(key, "stuck_for"), stuck),
            When::AbsentFor(absent) => self.absent(&join(key, "absent_for"), absent),
            When::SumOver(sum) => self.sum(&join(key, "sum_over"), sum, depth),
            When::AboveUsual(usual) => self.usual(&join(key, "above_usual"), usual),
            When::Reaches(reaches) => self.reaches(&join(key, "reaches"), reaches),
            When::OlderThan(older) => self.older(&join(key, "older_than"), older),
            When::ExpiresWithin(expires) => self.expires(&join(key, "expires_within"), expires),
            When::During(during) => self.during(&join(key, "during"), during),
            When::StationOpen(open) => Some(Condition::StationOpen(*open)),
            When::All(list) => self.several(&join(key, "all"), list, depth).map(Condition::All),
            When::Any(list) => self.several(&join(key, "any"), list, depth).map(Condition::Any),
        }
    }

    fn several(&mut self, key: &str, list: &[When], depth: usize) -> Option<Vec<Condition>> {
        if list.is_empty() {
            self.note(key, "is empty", "name at least one condition");
        }
        let checked: Vec<_> = list
            .iter()
            .enumerate()
            .map(|(i, when)| self.condition(&format!("{key}[{i}]"), when, depth + 1))
            .collect();
        checked.into_iter().collect()
    }

    fn above(&mut self, key: &str, written: &Level) -> Option<Condition> {
        let clear = written.clear.unwrap_or(written.limit);
        self.ordered(key, written.limit, clear);
        let metric = self.number(key, written.profile.as_deref(), &written.metric)?;
        Some(Condition::Above { metric, limit: written.limit, clear })
    }

    fn below(&mut self, key: &str, written: &Level) -> Option<Condition> {
        let clear = written.clear.unwrap_or(written.limit);
        let ordered = clear >= written.limit;
        if !ordered {
            let what = format!("clear = {clear} lies under limit = {}", written.limit);
            self.note(key, what, "clear must be at or over limit");
        }
        let metric = self.number(key, written.profile.as_deref(), &written.metric)?;
        Some(Condition::Below { metric, limit: written.limit, clear })
    }

    fn outside(&mut self, key: &str, written: &Outside) -> Option<Condition> {
        let Outside { low, high, margin, .. } = *written;
        let ordered = low < high;
        if !ordered {
            self.note(key, format!("low = {low} is not under high = {high}"), "swap them");
        } else if !(margin >= 0.0 && margin * 2.0 < high - low) {
            let what = format!("margin = {margin} leaves nothing between low and high");
            self.note(key, what, "make it smaller, not negative");
        }
        let metric = self.number(key, written.profile.as_deref(), &written.metric)?;
        Some(Condition::Outside { metric, low, high, margin })
    }

    fn exceeds(&mut self, key: &str, written: &Exceeds) -> Option<Condition> {
        let clear = written.clear.unwrap_or(written.limit);
        self.against(
            key,
            [&written.metric, &written.other],
            Against::Difference,
            [written.limit, clear],
        )
    }

    fn share(&mut self, key: &str, written: &Share) -> Option<Condition> {
        let clear = written.clear.unwrap_or(written.limit);
        self.against(key, [&written.metric, &written.of], Against::Share, [written.limit, clear])
    }

    fn against(
        &mut self,
        key: &str,
        [metric, other]: [&str; 2],
        how: Against,
        [limit, clear]: [f64; 2],
    ) -> Option<Condition> {
        self.ordered(key, limit, clear);
        let (metric, other) = (self.number(key, None, metric), self.number(key, None, other));
        let (metric, other) = (metric?, other?);
        if metric == other {
            self.note(key, format!("compares {metric} with itself"), "name another metric");
        }
        Some(Condition::Against { metric, other, how, limit, clear })
    }

    /// Good is not above bad.
    fn ordered(&mut self, key: &str, limit: f64, clear: f64) {
        let ordered = clear <= limit;
        if !ordered {
            let what = format!("clear = {clear} lies above limit = {limit}");
            self.note(key, what, "clear must be at or under limit");
        }
    }

    fn is(&mut self, key: &str, is: &Is) -> Option<Condition> {
        let (metric, shape) = self.metric(key, is.profile.as_deref(), &is.metric)?;
        let (literal, negated) = match (&is.value, &is.not) {
            (Some(value), None) => (value, false),
            (None, Some(not)) => (not, true),
            _ => {
                self.note(key, "needs either value or not", "write value = …");
                return None;
            }
        };
        let value = match (shape, literal) {
            (Shape::State, Literal::State(state)) => Wanted::State(*state != negated),
            (Shape::Words(words), Literal::Word(word)) => {
                let known = words.iter().find(|known| known.as_str() == word);
                let Some(known) = known else {
                    let words = words.iter().map(|word| word.as_str());
                    self.unknown(key, "word", word, words);
                    return None;
                };
                if negated { Wanted::NotWord(*known) } else { Wanted::Word(*known) }
            }
            (Shape::Number | Shape::Counter, Literal::Number(number)) => {
                if negated {
                    Wanted::NotNumber(*number)
                } else {
                    Wanted::Number(*number)
                }
            }
            (shape, literal) => {
                let what = format!("{metric} is {}, it can never be {literal}", shape.name());
                self.note(key, what, "");
                return None;
            }
        };
        Some(Condition::Is { metric, value })
    }

    fn change(&mut self, key: &str, written: &ChangesFaster) -> Option<Condition> {
        self.window(key, written.within);
        if written.by == 0.0 || !written.by.is_finite() {
            let what = format!("by = {} is no change", written.by);
            self.note(key, what, "positive = up, negative = down");
        }
        let metric = self.number(key, written.profile.as_deref(), &written.metric)?;
        Some(Condition::ChangesFaster { metric, by: written.by, within: written.within })
    }

    fn stuck(&mut self, key: &str, written: &StuckFor) -> Option<Condition> {
        self.window(key, written.within);
        if written.tolerance.is_nan() || written.tolerance < 0.0 {
            self.note(key, "tolerance must not be negative", "");
        }
        let metric = self.moving(key, written.profile.as_deref(), &written.metric)?;
        let (within, tolerance) = (written.within, written.tolerance);
        Some(Condition::StuckFor { metric, within, tolerance })
    }

    fn absent(&mut self, key: &str, absent: &AbsentFor) -> Option<Condition> {
        if let Some(within) = absent.within {
            self.window(key, within);
        }
        let metric = match &absent.metric {
            Some(name) => Some(self.metric(key, None, name)?.0),
            None => None,
        };
        let within = absent.within.map_or(Silence::ByInterval, Silence::Fixed);
        Some(Condition::AbsentFor { metric, within })
    }

    pub(super) fn number(
        &mut self,
        key: &str,
        profile: Option<&str>,
        name: &str,
    ) -> Option<Symbol> {
        let (metric, shape) = self.metric(key, profile, name)?;
        self.expect(key, metric, shape, &[Shape::Number, Shape::Counter]);
        Some(metric)
    }

    fn moving(&mut self, key: &str, profile: Option<&str>, name: &str) -> Option<Symbol> {
        let (metric, shape) = self.metric(key, profile, name)?;
        self.expect(key, metric, shape, &[Shape::Number, Shape::Counter, Shape::Time]);
        Some(metric)
    }
}
