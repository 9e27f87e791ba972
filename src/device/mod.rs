//! Types of devices: profiles as files, and the catalog of all that were loaded.

mod every;
mod load;
mod profile;
mod timeline;
mod unit;
mod talk;
mod talk_written;
mod written;

pub(crate) use load::load_what_is_right;
pub use load::{ids_in, load, parse, shares_rules};
pub use profile::{Example, Expectation, Metric, MetricKind, Profile};
pub use talk::{Argument, ArgumentKind, Echo, EchoBody, Heartbeat, Operation, Talk, admit};
pub use timeline::{Expected, Facts, How, Moment, Play, Said, Timeline, Turn, What};
pub use unit::unit;

/// The profile of the stations themselves, and the id of their devices of that profile.
pub const STATION: &str = "station";

use std::{collections::HashMap, ffi::OsStr, sync::Arc};

/// All profiles: the shipped ones and those of `[profiles] dir`, which add to or replace them.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    profiles: HashMap<String, Arc<Profile>>,
    /// Names of files that could not be read: who refers to them is not to blame.
    broken: Vec<String>,
    /// Those of the rules that every profile has.
    shared: Vec<Timeline>,
}

impl Catalog {
    pub fn from_profiles(profiles: impl IntoIterator<Item = Profile>) -> Self {
        let named = profiles.into_iter().map(|profile| (profile.id.clone(), Arc::new(profile)));
        Self { profiles: named.collect(), ..Self::default() }
    }

    pub fn get(&self, id: &str) -> Option<&Arc<Profile>> {
        self.profiles.get(id)
    }

    /// Where a profile's own file replaces a shipped one, the later wins.
    pub(crate) fn insert(&mut self, profile: Profile) {
        self.profiles.insert(profile.id.clone(), Arc::new(profile));
    }

    pub(crate) fn note_broken(&mut self, stem: &OsStr) {
        self.broken.push(stem.to_string_lossy().into_owned());
    }

    pub(crate) fn is_broken(&self, id: &str) -> bool {
        self.broken.iter().any(|broken| broken == id)
    }

    /// The timelines of the rules that every profile has.
    pub fn shared(&self) -> &[Timeline] {
        &self.shared
    }

    pub(crate) fn share(&mut self, timelines: Vec<Timeline>) {
        self.shared = timelines;
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.profiles.values()
    }
}
