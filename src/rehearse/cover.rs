//! Which rules the timelines of a profile put to the test, and how far.

use std::collections::BTreeSet;

use super::{diff::counts, player::Played};
use crate::{
    device::{Timeline, Turn, What},
    reading::Symbol,
    rule::Rule,
};

/// One rule, and what was seen of it.
#[derive(Debug)]
struct Seen<'a> {
    rule: &'a Rule,
    fired: bool,
    resolved: bool,
    /// Some timeline plays what it looks at, and it had to stay silent.
    silent: bool,
}

#[derive(Debug)]
pub(super) struct Cover<'a> {
    seen: Vec<Seen<'a>>,
    /// Its metrics are made of what other devices say.
    derived: bool,
}

impl<'a> Cover<'a> {
    pub(super) fn of(rules: &[&'a Rule], derived: bool) -> Self {
        let seen = |rule: &&'a Rule| Seen { rule, fired: false, resolved: false, silent: false };
        Self { seen: rules.iter().map(seen).collect(), derived }
    }

    pub(super) fn take(&mut self, timeline: &Timeline, played: &Played) {
        let spoken = spoken(timeline);
        for seen in &mut self.seen {
            let id = seen.rule.id.as_str();
            if !counts(timeline, id) {
                continue;
            }
            let mut own = played.happened.iter().filter(|happened| happened.rule == id).peekable();
            let looks_at = seen.rule.when.metrics();
            let said = |name: &&Symbol| !self.derived && is_said(name.as_str());
            let mut looks_at = looks_at.iter().filter(said).peekable();
            let touched =
                looks_at.peek().is_none() || looks_at.any(|name| spoken.contains(name.as_str()));
            seen.silent |= touched && own.peek().is_none();
            for happened in own {
                seen.fired |= happened.turn == Turn::Firing;
                seen.resolved |= happened.turn == Turn::Resolved;
            }
        }
    }

    /// What is still to be shown: `freezing: never fires`.
    pub(super) fn gaps(&self) -> Vec<String> {
        self.seen.iter().filter_map(Seen::gap).collect()
    }
}

impl Seen<'_> {
    fn gap(&self) -> Option<String> {
        let missing = [
            ("never fires", !self.fired),
            ("never resolves", self.fired && !self.resolved && !self.rule.latched),
            ("is nowhere shown to stay silent", !self.silent),
        ];
        let missing = missing.iter().filter(|(_, missing)| *missing).map(|(what, _)| *what);
        let missing: Vec<_> = missing.collect();
        let id = self.rule.id;
        (!missing.is_empty()).then(|| format!("{id} {}", missing.join(", ")))
    }
}

/// Whether lines say it: what is observed, recorded or registered is there in any timeline.
fn is_said(metric: &str) -> bool {
    !matches!(metric.split_once('.'), Some(("device" | "record" | "date", _)))
}

/// The metrics that a timeline's lines name, as rules do: `people.occupancy` of another device's.
fn spoken(timeline: &Timeline) -> BTreeSet<String> {
    let mut spoken = BTreeSet::new();
    for play in &timeline.plays {
        let name = |metric: &Symbol| match &play.profile {
            None => metric.to_string(),
            Some(profile) => format!("{profile}.{metric}"),
        };
        match &play.what {
            What::Reads { values, .. } | What::Record { values, .. } => {
                spoken.extend(values.iter().map(|(metric, _)| name(metric)));
            }
            What::Refused(metric) => drop(spoken.insert(name(metric))),
            _ => {}
        }
    }
    spoken
}
