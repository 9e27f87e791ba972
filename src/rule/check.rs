//! From a rule as written to a rule that can be evaluated, with every mistake noted.

use std::time::Duration;

use crate::{problem::nearest, reading::Symbol};

use super::{Known, Needs, Rule, Shape, Text, written::Written};

/// Conditions inside conditions, at most.
pub(super) const DEPTH_MAX: usize = 6;
/// No rule looks further back or waits longer.
const LONGEST: Duration = Duration::from_hours(24 * 400);

/// A mistake in a rule: the key inside the rule, what is wrong, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub key: String,
    pub what: String,
    pub cure: String,
}

/// Checks one rule against its profile's metrics and those of others. All mistakes come back at once.
pub fn check(written: Written, known: &Known<'_>, backfill: bool) -> Result<Rule, Vec<Mistake>> {
    let mut checker = Checker { known, mistakes: Vec::new() };
    let rule = checker.rule(written, backfill);
    match rule {
        Some(rule) if checker.mistakes.is_empty() => Ok(rule),
        _ => Err(checker.mistakes),
    }
}

pub(super) struct Checker<'a> {
    pub(super) known: &'a Known<'a>,
    mistakes: Vec<Mistake>,
}

impl Checker<'_> {
    fn rule(&mut self, written: Written, backfill: bool) -> Option<Rule> {
        let id = self.id(&written.id);
        let when = self.condition("when", &written.when, 0);
        let unless = written.unless.as_ref().map(|unless| self.condition("unless", unless, 0));
        self.duration("for", written.hold);
        self.duration("clear_after", written.clear_after);
        self.duration("repeat", written.repeat);
        if !(1..=1000).contains(&written.readings) {
            self.note("readings", "must lie between 1 and 1000", "");
        }
        self.text("says", &written.says);
        self.text("do", &written.cure);
        if written.bring.iter().any(String::is_empty) {
            self.note("bring", "one of the things to bring is empty", "remove it");
        }
        let when = when?;
        if written.needs == Some(Needs::Capacity) && when.limits() != 1 {
            let what = "needs = \"capacity\" goes with exactly one condition with a limit";
            self.note("needs", what, "use one above or below");
        }
        Some(Rule {
            id: id?,
            severity: written.severity,
            when,
            unless: match unless {
                Some(unless) => Some(unless?),
                None => None,
            },
            hold: written.hold,
            readings: written.readings,
            clear_after: written.clear_after,
            latched: written.latched,
            on_backfill: written.on_backfill.unwrap_or(backfill),
            says: written.says,
            cure: written.cure,
            bring: written.bring,
            repeat: written.repeat,
        })
    }

    fn id(&mut self, id: &str) -> Option<Symbol> {
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if id.is_empty() || id.len() > 48 || !id.chars().all(letter) {
            self.note("id", format!("{id:?} is no id"), "use 1 to 48 of a-z, 0-9 and _");
            return None;
        }
        Symbol::intern(id).map_err(|error| self.note("id", error.to_string(), "")).ok()
    }

    /// Both languages are there, and what stands in braces is a metric.
    fn text(&mut self, key: &str, text: &Text) {
        for (language, text) in [("en", &text.en), ("zh", &text.zh)] {
            let key = join(key, language);
            if text.trim().is_empty() {
                self.note(&key, "is empty", "say it in both languages");
            }
            for part in text.split('{').skip(1) {
                match part.split_once('}') {
                    Some((name, _)) => self.placeholder(&key, name),
                    None => self.note(&key, "a { is never closed", "close it, or leave it out"),
                }
            }
        }
    }

    /// `{temp_c}`, `{people.occupancy}`, `{date.pads}`; `{reaches}` is when the forecast comes true.
    fn placeholder(&mut self, key: &str, name: &str) {
        match name.split_once('.') {
            None if name == "reaches" => {}
            Some(("date" | "record", _)) => {}
            Some((profile, metric)) => {
                self.metric(key, Some(profile), metric);
            }
            None => {
                self.metric(key, None, name);
            }
        }
    }

    pub(super) fn duration(&mut self, key: &str, duration: Duration) {
        if duration > LONGEST {
            self.note(key, "is longer than 400 days", "");
        }
    }

    /// A span to look back over: there is one, and it is not endless.
    pub(super) fn window(&mut self, key: &str, within: Duration) {
        let key = join(key, "within");
        if within < Duration::from_secs(1) {
            self.note(&key, "is shorter than a second", "");
        }
        self.duration(&key, within);
    }

    pub(super) fn unknown<'n>(
        &mut self,
        key: &str,
        kind: &str,
        name: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) {
        let cure = match nearest(name, known.clone()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("known here: {}", known.collect::<Vec<_>>().join(", ")),
        };
        self.note(key, format!("unknown {kind} \"{name}\""), cure);
    }

    pub(super) fn expect(
        &mut self,
        key: &str,
        metric: Symbol,
        shape: Shape<'_>,
        fits: &[Shape<'_>],
    ) {
        if !fits.contains(&shape) {
            let wanted: Vec<_> = fits.iter().map(|shape| shape.name()).collect();
            let what = format!("{metric} is {}, not {}", shape.name(), wanted.join(" or "));
            self.note(key, what, "");
        }
    }

    pub(super) fn note(&mut self, key: &str, what: impl Into<String>, cure: impl Into<String>) {
        self.mistakes.push(Mistake { key: key.to_owned(), what: what.into(), cure: cure.into() });
    }
}

pub(super) fn join(outer: &str, inner: &str) -> String {
    format!("{outer}.{inner}")
}
