//! Types of devices: profiles as files, and the catalog of all that were loaded.

mod load;
mod profile;
mod written;

pub use load::{load, parse};
pub use profile::{Example, Expectation, Metric, MetricKind, Profile};

use std::{collections::HashMap, sync::Arc};

/// All profiles: the shipped ones and those of `[profiles] dir`, which add to or replace them.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    profiles: HashMap<String, Arc<Profile>>,
}

impl Catalog {
    pub fn from_profiles(profiles: impl IntoIterator<Item = Profile>) -> Self {
        let named = profiles.into_iter().map(|profile| (profile.id.clone(), Arc::new(profile)));
        Self { profiles: named.collect() }
    }

    pub fn get(&self, id: &str) -> Option<&Arc<Profile>> {
        self.profiles.get(id)
    }

    /// Where a profile's own file replaces a shipped one, the later wins.
    pub(crate) fn insert(&mut self, profile: Profile) {
        self.profiles.insert(profile.id.clone(), Arc::new(profile));
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.profiles.values()
    }
}
