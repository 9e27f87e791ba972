//! The newest rejections: a ring of all, and a few of every device that had one lately.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use foldhash::fast::FixedState;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    decode::{Code, Rejection},
    reading::{Slot, Timestamp},
    registry::Registry,
    rule::Text,
};

use super::quarantine::shown;

const OF_ALL: usize = 1000;
const OF_A_DEVICE: usize = 5;
const DEVICES: usize = 2000;

/// What was refused and why, without any text that could name a person.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Rejection)]
pub struct Refused {
    /// A stable word that programs may rely on.
    #[schema(value_type = String, example = "wrong_type")]
    pub code: Code,
    /// When it was received, ms since 1970.
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// `district/station/device`, if it is a registered one.
    #[schema(value_type = Option<String>)]
    pub device: Option<Box<str>>,
    pub topic: String,
    /// JSON pointer to what was refused; empty for the whole message.
    #[schema(example = "/readings/0/temp_c")]
    pub path: String,
    pub found: String,
    pub expected: String,
    /// All of it in one line.
    pub says: String,
    /// What to do about it.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    pub cure: Text,
    /// Size of the payload in bytes.
    pub size: u64,
    /// The beginning of the payload; texts and long numbers are masked.
    pub head: String,
}

impl Refused {
    pub(super) fn new(registry: &Registry, rejection: &Rejection) -> Self {
        let device = rejection.device.and_then(|slot| registry.device(slot));
        let personal = rejection.code == Code::Personal;
        let open = |text: &str| if personal { String::new() } else { text.to_owned() };
        let says = if personal {
            let found = String::new();
            Rejection { found, ..rejection.clone() }.says()
        } else {
            rejection.says()
        };
        Self {
            code: rejection.code,
            at: rejection.received,
            device: device.map(|device| device.path.clone()),
            topic: rejection.topic.clone(),
            path: rejection.path.clone(),
            found: open(&rejection.found),
            expected: rejection.expected.clone(),
            says,
            cure: rejection.code.cure(),
            size: rejection.size,
            head: if personal { String::new() } else { shown(&rejection.head) },
        }
    }
}

/// Bounded: [`OF_ALL`] overall, [`OF_A_DEVICE`] of each of [`DEVICES`].
#[derive(Debug, Default)]
pub(super) struct Kept {
    all: VecDeque<Arc<Refused>>,
    by_device: HashMap<Slot, VecDeque<Arc<Refused>>, FixedState>,
}

impl Kept {
    pub(super) fn keep(&mut self, registry: &Registry, rejection: &Rejection) {
        let refused = Arc::new(Refused::new(registry, rejection));
        if let Some(device) = rejection.device {
            self.make_room(device);
            push(self.by_device.entry(device).or_default(), &refused, OF_A_DEVICE);
        }
        push(&mut self.all, &refused, OF_ALL);
    }

    pub(super) fn newest(&self, device: Option<Slot>, limit: usize) -> Vec<Arc<Refused>> {
        let kept = match device {
            Some(device) => self.by_device.get(&device),
            None => Some(&self.all),
        };
        kept.into_iter().flatten().rev().take(limit).cloned().collect()
    }

    /// When full, the half that has been quiet for longest goes: cheap on average.
    fn make_room(&mut self, device: Slot) {
        if self.by_device.len() < DEVICES || self.by_device.contains_key(&device) {
            return;
        }
        let newest = |kept: &VecDeque<Arc<Refused>>| kept.back().map(|refused| refused.at);
        let mut times: Vec<_> = self.by_device.values().map(newest).collect();
        let (_, middle, _) = times.select_nth_unstable(DEVICES / 2);
        let middle = *middle;
        self.by_device.retain(|_, kept| newest(kept) > middle);
    }
}

fn push(kept: &mut VecDeque<Arc<Refused>>, refused: &Arc<Refused>, limit: usize) {
    if kept.len() >= limit {
        kept.pop_front();
    }
    kept.push_back(Arc::clone(refused));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::MessageId;

    pub(crate) fn rejection(device: Option<u32>, at: i64) -> Rejection {
        Rejection {
            code: Code::WrongType,
            message: MessageId { group: 1, index: 0 },
            received: Timestamp(at),
            device: device.map(Slot),
            topic: "waystation/v1/d/s/x/telemetry".into(),
            path: "/temp_c".into(),
            found: "\"warm\"".into(),
            expected: "a number".into(),
            size: 17,
            head: r#"{"temp_c":"warm"}"#.into(),
        }
    }

    #[test]
    fn a_flood_keeps_the_newest_and_no_more_than_the_limit() {
        let registry = Registry::default();
        let mut kept = Kept::default();
        for at in 0..10_000 {
            let device = u32::try_from(at % 5000).unwrap();
            kept.keep(&registry, &rejection(Some(device), at));
            assert!(kept.all.len() <= OF_ALL && kept.by_device.len() <= DEVICES);
        }
        assert_eq!(kept.newest(None, 2000).len(), OF_ALL);
        assert_eq!(kept.newest(Some(Slot(4999)), 10)[0].at, Timestamp(9999));
        assert_eq!(kept.newest(Some(Slot(1)), 10), []);
    }

    #[test]
    fn one_device_keeps_a_few_newest_first() {
        let registry = Registry::default();
        let mut kept = Kept::default();
        for at in 0..20 {
            kept.keep(&registry, &rejection(Some(1), at));
        }
        let times: Vec<_> = kept.newest(Some(Slot(1)), 10).iter().map(|r| r.at.0).collect();
        assert_eq!(times, [19, 18, 17, 16, 15]);
        assert_eq!(kept.newest(None, 1)[0].at, Timestamp(19));
    }

    #[test]
    fn a_refused_credential_is_not_shown_again() {
        let rejection = Rejection {
            code: Code::Personal,
            found: "13812345678".into(),
            expected: "no personal data".into(),
            ..rejection(Some(1), 0)
        };
        let refused = Refused::new(&Registry::default(), &rejection);
        assert!(!format!("{refused:?}").contains("138"), "{refused:?}");
        assert!(refused.head.is_empty());
    }
}
