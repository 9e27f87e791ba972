//! A device's rules: its profile's, changed by district, station and device; the same ones shared.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    device::Profile,
    problem::nearest,
    rule::{Needs, Override, Rule},
};

use super::{Opens, Station, written::Rules};

/// Every list of rules that was made so far.
#[derive(Default)]
pub(super) struct Sharing {
    lists: HashMap<String, HashMap<Key, Arc<[Rule]>>>,
}

/// What rules of a profile may need to know of a device and its station; nothing that none needs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Facts {
    capacity: Option<u32>,
    always_open: bool,
    frozen: bool,
}

impl Facts {
    /// The error says that the profile is the same, frozen or not.
    pub(super) fn of(profile: &Profile, station: &Station, frozen: bool) -> Result<Self, String> {
        let needs = |need: Needs| profile.needs.iter().any(|(_, other)| *other == need);
        if frozen && !needs(Needs::Frozen) {
            return Err(format!("profile \"{}\" has no rules for what is frozen", profile.id));
        }
        let never_closes = station.opens == Opens::Always && station.closed.is_empty();
        Ok(Self {
            capacity: station.capacity.filter(|_| needs(Needs::Capacity)),
            always_open: never_closes && needs(Needs::AlwaysOpen),
            frozen,
        })
    }

    fn meet(self, need: Needs) -> bool {
        match need {
            Needs::Capacity => self.capacity.is_some(),
            Needs::AlwaysOpen => self.always_open,
            Needs::Frozen => self.frozen,
            Needs::Chilled => !self.frozen,
        }
    }
}

/// What a list of rules depends on beside the profile.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    facts: Facts,
    /// The overrides, merged and printed.
    changes: String,
}

impl Sharing {
    /// The rules of one device; an error names the rule and what does not fit.
    pub(super) fn rules(
        &mut self,
        profile: &Profile,
        facts: Facts,
        layers: [Option<&Rules>; 3],
    ) -> Result<Arc<[Rule]>, (String, String)> {
        let changes = merge(layers);
        let key = Key {
            facts,
            changes: if changes.is_empty() { String::new() } else { format!("{changes:?}") },
        };
        if !self.lists.contains_key(&profile.id) {
            self.lists.insert(profile.id.clone(), HashMap::new());
        }
        let Some(lists) = self.lists.get_mut(&profile.id) else { return Ok(Arc::default()) };
        if let Some(rules) = lists.get(&key) {
            return Ok(Arc::clone(rules));
        }
        let rules: Arc<[Rule]> = resolve(profile, facts, &changes)?.into();
        lists.insert(key, Arc::clone(&rules));
        Ok(rules)
    }

    /// Whether an override names a rule of the profile and changes only what that rule has.
    pub(super) fn fits(profile: &Profile, rule: &str, change: &Override) -> Result<(), String> {
        let Some(known) = profile.rules.iter().find(|known| known.id.as_str() == rule) else {
            return Err(unknown(profile, rule));
        };
        change.apply(&mut known.clone()).map(drop)
    }

    pub(super) fn cure(profile: &Profile, rule: &str) -> String {
        let ids = || profile.rules.iter().map(|rule| rule.id.as_str());
        if ids().any(|id| id == rule) {
            return String::new();
        }
        match nearest(rule, ids()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("its rules: {}", ids().collect::<Vec<_>>().join(", ")),
        }
    }
}

fn unknown(profile: &Profile, rule: &str) -> String {
    format!("profile \"{}\" has no rule \"{rule}\"", profile.id)
}

/// Outer to inner: what an inner layer says replaces what an outer one said.
fn merge(layers: [Option<&Rules>; 3]) -> BTreeMap<&str, Override> {
    let mut merged: BTreeMap<&str, Override> = BTreeMap::new();
    for (id, change) in layers.into_iter().flatten().flatten() {
        let all = merged.entry(id).or_default();
        *all = all.then(change);
    }
    merged
}

fn resolve(
    profile: &Profile,
    facts: Facts,
    changes: &BTreeMap<&str, Override>,
) -> Result<Vec<Rule>, (String, String)> {
    let known = |id: &str| profile.rules.iter().any(|rule| rule.id.as_str() == id);
    if let Some(id) = changes.keys().find(|id| !known(id)) {
        return Err(((*id).to_owned(), unknown(profile, id)));
    }
    let mut rules = Vec::with_capacity(profile.rules.len());
    for rule in &profile.rules {
        let mut rule = rule.clone();
        let mut enabled = !profile.off.contains(&rule.id);
        if let Some(change) = changes.get(rule.id.as_str()) {
            change.apply(&mut rule).map_err(|what| (rule.id.to_string(), what))?;
            enabled = change.enabled.unwrap_or(enabled);
        }
        if !enabled {
            continue;
        }
        let need = profile.needs.iter().find(|(id, _)| *id == rule.id).map(|(_, need)| *need);
        if need.is_some_and(|need| !facts.meet(need)) {
            continue;
        }
        if let (Some(Needs::Capacity), Some(capacity)) = (need, facts.capacity) {
            rule.when.scale_limits(f64::from(capacity));
        }
        rules.push(rule);
    }
    Ok(rules)
}
