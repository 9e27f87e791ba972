//! The device that stands for its station.

use super::*;
use crate::{device::Profile, registry::Registry};

fn within(minutes: u32) -> Silence {
    Silence::Fixed(MINUTE * minutes)
}

/// Two fridges and the station itself, last.
fn a_station() -> Arc<Registry> {
    let fridge = profile("fridge", "t=number", vec![rule("silent", silent())]);
    let absent = |minutes| Condition::AbsentFor { metric: None, within: within(minutes) };
    let rules = vec![rule("suspected", absent(5)), rule("away", absent(10))];
    Arc::new(station(&[&fridge, &fridge, &profile("station", "occupancy=number", rules)]))
}

#[test]
fn a_station_is_heard_with_any_of_its_devices() {
    let timeline = [minutes(0, 10, 0, "t=4"), minutes(11, 20, 1, "t=4")].concat();
    let expected = "10 firing silent d1\n 11 resolved silent d1\n 20 firing silent d0\n \
                    25 firing suspected d2\n 30 firing away d2";
    check_in(a_station(), &timeline, 60, expected);
}

#[test]
fn the_silence_of_devices_is_their_stations_and_counts_anew_behind_it() {
    let timeline = [minutes(0, 10, 0, "t=4"), minutes(0, 10, 1, "t=4"), minutes(50, 80, 0, "t=4")];
    let mut lines: Vec<_> = timeline.concat().lines().map(str::to_owned).collect();
    lines.sort_by_key(|line| line.split(' ').next().unwrap().parse::<u32>().unwrap());
    let expected = "15 firing suspected d2\n 20 firing away d2\n \
                    50 resolved suspected d2\n 50 resolved away d2\n 60 firing silent d1";
    check_in(a_station(), &lines.join("\n"), 80, expected);
}

#[test]
fn what_is_derived_is_no_sign_of_life() {
    let timeline = minutes(0, 20, 2, "occupancy=0");
    let expected = "5 firing suspected d2\n 10 firing away d2";
    check_in(a_station(), &timeline, 20, expected);
}

#[test]
fn a_station_of_devices_that_report_seldom_may_be_silent_for_long() {
    let mut aed = Profile::clone(&profile("aed", "t=number", vec![]));
    aed.reports_every = MINUTE * 15;
    let absent = Condition::AbsentFor { metric: None, within: within(5) };
    let own = profile("station", "occupancy=number", vec![rule("suspected", absent)]);
    let town = Arc::new(station(&[&Arc::new(aed), &own]));
    check_in(town, "0 d0 t=4\n 15 d0 t=4", 100, "60 firing suspected d1");
}
