//! `{prefix}/{district}/{station}/{device}/{kind}`: who speaks, and of what.

use super::{Code, Contract, contract::LEVEL_MAX, show, token::Refusal};
use crate::{
    device::STATION,
    reading::Kind,
    registry::{Device, Registry},
};

/// What a topic says.
#[derive(Debug)]
pub(super) struct Address<'t, 'r> {
    /// `district/station/device`.
    pub(super) path: &'t str,
    /// The last level.
    pub(super) kind: &'t str,
    /// `None`: nobody registered it.
    pub(super) device: Option<&'r Device>,
}

/// What a device may publish, by the last level of its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matter {
    Readings(Kind),
    Birth,
    Status,
    /// The answer to a command.
    Reply,
    /// What we publish ourselves, come back through the broker.
    Downward,
}

/// Reads a topic. A path that is registered need not be checked level by level.
pub(super) fn read<'t, 'r>(
    topic: &'t [u8],
    contract: &Contract,
    registry: &'r Registry,
) -> Result<Address<'t, 'r>, Refusal> {
    split(topic, &contract.prefix)
        .and_then(|(path, kind)| {
            let device = registry.find(path);
            let holds = device.is_some() || is_path(path, '/');
            (holds && is_level(kind)).then_some(Address { path, kind, device })
        })
        .ok_or_else(|| refused(topic, contract))
}

/// The topic on which a device hears what was refused, if its own topic names a device.
pub fn rejected_topic(topic: &str, contract: &Contract) -> Option<String> {
    let (path, _) = split(topic.as_bytes(), &contract.prefix)?;
    is_path(path, '/').then(|| format!("{}/{path}/rejected", contract.prefix))
}

/// Whether a path is that of a station's derived device, registered or not.
pub(super) fn is_reserved(path: &str) -> bool {
    path.strip_suffix(STATION).is_some_and(|before| before.ends_with('/'))
}

/// Whether a message sent by `sender` may not speak for `path`: it is another device.
pub(super) fn is_anothers(sender: &[u8], path: &str) -> bool {
    if sender.is_empty() || sender == path.as_bytes() {
        return false;
    }
    let Ok(sender) = std::str::from_utf8(sender) else { return false };
    if is_path(sender, '/') {
        return true;
    }
    is_path(sender, '.') && sender.split('.').ne(path.split('/'))
}

pub(super) fn matter(kind: &str) -> Option<Matter> {
    match kind {
        "telemetry" => Some(Matter::Readings(Kind::Telemetry)),
        "event" => Some(Matter::Readings(Kind::Event)),
        "birth" => Some(Matter::Birth),
        "status" => Some(Matter::Status),
        "reply" => Some(Matter::Reply),
        "command" | "config" | "rejected" | "echo" => Some(Matter::Downward),
        _ => None,
    }
}

/// `district/station/device` and kind, unchecked.
fn split<'t>(topic: &'t [u8], prefix: &str) -> Option<(&'t str, &'t str)> {
    let topic = std::str::from_utf8(topic).ok()?;
    let rest =
        if prefix.is_empty() { topic } else { topic.strip_prefix(prefix)?.strip_prefix('/')? };
    rest.rsplit_once('/')
}

fn is_path(path: &str, separator: char) -> bool {
    let mut levels = path.split(separator);
    let three = levels.by_ref().take(3).filter(|level| is_level(level)).count();
    three == 3 && levels.next().is_none()
}

fn is_level(level: &str) -> bool {
    let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    (1..=LEVEL_MAX).contains(&level.len()) && level.bytes().all(allowed)
}

fn refused(topic: &[u8], contract: &Contract) -> Refusal {
    let expected = format!(
        "the topic {}/district/station/device/kind, each level 1 to {LEVEL_MAX} of a-z 0-9 _ -",
        contract.prefix
    );
    let found = show::cut(&show::head(topic));
    Refusal { code: Code::BadTopic, path: String::new(), found, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(topic: &str, expected: Option<(&str, &str)>) {
        let (contract, registry) = (Contract::default(), Registry::default());
        let read = read(topic.as_bytes(), &contract, &registry);
        assert_eq!(read.ok().map(|address| (address.path, address.kind)), expected, "{topic}");
    }

    #[test]
    fn a_topic_has_its_prefix_and_four_levels() {
        check("waystation/v1/d/s/x/telemetry", Some(("d/s/x", "telemetry")));
        check("waystation/v1/d-1/s_2/x3/event", Some(("d-1/s_2/x3", "event")));
        for wrong in [
            "",
            "/",
            "waystation/v1",
            "waystation/v1/",
            "waystation/v1/d/s/x",
            "waystation/v1/d/s/x/",
            "waystation/v1/d/s/x/y/telemetry",
            "waystation/v2/d/s/x/telemetry",
            "waystation/v1/d//x/telemetry",
            "waystation/v1/D/s/x/telemetry",
            "waystation/v1/d/s/普/telemetry",
            "waystation/v1/d/s/x y/telemetry",
            "waystation/v1x/d/s/x/telemetry",
            "/waystation/v1/d/s/x/telemetry",
        ] {
            check(wrong, None);
        }
        let long = "x".repeat(48);
        check(&format!("waystation/v1/d/s/{long}/event"), Some((&format!("d/s/{long}"), "event")));
        check(&format!("waystation/v1/d/s/{long}x/event"), None);
    }

    #[test]
    fn another_device_may_not_speak_for_this_one() {
        assert!(is_anothers(b"d/s/y", "d/s/x"));
        assert!(is_anothers(b"d.s.y", "d/s/x"));
        for own in ["d/s/x", "d.s.x", "", "gateway", "mqttx_12", "a.b", "a.b.c.d", "A/b/c"] {
            assert!(!is_anothers(own.as_bytes(), "d/s/x"), "{own}");
        }
    }

    #[test]
    fn what_was_refused_is_said_on_the_device_s_own_topic() {
        let contract = Contract::default();
        let said = rejected_topic("waystation/v1/d/s/x/telemetry", &contract);
        assert_eq!(said.as_deref(), Some("waystation/v1/d/s/x/rejected"));
        assert_eq!(rejected_topic("waystation/v1/d/s/#/telemetry", &contract), None);
    }
}
