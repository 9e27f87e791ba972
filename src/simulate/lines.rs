//! Which devices share a connection: none where there is room, else those of a station, as behind
//! its gateway, else those of many.

use std::collections::HashSet;

use crate::registry::Registry;

/// How devices are put on connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    OneEach,
    OneAStation,
    Shared(u64),
}

impl Lines {
    /// The most natural way that needs `most` connections at most.
    pub(super) fn fitting(registry: &Registry, most: usize) -> Self {
        let devices = registry.reporting().count();
        let stations: HashSet<_> = registry.reporting().map(|device| device.station).collect();
        match most {
            most if devices <= most => Self::OneEach,
            most if stations.len() <= most => Self::OneAStation,
            most => Self::Shared(u64::try_from(most).unwrap_or(u64::MAX).max(1)),
        }
    }

    /// The MQTT client id of the connection that `path`, `district/station/device`, is on.
    ///
    /// With three levels it is the device itself and may speak for no other; the daemon holds it to
    /// that.
    pub(super) fn client(self, path: &str) -> String {
        let station = path.rsplit_once('/').map_or(path, |(station, _)| station);
        match self {
            Self::OneEach => path.replace('/', "."),
            Self::OneAStation => station.replace('/', "."),
            Self::Shared(most) => format!("simulated-{}", super::town::hash(station) % most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Profile;

    #[test]
    fn devices_share_connections_only_where_there_are_too_many() {
        let profile = std::sync::Arc::new(Profile::sample("x", &[]).unwrap());
        let paths = ["p/a/x-1", "p/a/x-2", "p/b/x-1", "p/b/x-2", "p/c/x-1"];
        let registry = Registry::sample(paths.map(|path| (path, &profile)));
        for (most, lines, clients) in [
            (5, Lines::OneEach, 5),
            (4, Lines::OneAStation, 3),
            (3, Lines::OneAStation, 3),
            (1, Lines::Shared(1), 1),
            (0, Lines::Shared(1), 1),
        ] {
            assert_eq!(Lines::fitting(&registry, most), lines, "{most}");
            let named: HashSet<_> = paths.iter().map(|path| lines.client(path)).collect();
            assert_eq!(named.len(), clients, "{most}: {named:?}");
        }
        assert_eq!(Lines::OneEach.client("p/a/x-1"), "p.a.x-1");
        assert_eq!(Lines::OneAStation.client("p/a/x-1"), "p.a");
    }
}
