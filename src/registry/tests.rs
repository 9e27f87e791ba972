use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::{
    device::{self, Catalog},
    rule::{Condition, Severity},
};

const DISTRICT: &str =
    "[district]\nid = \"d\"\nname = { en = \"D\", zh = \"区\" }\ntime_zone = \"Asia/Shanghai\"\n";

fn catalog() -> Catalog {
    device::load(None).unwrap()
}

fn station(id: &str, more: &str) -> String {
    format!("[[stations]]\nid = \"{id}\"\nname = {{ en = \"S\", zh = \"站\" }}\n{more}\n")
}

fn read(stations: &str) -> Result<Registry, Vec<String>> {
    Registry::from_toml(&format!("{DISTRICT}{stations}"), &catalog())
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn limit_of(registry: &Registry, path: &str, rule: &str) -> Option<f64> {
    let device = registry.find(path).unwrap();
    let rule = device.rules.iter().find(|known| known.id.as_str() == rule)?;
    match rule.when {
        Condition::Above { limit, .. } => Some(limit),
        _ => None,
    }
}

#[test]
fn the_format_of_the_manual_is_read() {
    let registry = read(&station(
        "shuxinwan",
        "position = [31.268, 121.392]\ncapacity = 40\nopens = \"24h\"\n\
         devices = [ { id = \"fridge-1\", profile = \"fridge\" }, { id = \"aed-1\", profile = \"aed\" } ]",
    ))
    .unwrap();
    let device = registry.find("d/shuxinwan/aed-1").unwrap();
    assert_eq!((device.id(), device.profile.id.as_str()), ("aed-1", "aed"));
    let station = registry.station_of(device).unwrap();
    assert_eq!((station.capacity, station.devices.len()), (Some(40), 3));
    assert_eq!(registry.find_station("d/shuxinwan").unwrap().id, "shuxinwan");
    assert_eq!(registry.district_of(station).unwrap().time_zone_name, "Asia/Shanghai");
}

#[test]
fn inner_overrides_win_over_outer_ones() {
    let fridges = "devices = [ { id = \"f\", profile = \"fridge\" }, \
                   { id = \"g\", profile = \"fridge\", rules = { too_warm = { limit = 11 } } } ]";
    let rules = "[rules.fridge.too_warm]\nlimit = 9\nseverity = \"critical\"\n";
    let own = format!("rules = {{ fridge = {{ too_warm = {{ limit = 10 }} }} }}\n{fridges}");
    let registry =
        read(&format!("{rules}{}{}", station("a", fridges), station("b", &own))).unwrap();
    for (path, limit) in [("d/a/f", 9.0), ("d/b/f", 10.0), ("d/a/g", 11.0), ("d/b/g", 11.0)] {
        assert_eq!(limit_of(&registry, path, "too_warm"), Some(limit), "{path}");
        let rule = &registry.find(path).unwrap().rules[0];
        assert_eq!(rule.severity, Severity::Critical, "{path}");
    }
    // The same rules are the same list.
    let rules = |path| Arc::clone(&registry.find(path).unwrap().rules);
    assert!(Arc::ptr_eq(&rules("d/a/g"), &rules("d/b/g")));
    assert!(!Arc::ptr_eq(&rules("d/a/f"), &rules("d/b/f")));
}

#[test]
fn a_rule_can_be_switched_off() {
    let more = "devices = [ { id = \"f\", profile = \"fridge\", rules = { silent = { enabled = false } } } ]";
    let registry = read(&station("a", more)).unwrap();
    let device = registry.find("d/a/f").unwrap();
    assert_eq!(device.rules.len() + 1, device.profile.rules.len());
    assert!(device.rules.iter().all(|rule| rule.id.as_str() != "silent"));
}

#[test]
fn capacity_and_hours_of_the_station_shape_its_rules() {
    let devices =
        "devices = [ { id = \"p\", profile = \"people\" }, { id = \"x\", profile = \"door\" } ]";
    let registry = read(&format!(
        "{}{}",
        station("a", &format!("capacity = 40\nopens = \"24h\"\n{devices}")),
        station("b", &format!("opens = \"08:00-22:00\"\n{devices}")),
    ))
    .unwrap();
    assert_eq!(limit_of(&registry, "d/a/station", "over_capacity"), Some(40.0));
    assert_eq!(limit_of(&registry, "d/a/station", "crowded"), Some(48.0));
    let has = |path, rule| registry.find(path).unwrap().rules.iter().any(|r| r.id.as_str() == rule);
    assert!(!has("d/b/station", "over_capacity") && has("d/b/station", "drift"));
    assert!(has("d/a/x", "shut") && has("d/b/x", "shut") && has("d/b/x", "tamper"));
}

#[test]
fn every_mistake_is_named() {
    let device = |more: &str| station("a", &format!("devices = [ {{ id = \"f\", {more} }} ]"));
    let fridge_rule = |rule: &str| device(&format!("profile = \"fridge\", rules = {{ {rule} }}"));
    for (toml, expected) in [
        (
            device("profile = \"frige\""),
            "stations[0].devices[0].profile: there is no profile \"frige\" (did you mean \"fridge\"?)",
        ),
        (
            device("profle = \"fridge\""),
            "8: stations[0].devices[0].profle: unknown key \"profle\" (did you mean \"profile\"?)",
        ),
        (
            fridge_rule("to_warm = {}"),
            "rules.to_warm: profile \"fridge\" has no rule \"to_warm\" (did you mean \"too_warm\"?)",
        ),
        (fridge_rule("too_warm = { low = 1 }"), "rules.too_warm: this rule has no low to change"),
        (
            fridge_rule("too_warm = { limt = 1 }"),
            "rules.too_warm.limt: unknown key \"limt\" (did you mean \"limit\"?)",
        ),
        (station("A b", ""), "stations[0].id: \"A b\" is no id"),
        (
            station("a", "position = [121.4, 31.2]"),
            "stations[0].position: [121.4, 31.2] is nowhere on earth",
        ),
        (
            station("a", "closed = [\"1 October\"]"),
            "stations[0].closed: \"1 October\" is no day (write \"2026-10-01\" or",
        ),
        (station("a", "opens = \"8-22\""), "stations[0].opens: \"8-22\" is not like"),
        (
            format!("{}{}", station("a", ""), station("a", "")),
            "stations[1].id: station d/a is there twice",
        ),
        (
            station(
                "a",
                "devices = [ { id = \"f\", profile = \"door\" }, { id = \"f\", profile = \"door\" } ]",
            ),
            "devices[1].id: device d/a/f is there twice",
        ),
        (
            station("a", "devices = [ { id = \"station\", profile = \"door\" } ]"),
            "devices[0].id: \"station\" is the device that stands for the station itself (leave",
        ),
        (
            device("profile = \"station\""),
            "devices[0].profile: \"station\" is the device that stands for the station itself",
        ),
        (
            "[rules.fridg.too_warm]\nlimit = 1\n".to_owned(),
            "rules.fridg: there is no profile \"fridg\"",
        ),
        ("[[station]]\n".to_owned(), "station: unknown key"),
        (
            station("a", "capacity = -3"),
            "capacity: expected a whole number, not negative, found integer `-3`",
        ),
        (station("a", "name = 1"), "duplicate key"),
    ] {
        let found = read(&toml).map(drop).unwrap_err();
        assert!(found.len() == 1 && found[0].contains(expected), "{expected}\nnot\n{found:#?}");
    }
}

#[test]
fn mistakes_in_several_stations_come_together() {
    let found = read(&format!(
        "{}{}{}",
        station("a", "devices = [ { id = \"f\" }, { id = \"g\", profile = 3 } ]"),
        station("b", "capacity = \"many\""),
        station("c", "opnes = \"24h\""),
    ));
    assert_eq!(found.map(drop).unwrap_err().len(), 4);
}

#[test]
fn dates_of_a_device_begin_at_local_midnight() {
    let devices = "devices = [ { id = \"p\", profile = \"aed\", dates = { pads = \"2027-05-01\" } }, \
                   { id = \"q\", profile = \"aed\" }, { id = \"r\", profile = \"door\" } ]";
    let registry = read(&station("a", devices)).unwrap();
    let dates = |path| Arc::clone(&registry.find(path).unwrap().dates);
    let midnight: jiff::Timestamp = "2027-04-30T16:00:00Z".parse().unwrap();
    let pads = (Symbol::intern("date.pads").unwrap(), Timestamp(midnight.as_millisecond()));
    assert_eq!(&dates("d/a/p")[..], [pads]);
    assert!(dates("d/a/q").is_empty() && Arc::ptr_eq(&dates("d/a/q"), &dates("d/a/r")));
}

/// A cabinet whose rules differ when what it holds is frozen, and a kit without electronics.
fn catalog_of_things() -> Catalog {
    let rule = |id: &str, more: &str| {
        format!(
            "[[rules]]\nid = \"{id}\"\nseverity = \"minor\"\n{more}\nsays = {{ en = \"s\", zh = \"s\" }}\ndo = {{ en = \"d\", zh = \"d\" }}\n"
        )
    };
    let above =
        |limit: &str| format!("when = {{ above = {{ metric = \"temp_c\", limit = {limit} }} }}");
    let cabinet = format!(
        "id = \"cabinet\"\nname = {{ en = \"C\", zh = \"柜\" }}\nfacility = \"f\"\nreports_every = \"60s\"\n[metrics.temp_c]\n{}{}",
        rule("warm", &format!("needs = \"chilled\"\n{}", above("8"))),
        rule("thawing", &format!("needs = \"frozen\"\n{}", above("-15"))),
    );
    let kit = format!(
        "id = \"kit\"\nname = {{ en = \"K\", zh = \"箱\" }}\nfacility = \"f\"\nby_hand = true\n{}",
        rule("expires", "when = { expires_within = { date = \"contents\", within = \"30d\" } }"),
    );
    let parse = |text: &str| device::parse(std::path::Path::new("p.toml"), text).unwrap();
    Catalog::from_profiles([parse(&cabinet), parse(&kit)])
}

#[test]
fn an_entry_says_what_is_frozen_and_what_has_no_electronics_is_never_silent() {
    let entry = |id: &str, more: &str| format!("{{ id = \"{id}\", {more} }}");
    let devices = [
        entry("chilled", "profile = \"cabinet\""),
        entry("frozen", "profile = \"cabinet\", frozen = true"),
        entry("kit", "profile = \"kit\", dates = { contents = \"2027-01-31\" }"),
    ];
    let more = format!("devices = [ {} ]", devices.join(", "));
    let text = format!("{DISTRICT}{}", station("a", &more));
    let registry = Registry::from_toml(&text, &catalog_of_things()).unwrap();
    let rules = |path| -> Vec<_> {
        registry.find(path).unwrap().rules.iter().map(|rule| rule.id.as_str()).collect()
    };
    assert_eq!(rules("d/a/chilled")[..2], ["warm", "silent"]);
    assert_eq!(rules("d/a/frozen")[..2], ["thawing", "silent"]);
    assert_eq!(rules("d/a/kit"), ["expires"], "nor has it any other rule of what reports");
    for (entry, expected) in [
        (
            "profile = \"kit\", frozen = true",
            "frozen: profile \"kit\" has no rules for what is frozen",
        ),
        ("profile = \"kit\", reports_every = \"1h\"", "reports_every: profile \"kit\" is by_hand"),
        (
            "profile = \"kit\", dates = { content = \"2027-01-31\" }",
            "dates.content: no rule of profile \"kit\" asks for this date (did you mean \"contents\"?)",
        ),
        (
            "profile = \"kit\", dates = { contents = \"31.1.2027\" }",
            "dates.contents: \"31.1.2027\" is no day (write it as \"2027-05-01\")",
        ),
        (
            "profile = \"kit\", dates = { contents = 2027-01-31 }",
            "dates.contents: expected a text in quotes",
        ),
        (
            "profile = \"kit\", dates = { Best = \"2027-01-31\" }",
            "dates.Best: \"Best\" is no name of a date",
        ),
    ] {
        let more = format!("devices = [ {{ id = \"x\", {entry} }} ]");
        let text = format!("{DISTRICT}{}", station("a", &more));
        let found = Registry::from_toml(&text, &catalog_of_things()).map(drop).unwrap_err();
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert!(found.len() == 1 && found[0].contains(expected), "{expected}\nnot\n{found:#?}");
    }
}

#[test]
fn holidays_are_the_districts_and_the_stations_own() {
    let district = format!("{DISTRICT}closed = [\"2026-10-01\"]\n");
    let own = "closed = [\"2026-10-02..2026-10-03\"]\nopens = \"08:00-22:00\"\nmoves = true";
    let text = format!("{district}{}{}", station("a", own), station("b", ""));
    let registry = Registry::from_toml(&text, &catalog()).unwrap();
    let open = |path: &str, at: &str| {
        let at: jiff::Timestamp = at.parse().unwrap();
        registry.open_at(registry.find_station(path).unwrap(), Timestamp(at.as_millisecond()))
    };
    for (station, at, expected) in [
        ("d/a", "2026-09-30T12:00:00+08:00", true),
        ("d/a", "2026-10-01T12:00:00+08:00", false),
        ("d/a", "2026-10-03T12:00:00+08:00", false),
        ("d/a", "2026-10-04T07:59:59+08:00", false),
        ("d/a", "2026-10-04T08:00:00+08:00", true),
        ("d/b", "2026-10-01T00:00:00+08:00", false),
        ("d/b", "2026-10-02T00:00:00+08:00", true),
    ] {
        assert_eq!(open(station, at), expected, "{station} {at}");
    }
    assert!(registry.find_station("d/a").unwrap().moves);
    let change = registry.next_change(registry.find_station("d/b").unwrap(), Timestamp(0));
    assert_eq!(
        change,
        "2026-09-30T16:00:00Z"
            .parse::<jiff::Timestamp>()
            .ok()
            .map(|at| Timestamp(at.as_millisecond()))
    );
}

#[test]
fn every_station_has_a_device_of_its_own_last() {
    let rules = "rules = { station = { drift = { limit = 25 } } }\n\
                 devices = [ { id = \"f\", profile = \"fridge\" } ]";
    let registry = read(&format!("{}{}", station("a", rules), station("b", ""))).unwrap();
    for (path, things) in [("d/a", 1), ("d/b", 0)] {
        let station = registry.find_station(path).unwrap();
        let own = registry.derived_of(station).unwrap();
        assert_eq!(&*own.path, format!("{path}/station"));
        assert_eq!(station.devices.last(), Some(&own.slot));
        assert_eq!(station.devices.len(), things + 1, "{path}");
    }
    assert_eq!(registry.reporting().count(), 1);
    assert_eq!(limit_of(&registry, "d/a/station", "drift"), Some(25.0));
}

fn of(names: &[u8], previous: Option<&Registry>, catalog: &Catalog) -> Registry {
    let mut names: Vec<_> = names.to_vec();
    names.sort_unstable();
    names.dedup();
    names.reverse();
    let devices: Vec<_> =
        names.iter().map(|n| format!("{{ id = \"f{n}\", profile = \"door\" }}")).collect();
    let text = format!("{DISTRICT}{}", station("a", &format!("devices = [{}]", devices.join(","))));
    Registry::from_toml_after(&text, catalog, previous).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is added, removed and added again: a slot belongs to one path for ever.
    #[test]
    fn a_reload_keeps_every_slot(steps in prop::collection::vec(prop::collection::vec(0u8..12, 0..8), 1..6)) {
        let catalog = catalog();
        let mut registry = Registry::default();
        let mut owner: HashMap<Slot, String> = HashMap::new();
        for names in steps {
            registry = of(&names, Some(&registry), &catalog);
            for name in 0..12u8 {
                let path = format!("d/a/f{name}");
                let found = registry.find(&path);
                prop_assert_eq!(found.is_some(), names.contains(&name));
                if let Some(device) = found {
                    let known = owner.entry(device.slot).or_insert_with(|| path.clone());
                    prop_assert_eq!(&*known, &path);
                }
            }
            let slots: std::collections::HashSet<_> = owner.values().collect();
            prop_assert_eq!(slots.len(), owner.len());
            // One more is the station's own.
            prop_assert_eq!(registry.slots(), owner.len() + 1);
        }
    }
}
