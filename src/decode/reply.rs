//! Telling a device what was refused: what is said, and how often.

use std::collections::HashMap;

use serde::Serialize;

use super::{Code, Rejection};
use crate::{reading::Timestamp, rule::Text};

/// The body of the `rejected` topic.
pub fn rejected_reply(rejection: &Rejection) -> Vec<u8> {
    #[derive(Serialize)]
    struct Reply<'r> {
        code: Code,
        path: &'r str,
        found: &'r str,
        expected: &'r str,
        says: String,
        cure: Text,
    }
    let Rejection { code, path, found, expected, .. } = rejection;
    let (says, cure) = (rejection.says(), code.cure());
    // It fails only where a map has keys that are not text, and there is no map.
    serde_json::to_vec(&Reply { code: *code, path, found, expected, says, cure })
        .unwrap_or_default()
}

/// A device is told of one refusal in so many milliseconds …
pub(crate) const EACH_MS: i64 = 1000;
/// … and of so many at once.
pub(crate) const BURST: i64 = 5;
const DEVICES_MAX: usize = 10_000;

/// Lets one reply a second through to a device, five at once. Bounded: beyond 10 000 devices that
/// are being told something, others wait.
#[derive(Debug, Default)]
pub struct ReplyLimit {
    /// By `rejected` topic: when it may have all five again.
    until: HashMap<String, Timestamp, foldhash::fast::RandomState>,
}

impl ReplyLimit {
    /// Whether a reply may be sent on `topic` now; counts it if so.
    pub fn admits(&mut self, topic: &str, now: Timestamp) -> bool {
        if let Some(until) = self.until.get_mut(topic) {
            let full = now.plus_millis(EACH_MS * BURST);
            // A clock that went back must not silence a device for as long as it went back.
            *until = (*until).clamp(now, full);
            let next = until.plus_millis(EACH_MS);
            let admitted = next <= full;
            *until = if admitted { next } else { *until };
            return admitted;
        }
        if self.until.len() >= DEVICES_MAX {
            self.until.retain(|_, until| *until > now);
        }
        if self.until.len() >= DEVICES_MAX {
            return false;
        }
        self.until.insert(topic.to_owned(), now.plus_millis(EACH_MS));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::MessageId;

    /// Asks at each of these seconds; `+` admitted, `-` not.
    #[track_caller]
    fn check(seconds: &[i64], expected: &str) {
        let mut limit = ReplyLimit::default();
        let ask = |second: &i64| limit.admits("d/s/x/rejected", Timestamp(second * 1000));
        let said: String = seconds.iter().map(ask).map(|yes| if yes { '+' } else { '-' }).collect();
        assert_eq!(said, expected, "{seconds:?}");
    }

    #[test]
    fn five_at_once_then_one_a_second() {
        check(&[0, 0, 0, 0, 0, 0, 0], "+++++--");
        check(&[0, 0, 0, 0, 0, 1, 1, 2, 9, 9, 9, 9, 9, 9], "++++++-++++++-");
        check(&[5000, 5000, 5000, 5000, 5000, 0, 1, 2], "+++++-++");
    }

    #[test]
    fn no_more_devices_are_remembered_than_the_limit() {
        let mut limit = ReplyLimit::default();
        for device in 0..DEVICES_MAX + 5 {
            let admitted = limit.admits(&device.to_string(), Timestamp(0));
            assert_eq!(admitted, device < DEVICES_MAX);
        }
        assert!(limit.admits("another", Timestamp(1000)));
        assert_eq!(limit.until.len(), 1);
    }

    #[test]
    fn a_reply_says_what_to_mend() {
        let rejection = Rejection {
            code: Code::WrongType,
            message: MessageId { group: 1, index: 0 },
            received: Timestamp(0),
            device: None,
            topic: String::new(),
            path: "/temp_c".to_owned(),
            found: "\"warm\"".to_owned(),
            expected: "a number".to_owned(),
            size: 0,
            head: String::new(),
        };
        let reply: serde_json::Value = serde_json::from_slice(&rejected_reply(&rejection)).unwrap();
        assert_eq!(reply["says"], "temp_c: expected a number, found \"warm\"");
        assert_eq!(reply["code"], "wrong_type");
        assert!(reply["cure"]["zh"].as_str().is_some_and(|zh| !zh.is_empty()));
    }
}
