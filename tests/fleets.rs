//! The fleets of `config/stations`: what their operators published is there, and nobody is named.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that cannot go on fails its test")]

use std::{collections::BTreeSet, path::Path};

use waystation::{
    check::{self, Loaded},
    registry::{Opens, Registry, Station},
};

/// What was published of a station, and the device or consumable by which we know that it is there.
const PUBLISHED: &[(&str, &[(&str, &str)])] = &[
    (
        "putuo/changyouai",
        &[
            ("hot and cold drinking water", "water"),
            ("free charging", "phone_charger"),
            ("first-aid medicine", "first_aid_kit"),
            ("meals", "microwave"),
            ("rest", "people"),
            ("reading", "books"),
        ],
    ),
    (
        "putuo/pugongying",
        &[
            ("microwave", "microwave"),
            ("power banks", "power_banks"),
            ("drinking water", "water"),
            ("悦心亭, a smart terminal in a booth", "terminal"),
            ("toilet", "toilet"),
        ],
    ),
    (
        "putuo/shuxinwan",
        &[
            ("500 couriers and riders a day", "people"),
            ("air conditioner", "air_conditioner"),
            ("fridge", "fridge"),
            ("microwave", "microwave"),
            ("public power banks", "power_banks"),
            ("medical kit", "first_aid_kit"),
            ("newspapers and books", "books"),
            ("water dispenser", "water"),
            ("phone charging", "phone_charger"),
            ("toilet", "toilet"),
            ("Wi-Fi", "gateway"),
            ("sewing kit", "sewing_kit"),
            ("disinfection supplies", "disinfection"),
            ("AED", "aed"),
            ("thermometer gun", "thermometer_gun"),
            ("oximeter", "oximeter"),
            ("冰乐爱心柜, an ice-drink cabinet", "ice_cabinet"),
        ],
    ),
    (
        "sanya/drivers-home-phoenix-airport",
        &[
            ("air conditioner", "air_conditioner"),
            ("water dispenser", "water"),
            ("massage chairs", "massage_chair"),
            ("LCD television", "television"),
            ("dining", "microwave"),
            ("toilet", "toilet"),
        ],
    ),
    ("sanya/drivers-home-phoenix-island", &[("charging of vehicles", "vehicle_charger")]),
    (
        "xiqing/mobile-home",
        &[
            ("moves", "vehicle"),
            ("power of its own", "mains"),
            ("drinking water", "water"),
            ("shelter from rain", "people"),
            ("heating of meals", "microwave"),
            ("charging", "phone_charger"),
            ("first-aid box", "first_aid_kit"),
        ],
    ),
    (
        "beijing/zhongguancun-zhizao",
        &[
            ("warm up, cool down", "air_conditioner"),
            ("drink", "water"),
            ("toilet", "toilet"),
            ("rest", "people"),
            ("medicine", "first_aid_kit"),
            ("unattended", "door"),
        ],
    ),
];

/// What looks after a station rather than its visitors: any may have it.
const OURS: [&str; 7] = ["station", "door", "people", "presence", "mains", "gateway", "smoke"];

#[test]
fn every_facility_that_was_published_is_watched() {
    let fleets = fleets();
    for (path, facilities) in PUBLISHED {
        let has = profiles(&fleets, station(&fleets, path));
        for (facility, profile) in *facilities {
            assert!(has.contains(*profile), "{path} offers {facility}: no {profile} watches it");
        }
    }
}

#[test]
fn the_three_named_stations_of_putuo_offer_no_more_than_was_published() {
    let fleets = fleets();
    for (path, facilities) in PUBLISHED.iter().filter(|(path, _)| path.starts_with("putuo/")) {
        let published: BTreeSet<_> = facilities.iter().map(|(_, profile)| *profile).collect();
        let has = profiles(&fleets, station(&fleets, path));
        let more: Vec<_> = has
            .iter()
            .filter(|profile| !published.contains(*profile) && !OURS.contains(profile))
            .collect();
        assert!(more.is_empty(), "{path}: {more:?}");
    }
    let aeds = fleets.devices().filter(|device| device.profile.id == "aed");
    assert_eq!(aeds.map(|device| &*device.path).collect::<Vec<_>>(), ["putuo/shuxinwan/aed-1"]);
}

#[test]
fn the_fleets_have_their_published_sizes() {
    let fleets = fleets();
    let count = |district: &str, begins: &str| {
        let here = stations_of(&fleets, district);
        here.filter(|station| station.id.starts_with(begins)).count()
    };
    assert!(count("putuo", "") > 60);
    for (begins, expected) in
        [("luchengnuanxin", 220), ("union", 100), ("drivers-home", 3), ("couriers-home", 1)]
    {
        assert_eq!(count("sanya", begins), expected, "{begins}");
    }
    assert_eq!(count("sanya", ""), 324);
    assert_eq!(count("beijing", ""), 100);
    assert!(stations_of(&fleets, "xiqing").all(|station| station.moves));
    for path in ["putuo/shuxinwan", "beijing/zhongguancun-zhizao"] {
        assert_eq!(station(&fleets, path).opens, Opens::Always, "{path}");
    }
}

/// The promise: help is within 1 km in the main urban area.
#[test]
fn in_the_middle_of_sanya_the_next_station_is_never_far() {
    let fleets = fleets();
    let urban =
        |[lat, lon]: &[f64; 2]| (18.24..18.30).contains(lat) && (109.48..109.55).contains(lon);
    let places: Vec<_> = stations_of(&fleets, "sanya").filter_map(|s| s.position).collect();
    let middle: Vec<_> = places.iter().filter(|place| urban(place)).collect();
    assert!(middle.len() > 100, "{}", middle.len());
    for [lat, lon] in middle {
        let far = |[a, b]: &[f64; 2]| (a - lat).hypot((b - lon) * 0.95) * 111.2;
        let next = places.iter().map(far).filter(|km| *km > 0.001).fold(f64::MAX, f64::min);
        assert!(next < 1.0, "{lat}, {lon}: {next} km");
    }
}

#[test]
fn whoever_is_thirsty_drinks_at_every_station_and_nobody_is_named() {
    let fleets = fleets();
    for station in &fleets.stations {
        assert!(profiles(&fleets, station).contains("water"), "{}", station.id);
        assert!(station.position.is_some() && station.master.is_none(), "{}", station.id);
    }
}

#[test]
fn every_shipped_profile_stands_in_some_fleet() {
    let Loaded { catalog, registry, .. } = loaded();
    let used: BTreeSet<_> = registry.devices().map(|device| device.profile.id.clone()).collect();
    let all: BTreeSet<_> = catalog.iter().map(|profile| profile.id.clone()).collect();
    let unused: Vec<_> = all.difference(&used).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

fn loaded() -> Loaded {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    check::check(&config, std::iter::empty()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn fleets() -> Registry {
    loaded().registry
}

fn station<'a>(fleets: &'a Registry, path: &str) -> &'a Station {
    fleets.find_station(path).unwrap_or_else(|| panic!("there is no {path}"))
}

fn stations_of<'a>(fleets: &'a Registry, district: &str) -> impl Iterator<Item = &'a Station> {
    let index = fleets.districts.iter().position(|known| known.id == district).unwrap();
    fleets.stations.iter().filter(move |station| station.district == index)
}

fn profiles<'a>(fleets: &'a Registry, station: &Station) -> BTreeSet<&'a str> {
    let devices = station.devices.iter().filter_map(|slot| fleets.device(*slot));
    devices.map(|device| device.profile.id.as_str()).collect()
}
