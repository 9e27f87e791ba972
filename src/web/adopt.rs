//! What to write into a stations file so that a device in quarantine is registered.

use std::collections::BTreeSet;

use crate::registry::Registry;

/// TOML for the device at `path`, which `live` has checked to be three plain levels.
pub(super) fn snippet(registry: &Registry, path: &str, head: &str) -> String {
    let mut levels = path.split('/');
    let (Some(district), Some(station), Some(device)) =
        (levels.next(), levels.next(), levels.next())
    else {
        return String::new();
    };
    let profile = profile(registry, device, head);
    let entry = format!("{{ id = \"{device}\", profile = \"{profile}\" }}");
    if registry.find_station(&format!("{district}/{station}")).is_some() {
        return format!(
            "# in the file of district {district}, to devices of the station \"{station}\"; check the profile\n{entry},\n"
        );
    }
    let station = format!(
        "[[stations]]\nid = \"{station}\"\nname = {{ en = \"{station}\", zh = \"{station}\" }}\ndevices = [ {entry} ]\n"
    );
    if registry.districts.iter().any(|known| known.id == district) {
        return format!("# to the file of district {district}; check name and profile\n{station}");
    }
    format!(
        "# a new file config/stations/{district}.toml; check names, time zone and profile\n[district]\nid = \"{district}\"\nname = {{ en = \"{district}\", zh = \"{district}\" }}\ntime_zone = \"Asia/Shanghai\"\n\n{station}"
    )
}

/// The registered profile whose name the device's id begins with (`fridge-9`), else the one whose
/// metrics its payload speaks of most, else the id without its number.
fn profile(registry: &Registry, device: &str, head: &str) -> String {
    let known: BTreeSet<_> = registry.reporting().map(|d| d.profile.id.as_str()).collect();
    let named = known.iter().filter(|id| device.starts_with(**id)).max_by_key(|id| id.len());
    if let Some(named) = named {
        return (*named).to_owned();
    }
    let speaks = |profile: &crate::device::Profile| {
        let metrics = profile.metrics.iter();
        metrics.filter(|metric| head.contains(&format!("\"{}\"", metric.symbol))).count()
    };
    let best = registry.reporting().map(|d| (speaks(&d.profile), d.profile.id.as_str())).max();
    match best {
        Some((1.., id)) => id.to_owned(),
        _ => device.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned(),
    }
}
