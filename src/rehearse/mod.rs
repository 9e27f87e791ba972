//! Tries profiles: their examples and timelines, through the decoder and the alerts that the daemon has.
//!
//! ```text
//! timeline ─ world ─▶ registry, messages ─▶ decode ─▶ Engine ─ player ─▶ what happened ─ report ─▶ a profile's author
//! ```

mod cover;
mod diff;
mod example;
mod given;
mod message;
mod player;
mod report;
mod skeleton;
mod world;

pub use report::{Report, Tried};
pub use skeleton::{Refused, write_skeleton};

use std::{path::Path, sync::Arc};

use crate::{
    device::{self, Catalog, Profile, Timeline},
    problem::Problem,
    rule::Rule,
};
use cover::Cover;
use player::play;

/// The name under which the rules that every profile has are reported.
const EVERY: &str = "every";

/// Tries the profiles of a folder, or the shipped ones with the rules that every profile has.
///
/// With mistakes in a file nothing is tried, and all mistakes of all files come back.
pub fn rehearse_files(dir: Option<&Path>) -> Result<Report, Vec<Problem>> {
    let catalog = device::load(dir)?;
    let own = dir.map(device::ids_in).transpose()?;
    let mut ids = own.unwrap_or_else(|| catalog.iter().map(|profile| profile.id.clone()).collect());
    ids.sort_unstable();
    let profiles = ids.iter().filter_map(|id| catalog.get(id));
    let mut tried: Vec<_> = profiles.map(|profile| try_profile(&catalog, profile)).collect();
    if dir.is_none_or(device::shares_rules) {
        tried.extend(try_shared(&catalog));
    }
    Ok(Report { tried })
}

fn try_profile(catalog: &Catalog, profile: &Arc<Profile>) -> Tried {
    let mut tried = Tried::new(&profile.id);
    tried.examples = profile.examples.len();
    tried.failures.extend(example::failures(profile));
    let is_own = |rule: &&Rule| !profile.shared.contains(&rule.id);
    let own: Vec<&Rule> = profile.rules.iter().filter(is_own).collect();
    let timelines = profile.timelines.iter().map(|timeline| (profile, timeline));
    try_timelines(catalog, timelines, &own, &mut tried);
    tried
}

/// The rules that every profile has, with the devices that their timelines name.
fn try_shared(catalog: &Catalog) -> Option<Tried> {
    let named = catalog.shared().iter();
    let timelines: Vec<_> = named
        .filter_map(|timeline| Some((catalog.get(timeline.profile.as_deref()?)?, timeline)))
        .collect();
    let (first, _) = timelines.first()?;
    let mut tried = Tried::new(EVERY);
    let rules = first.rules.iter().filter(|rule| first.shared.contains(&rule.id));
    try_timelines(catalog, timelines.iter().copied(), &rules.collect::<Vec<_>>(), &mut tried);
    Some(tried)
}

fn try_timelines<'a>(
    catalog: &Catalog,
    timelines: impl Iterator<Item = (&'a Arc<Profile>, &'a Timeline)>,
    rules: &[&Rule],
    tried: &mut Tried,
) {
    let mut timelines = timelines.peekable();
    let derived = timelines.peek().is_some_and(|(profile, _)| profile.derived);
    let mut cover = Cover::of(rules, derived);
    for (profile, timeline) in timelines {
        tried.timelines += 1;
        match play(catalog, profile, timeline) {
            Err(cannot) => tried.fail(&timeline.name, vec![cannot]),
            Ok(played) => {
                cover.take(timeline, &played);
                let differs = diff::differs(timeline, &played);
                if !differs.is_empty() {
                    tried.fail(&timeline.name, differs);
                }
            }
        }
    }
    tried.rules = rules.len();
    if tried.timelines > 0 {
        tried.gaps = cover.gaps();
    }
}
