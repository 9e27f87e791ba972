//! Types of devices: profiles as files, and the catalog of all that were loaded.

mod profile;

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

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.profiles.values()
    }
}
