//! What is wrong with each channel, as one line of `/readyz`: a channel that is well does not hide
//! another's trouble.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::telemetry::Readiness;

const PART: &str = "notify";

#[derive(Debug, Clone)]
pub(super) struct Troubles {
    readiness: Readiness,
    by_channel: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Troubles {
    pub(super) fn new(readiness: Readiness) -> Self {
        Self { readiness, by_channel: Arc::default() }
    }

    /// `channel` does not work, for this reason; whether that is news.
    pub(super) fn trouble(&self, channel: &str, reason: &str) -> bool {
        let mut channels = self.by_channel.lock().unwrap_or_else(PoisonError::into_inner);
        let before = channels.insert(channel.to_owned(), reason.to_owned());
        self.say(&channels);
        before.as_deref() != Some(reason)
    }

    pub(super) fn well(&self, channel: &str) {
        let mut channels = self.by_channel.lock().unwrap_or_else(PoisonError::into_inner);
        if channels.remove(channel).is_some() {
            self.say(&channels);
        }
    }

    fn say(&self, channels: &BTreeMap<String, String>) {
        let says: Vec<String> =
            channels.iter().map(|(channel, reason)| format!("{channel}: {reason}")).collect();
        if says.is_empty() {
            self.readiness.well(PART);
        } else {
            self.readiness.trouble(PART, says.join("; "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_that_is_well_does_not_hide_another() {
        let readiness = Readiness::default();
        let troubles = Troubles::new(readiness.clone());
        assert!(troubles.trouble("a", "down"));
        assert!(!troubles.trouble("a", "down"), "no news");
        assert!(troubles.trouble("b", "slow"));
        assert_eq!(readiness.troubles()[PART], "a: down; b: slow");
        troubles.well("log");
        troubles.well("b");
        assert_eq!(readiness.troubles()[PART], "a: down");
        troubles.well("a");
        assert!(readiness.troubles().is_empty());
    }
}
