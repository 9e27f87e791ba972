//! Devices nobody registered: shown so that someone adopts them, never stored.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::{decode::Rejection, reading::Timestamp, registry::Registry};

const LIMIT: usize = 1000;

/// A device that publishes and is in no file of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// `district/station/device`, from its topic.
    pub path: String,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub messages: u64,
    /// The beginning of its last payload, without texts and long numbers.
    pub head: String,
}

#[derive(Debug, Default)]
pub(super) struct Quarantine {
    by_path: HashMap<String, Unknown, FixedState>,
}

impl Quarantine {
    pub(super) fn heard(&mut self, rejection: &Rejection) {
        let Some(path) = device_path(&rejection.topic) else { return };
        self.make_room(path);
        let known = self.by_path.entry(path.to_owned()).or_insert_with(|| Unknown {
            path: path.to_owned(),
            first_seen: rejection.received,
            last_seen: rejection.received,
            messages: 0,
            head: String::new(),
        });
        known.messages += 1;
        known.last_seen = rejection.received;
        known.head = shown(&rejection.head);
    }

    /// Those that are still unknown, the one heard last first.
    pub(super) fn list(&self, registry: &Registry) -> Vec<Unknown> {
        let unknown = self.by_path.values().filter(|device| registry.find(&device.path).is_none());
        let mut list: Vec<_> = unknown.cloned().collect();
        list.sort_by(|a, b| b.last_seen.cmp(&a.last_seen).then_with(|| a.path.cmp(&b.path)));
        list
    }

    /// When full, the tenth that has been quiet for longest goes.
    fn make_room(&mut self, path: &str) {
        if self.by_path.len() < LIMIT || self.by_path.contains_key(path) {
            return;
        }
        let mut times: Vec<_> = self.by_path.values().map(|device| device.last_seen).collect();
        let (_, tenth, _) = times.select_nth_unstable(LIMIT / 10);
        let tenth = *tenth;
        self.by_path.retain(|_, device| device.last_seen > tenth);
    }
}

/// `district/station/device` out of `…/district/station/device/kind`.
fn device_path(topic: &str) -> Option<&str> {
    let (device, _kind) = topic.rsplit_once('/')?;
    let start = device.rmatch_indices('/').nth(2).map_or(0, |(at, _)| at + 1);
    let path = device.get(start..)?;
    (path.split('/').count() == 3 && path.split('/').all(is_level)).then_some(path)
}

fn is_level(level: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    (1..=48).contains(&level.len()) && level.bytes().all(plain)
}

/// A payload's head as strangers may see it: keys and small numbers stay, texts and numbers of
/// eight digits and more (a card, a phone) do not.
pub fn shown(head: &str) -> String {
    let mut out = String::with_capacity(head.len());
    let mut rest = head;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => quoted(rest),
            '0'..='9' => rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let key = after.trim_start().starts_with(':');
        match first {
            '"' if !key => out.push_str("\"…\""),
            '0'..='9' if length >= 8 => out.push('…'),
            _ => out.push_str(token),
        }
        rest = after;
    }
    out
}

/// Length of the quoted text at the start of `text`, or of all of it where the quote never ends.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        decode::Code,
        reading::{MessageId, Timestamp},
    };

    fn unknown(path: &str, at: i64) -> Rejection {
        Rejection {
            code: Code::UnknownDevice,
            message: MessageId { group: 1, index: 0 },
            received: Timestamp(at),
            device: None,
            topic: format!("waystation/v1/{path}/telemetry"),
            path: String::new(),
            found: path.to_owned(),
            expected: "a registered device".into(),
            size: 2,
            head: "{}".into(),
        }
    }

    #[test]
    fn texts_and_long_numbers_are_not_shown() {
        for (head, expected) in [
            (r#"{"temp_c":4.1,"on":true}"#, r#"{"temp_c":4.1,"on":true}"#),
            (r#"{"name":"Wang \"Li\"","n":1}"#, r#"{"name":"…","n":1}"#),
            (r#"{"phone": 13812345678}"#, r#"{"phone": …}"#),
            (r#"{"cut":"off he"#, r#"{"cut":"…""#),
            ("plain words 冰箱", "plain words 冰箱"),
        ] {
            assert_eq!(shown(head), expected);
        }
    }

    proptest! {
        #[test]
        fn whatever_came_can_be_shown(head in ".*") {
            let digits = |text: &str| text.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
            let masked = shown(&head);
            prop_assert_eq!(shown(&masked), masked);
            prop_assert!(!head.contains('"') && digits(&shown(&head)) < Some(8) || head.contains('"'));
        }
    }

    #[test]
    fn the_path_is_read_from_the_end_of_the_topic() {
        for (topic, path) in [
            ("waystation/v1/putuo/s1/fridge-9/telemetry", Some("putuo/s1/fridge-9")),
            ("d/s/x/birth", Some("d/s/x")),
            ("s/x/birth", None),
            ("waystation/v1/d/s/X\"/birth", None),
        ] {
            assert_eq!(device_path(topic), path, "{topic}");
        }
    }

    #[test]
    fn a_flood_of_strangers_is_bounded_and_those_still_talking_stay() {
        let mut quarantine = Quarantine::default();
        for at in 0..5000 {
            quarantine.heard(&unknown(&format!("d/s/x{at}"), at));
            quarantine.heard(&unknown("d/s/real", at));
            assert!(quarantine.by_path.len() <= LIMIT);
        }
        let list = quarantine.list(&Registry::default());
        assert!(list.iter().any(|device| device.path == "d/s/real" && device.messages == 5000));
        assert_eq!(list[0].last_seen, Timestamp(4999));
    }
}
