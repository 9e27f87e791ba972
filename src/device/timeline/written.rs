//! A timeline as a person writes it, and the names it may use.

use std::{collections::BTreeMap, ops::Range};

use serde::Deserialize;

use super::{Facts, Timeline, expect::expected, play::play};
use crate::{
    problem::{Sheet, nearest},
    reading::Symbol,
    rule::{Known, Mistake, Shape},
};

/// More messages than this make nobody wiser.
const MESSAGES_MOST: u64 = 500_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::device) struct Written {
    name: String,
    pub(in crate::device) profile: Option<String>,
    #[serde(default)]
    rules: Vec<String>,
    opens: Option<toml::Value>,
    closed: Option<toml::Value>,
    capacity: Option<u32>,
    #[serde(default)]
    dates: BTreeMap<String, String>,
    #[serde(default)]
    device: toml::Table,
    plays: String,
    #[serde(default)]
    expect: String,
}

/// What is wrong, and what to do.
pub(super) type Flaw = (String, String);

pub(super) fn flaw(what: impl Into<String>, cure: impl Into<String>) -> Flaw {
    (what.into(), cure.into())
}

/// Metrics, profiles and rules a timeline may name.
pub(in crate::device) struct Names<'a> {
    pub(in crate::device) known: Known<'a>,
    pub(in crate::device) rules: Vec<Symbol>,
    /// Those that a timeline compares which names none.
    pub(in crate::device) compared: Vec<Symbol>,
}

/// Reads a timeline; all its mistakes come back at once, each with the line it is in.
pub(in crate::device) fn read(
    written: Written,
    names: &Names<'_>,
) -> Result<Timeline, Vec<(Mistake, String)>> {
    let mut mistakes = Vec::new();
    let mut note = |key: &str, (what, cure): Flaw, line: &str| {
        mistakes.push((Mistake { key: key.to_owned(), what, cure }, line.to_owned()));
    };
    let mut rules = Vec::new();
    for rule in &written.rules {
        match names.rule(rule) {
            Ok(()) => rules.extend(Symbol::intern(rule)),
            Err(flaw) => note("rules", flaw, rule),
        }
    }
    if written.rules.is_empty() {
        rules.clone_from(&names.compared);
    }
    let mut plays = Vec::new();
    for line in lines(&written.plays) {
        match play(line, names) {
            Ok(play) => plays.push(play),
            Err((what, cure)) => note("plays", flaw(format!("\"{line}\": {what}"), cure), line),
        }
    }
    let mut expects = Vec::new();
    for line in lines(&written.expect) {
        match expected(line, names) {
            Ok(expected) => expects.push(expected),
            Err((what, cure)) => note("expect", flaw(format!("\"{line}\": {what}"), cure), line),
        }
    }
    if plays.iter().map(super::Play::count).sum::<u64>() > MESSAGES_MOST {
        let what = format!("more than {MESSAGES_MOST} messages");
        note("plays", flaw(what, "say them less often, or for a shorter time"), "");
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let Written { name, profile, opens, closed, capacity, dates, device, .. } = written;
    let facts = Facts { opens, closed, capacity, dates, device };
    Ok(Timeline { name, profile, rules, facts, plays, expects })
}

/// The timeline, or none with every mistake noted on the line it is in.
pub(in crate::device) fn note(
    sheet: &mut Sheet<'_>,
    key: &str,
    span: Range<usize>,
    read: Result<Timeline, Vec<(Mistake, String)>>,
) -> Option<Timeline> {
    let mistakes = match read {
        Ok(timeline) => return Some(timeline),
        Err(mistakes) => mistakes,
    };
    // A table that [[timeline]] began knows its first line only.
    for (mistake, line) in mistakes {
        let place = sheet.find(span.start..usize::MAX, &line);
        sheet.note(&format!("{key}.{}", mistake.key), Some(place), mistake.what, mistake.cure);
    }
    None
}

/// Lines with something on them; `#` begins a remark.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

impl<'a> Names<'a> {
    pub(super) fn metric(
        &self,
        profile: Option<&str>,
        name: &str,
    ) -> Result<(Symbol, Shape<'a>), Flaw> {
        let metrics = match profile {
            None => self.known.own,
            Some(profile) => self.known.others.get(profile).map(Vec::as_slice).unwrap_or_default(),
        };
        let found = metrics.iter().find(|(metric, _)| metric.as_str() == name);
        found.copied().ok_or_else(|| {
            unknown("metric", name, metrics.iter().map(|(metric, _)| metric.as_str()))
        })
    }

    pub(super) fn profile(&self, name: &str) -> Result<(), Flaw> {
        if self.known.others.contains_key(name) {
            return Ok(());
        }
        Err(unknown("profile", name, self.known.others.keys().map(String::as_str)))
    }

    pub(super) fn rule(&self, name: &str) -> Result<(), Flaw> {
        if self.rules.iter().any(|rule| rule.as_str() == name) {
            return Ok(());
        }
        Err(unknown("rule", name, self.rules.iter().map(|rule| rule.as_str())))
    }
}

fn unknown<'n>(kind: &str, name: &str, known: impl Iterator<Item = &'n str> + Clone) -> Flaw {
    let cure = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("known here: {}", known.collect::<Vec<_>>().join(", ")),
    };
    flaw(format!("unknown {kind} \"{name}\""), cure)
}
