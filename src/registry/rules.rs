//! A device's rules: its profile's, changed by district, station and device; the same ones shared.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    device::Profile,
    problem::nearest,
    rule::{ByStation, Override, Rule},
};

use super::{Opens, Station, written::Rules};

/// Every list of rules that was made so far.
#[derive(Default)]
pub(super) struct Sharing {
    lists: HashMap<String, HashMap<Key, Arc<[Rule]>>>,
}

/// What a list of rules depends on beside the profile.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    capacity: Option<u32>,
    always_open: bool,
    /// The overrides, merged and printed.
    changes: String,
}

impl Sharing {
    /// The rules of one device; an error names the rule and what does not fit.
    pub(super) fn rules(
        &mut self,
        profile: &Profile,
        station: &Station,
        layers: [Option<&Rules>; 3],
    ) -> Result<Arc<[Rule]>, (String, String)> {
        let needs = |need: ByStation| profile.by_station.iter().any(|(_, other)| *other == need);
        let changes = merge(layers);
        let key = Key {
            capacity: station.capacity.filter(|_| needs(ByStation::Capacity)),
            always_open: station.opens == Opens::Always && needs(ByStation::AlwaysOpen),
            changes: if changes.is_empty() { String::new() } else { format!("{changes:?}") },
        };
        if !self.lists.contains_key(&profile.id) {
            self.lists.insert(profile.id.clone(), HashMap::new());
        }
        let Some(lists) = self.lists.get_mut(&profile.id) else { return Ok(Arc::default()) };
        if let Some(rules) = lists.get(&key) {
            return Ok(Arc::clone(rules));
        }
        let rules: Arc<[Rule]> = resolve(profile, &key, &changes)?.into();
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
    key: &Key,
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
        let need = profile.by_station.iter().find(|(id, _)| *id == rule.id);
        match (need.map(|(_, need)| *need), key.capacity) {
            (Some(ByStation::Capacity), Some(capacity)) => {
                rule.when.scale_limits(f64::from(capacity));
            }
            (Some(ByStation::Capacity), None) => continue,
            (Some(ByStation::AlwaysOpen), _) if !key.always_open => continue,
            _ => {}
        }
        rules.push(rule);
    }
    Ok(rules)
}
