//! Which devices have still to hear what their settings should be.
//!
//! Here the wish is kept for a device that subscribes. A broker keeps it, too, but may lose what it
//! keeps: so a wish goes there when it is new, after a start of ours, and when a device says that it
//! runs with something else.

use std::collections::{BTreeSet, HashMap};

/// What is wanted, and what was reported, by path of the device.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    known: HashMap<String, Wish>,
    /// To be published at the broker.
    due: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Wish {
    revision: u64,
    reported: Option<u64>,
}

impl Wishes {
    /// A wish is new, or was read at the start.
    pub(super) fn want(&mut self, device: &str, revision: u64, reported: Option<u64>) {
        let wish = Wish { revision, reported };
        self.known.insert(device.to_owned(), wish);
        if reported != Some(revision) {
            self.due.insert(device.to_owned());
        }
    }

    /// A device says what it runs with; whether that is news.
    pub(super) fn report(&mut self, device: &str, revision: u64) -> bool {
        // Nobody wants anything of it yet: what it says is remembered when somebody does.
        let wish = self.known.entry(device.to_owned()).or_default();
        if wish.revision > 0 && wish.revision != revision {
            self.due.insert(device.to_owned());
        }
        wish.reported.replace(revision) != Some(revision)
    }

    pub(super) fn due(&self, most: usize) -> Vec<String> {
        self.due.iter().take(most).cloned().collect()
    }

    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The broker has it, or nobody wants it any more.
    pub(super) fn told(&mut self, device: &str) {
        self.due.remove(device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_due_until_it_is_told_and_again_when_the_device_has_another() {
        let mut wishes = Wishes::default();
        wishes.want("d/s/x", 1, None);
        wishes.want("d/s/y", 4, Some(4));
        assert_eq!(wishes.due(9), ["d/s/x"]);
        wishes.told("d/s/x");
        assert!(!wishes.is_due());
        assert!(wishes.report("d/s/x", 1) && !wishes.report("d/s/x", 1));
        assert!(!wishes.is_due(), "it has them");
        assert!(wishes.report("d/s/y", 3));
        assert_eq!(wishes.due(9), ["d/s/y"], "it lost them");
        assert!(wishes.report("d/s/z", 7) && !wishes.report("d/s/z", 7));
        assert_eq!(wishes.due(9), ["d/s/y"], "nobody wants anything of z");
    }
}
