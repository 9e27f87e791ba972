//! Which downward topics a client may subscribe to.
//!
//! A user name (or, without one, a client id) that is a device's path, `district/station/device` or
//! `district.station.device`, is that device: it may have its own downward topics and no others.
//! Any other name is a gateway or a person: it may have those of any device it can name; wildcards
//! stand for the last level at most, so nobody listens to all devices at once. `{prefix}/time` is
//! for everybody.

/// What goes down to a device.
const DOWNWARD: [&str; 4] = ["command", "config", "rejected", "echo"];
/// What time it is: `{prefix}/time`.
pub(in crate::ingest) const TIME: &str = "time";
const LEVEL_MAX: usize = 48;

/// A subscription to topics of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    /// `district/station/device`; empty for the time.
    pub device: String,
    pub leaf: Leaf,
}

impl Filter {
    pub(super) fn is_time(&self) -> bool {
        self.leaf == Leaf::One(TIME)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf {
    One(&'static str),
    All,
}

impl Leaf {
    pub(super) fn matches(self, leaf: &str) -> bool {
        match self {
            Self::One(one) => one == leaf,
            Self::All => true,
        }
    }
}

/// The device a name stands for, as `district/station/device`.
pub(super) fn path(name: &str) -> Option<String> {
    let separator = if name.contains('/') { '/' } else { '.' };
    let mut levels = name.split(separator);
    let path = [levels.next()?, levels.next()?, levels.next()?];
    let whole = levels.next().is_none() && path.iter().all(|level| is_level(level));
    whole.then(|| path.join("/"))
}

/// Reads `{prefix}/{district}/{station}/{device}/{leaf}`, the leaf a name, `+` or `#`; or
/// `{prefix}/time`.
pub(super) fn filter(topic: &str, prefix: &str) -> Option<Filter> {
    let rest = topic.strip_prefix(prefix)?.strip_prefix('/')?;
    if rest == TIME {
        return Some(Filter { device: String::new(), leaf: Leaf::One(TIME) });
    }
    let (device, leaf) = rest.rsplit_once('/')?;
    let leaf = match leaf {
        "+" | "#" => Leaf::All,
        name => Leaf::One(DOWNWARD.into_iter().find(|known| *known == name)?),
    };
    device.contains('/').then(|| path(device))?.map(|device| Filter { device, leaf })
}

fn is_level(level: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    (1..=LEVEL_MAX).contains(&level.len()) && level.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_device_when_it_has_three_levels() {
        for name in ["putuo/shuxinwan/fridge-1", "putuo.shuxinwan.fridge-1"] {
            assert_eq!(path(name).as_deref(), Some("putuo/shuxinwan/fridge-1"));
        }
        for name in ["", "gateway", "a/b", "a/b/c/d", "a.b/c.d", "A/b/c", "a//c", "a/+/c", "a/b/#"]
        {
            assert_eq!(path(name), None, "{name}");
        }
    }

    #[test]
    fn a_filter_names_one_device_and_only_what_goes_down() {
        let read = |topic| filter(topic, "waystation/v1");
        let device = || "p/s/x".to_owned();
        for (topic, leaf) in [
            ("waystation/v1/p/s/x/command", Leaf::One("command")),
            ("waystation/v1/p/s/x/rejected", Leaf::One("rejected")),
            ("waystation/v1/p/s/x/echo", Leaf::One("echo")),
            ("waystation/v1/p/s/x/+", Leaf::All),
            ("waystation/v1/p/s/x/#", Leaf::All),
        ] {
            assert_eq!(read(topic), Some(Filter { device: device(), leaf }), "{topic}");
        }
        assert!(read("waystation/v1/time").is_some_and(|filter| filter.is_time()));
        for topic in [
            "#",
            "waystation/v1/#",
            "waystation/v1/p/s/+/command",
            "waystation/v1/+/+/+/rejected",
            "waystation/v1/p/s/x/telemetry",
            "waystation/v1/p/s/x/time",
            "waystation/v1/p.s.x/command",
            "waystation/v1/p/s/x",
            "waystation/v2/p/s/x/command",
            "waystation/v1x/p/s/x/command",
            "$SYS/#",
        ] {
            assert_eq!(read(topic), None, "{topic}");
        }
    }
}
