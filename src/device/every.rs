//! The rules that every type of device has: `devices/profiles/every.toml`, which is no profile.
//!
//! A profile gets each of them unless it has a rule of the same id. `{profile}` in a text is the
//! profile's name; a metric `*_c` stands for each of its metrics that end so.

use serde::Deserialize;
use toml::{Spanned, de::DeValue};

use crate::{
    problem::{Sheet, Tree},
    reading::Symbol,
    rule::{self, Known, Mistake, Rule, Shape, Text, When},
};

use super::{Catalog, Timeline, timeline};

/// The name of its file.
pub(super) const FILE: &str = "every.toml";

#[derive(Default)]
pub(super) struct Every {
    rules: Vec<Shared>,
    timelines: Vec<(usize, timeline::Written, std::ops::Range<usize>)>,
}

struct Shared {
    rule: rule::Written,
    /// Metrics that `*` does not stand for.
    except: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(transparent)]
struct Except(Vec<String>);

impl Every {
    /// Reads the file; its rules are checked against the metrics of all profiles together.
    pub(super) fn read(sheet: &mut Sheet<'_>, known: &Known<'_>) -> Self {
        let mut every = Self::default();
        let Some(mut table) = sheet.parse() else { return every };
        for (i, value) in sheet.list(&mut table, "", "rules").into_iter().enumerate() {
            let (key, span) = (format!("rules[{i}]"), value.span());
            let Some(shared) = shared(sheet, &key, value) else { continue };
            for mistake in shared.made("Device", known).err().into_iter().flatten() {
                let key = format!("{key} ({}).{}", shared.rule.id, mistake.key);
                sheet.note(&key, Some(span.clone()), mistake.what, mistake.cure);
            }
            every.rules.push(shared);
        }
        for (i, value) in sheet.list(&mut table, "", "timeline").into_iter().enumerate() {
            let span = value.span();
            let written = sheet.read(&format!("timeline[{i}]"), value);
            every.timelines.extend(written.map(|written| (i, written, span)));
        }
        for (key, value) in &table {
            sheet.note(
                key.get_ref(),
                Some(value.span()),
                "unknown key",
                "known here: rules, timeline",
            );
        }
        every
    }

    /// The rules for a profile that has none of the same id.
    pub(super) fn rules(&self, name: &Text, known: &Known<'_>, own: &[Rule]) -> Vec<Rule> {
        let is_new = |shared: &&Shared| own.iter().all(|rule| rule.id.as_str() != shared.rule.id);
        let made = self.rules.iter().filter(is_new).map(|shared| shared.made_for(name, known));
        made.filter_map(Result::ok).flatten().collect()
    }

    /// Its timelines, played by a device of the profile that each names.
    pub(super) fn timelines(
        self,
        sheet: &mut Sheet<'_>,
        catalog: &Catalog,
        known: &Known<'_>,
    ) -> Vec<Timeline> {
        let mut timelines = Vec::new();
        for (i, written, span) in self.timelines {
            let key = format!("timeline[{i}]");
            let profile = written.profile.clone().unwrap_or_default();
            let Some(profile) = catalog.get(&profile) else {
                let what = format!("there is no profile {profile:?} whose device could play it");
                sheet.note(&key, Some(span), what, "write profile = \"fridge\"");
                continue;
            };
            let own = known.others.get(&profile.id).map(Vec::as_slice).unwrap_or_default();
            let names = timeline::Names {
                known: Known { own, others: known.others },
                rules: profile.rules.iter().map(|rule| rule.id).collect(),
                compared: profile.shared.clone(),
            };
            timelines.extend(timeline::note(sheet, &key, span, timeline::read(written, &names)));
        }
        timelines
    }
}

fn shared<'a>(sheet: &mut Sheet<'a>, key: &str, value: Tree<'a>) -> Option<Shared> {
    let (span, inner) = (value.span(), value.into_inner());
    let DeValue::Table(mut table) = inner else {
        sheet.note(key, Some(span), "expected a table", "write [[rules]]");
        return None;
    };
    let except: Except = sheet.take(key, &mut table, "except").unwrap_or_default();
    let rule = sheet.read(key, Spanned::new(span, DeValue::Table(table)))?;
    Some(Shared { rule, except: except.0 })
}

impl Shared {
    /// The rule for one profile; none where it has no metric that `*` could stand for.
    fn made_for(&self, name: &Text, known: &Known<'_>) -> Result<Option<Rule>, Vec<Mistake>> {
        let mut rule = self.rule.clone();
        for text in [&mut rule.says, &mut rule.cure] {
            text.en = text.en.replace("{profile}", &name.en);
            text.zh = text.zh.replace("{profile}", &name.zh);
        }
        let numbers = known.own.iter().filter(|(_, shape)| *shape == Shape::Number);
        let names = numbers.map(|(metric, _)| *metric);
        let names: Vec<Symbol> =
            names.filter(|name| self.except.iter().all(|not| not != name.as_str())).collect();
        if !rule.when.spread(&names) {
            return Ok(None);
        }
        rule::check(rule, known, false).map(Some)
    }

    fn made(&self, name: &str, known: &Known<'_>) -> Result<Option<Rule>, Vec<Mistake>> {
        self.made_for(&Text { en: name.to_owned(), zh: name.to_owned() }, known)
    }
}

/// A condition in which a metric may be `*_c`.
trait Spread {
    fn spread(&mut self, metrics: &[Symbol]) -> bool;
}

impl Spread for When {
    /// Puts one condition for each metric that fits where `*` stands; false where none does.
    fn spread(&mut self, metrics: &[Symbol]) -> bool {
        let Self::StuckFor(stuck) = self else { return true };
        let Some(ending) = stuck.metric.strip_prefix('*') else { return true };
        let fitting = metrics.iter().filter(|metric| metric.as_str().ends_with(ending));
        let each = fitting.map(|metric| {
            let mut one = stuck.clone();
            metric.as_str().clone_into(&mut one.metric);
            Self::StuckFor(one)
        });
        let mut each: Vec<_> = each.collect();
        let found = !each.is_empty();
        *self = if each.len() == 1 { each.remove(0) } else { Self::Any(each) };
        found
    }
}
