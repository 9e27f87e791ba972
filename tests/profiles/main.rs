//! Every file in `devices/profiles`: what `waystation test-profiles` says of it, and more than it asks.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that cannot go on fails its test")]

mod docs;
mod told;

use std::{fs, path::Path, sync::Arc};

use waystation::{
    device::{self, Expectation, Profile},
    rehearse::{self, Refused, Report},
    simulate::Behaviours,
};

fn shipped() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("devices/profiles")
}

/// Those of things that send something.
fn profiles() -> Vec<Arc<Profile>> {
    let catalog = device::load(Some(&shipped())).unwrap_or_else(|found| panic!("{found:#?}"));
    let mut ids = device::ids_in(&shipped()).unwrap();
    ids.sort_unstable();
    let all = ids.iter().map(|id| Arc::clone(catalog.get(id).unwrap()));
    all.filter(|profile| !profile.derived && !profile.by_hand).collect()
}

fn rehearse(dir: &Path) -> Report {
    rehearse::rehearse_files(Some(dir)).unwrap_or_else(|found| panic!("{found:#?}"))
}

#[test]
fn examples_and_timelines_come_to_what_they_say() {
    let report = rehearse(&shipped());
    assert!(report.tried.len() >= 5, "{report}");
    assert!(report.is_well(), "{report}");
}

#[test]
fn a_file_has_the_name_of_its_profile() {
    for id in device::ids_in(&shipped()).unwrap() {
        assert!(shipped().join(format!("{id}.toml")).is_file(), "{id}");
    }
}

#[test]
fn every_metric_has_an_example_and_every_profile_a_refusal() {
    for profile in profiles() {
        let yields = |name: &str| {
            profile.examples.iter().any(|example| match &example.expects {
                Expectation::Yields(table) => table.contains_key(name),
                Expectation::Rejects(_) => false,
            })
        };
        for metric in &profile.metrics {
            let name = metric.symbol.as_str();
            assert!(yields(name), "{}: no example of {name}", profile.id);
        }
        let rejects =
            |example: &device::Example| matches!(example.expects, Expectation::Rejects(_));
        assert!(profile.examples.iter().any(rejects), "{}", profile.id);
    }
}

#[test]
fn every_metric_is_simulated_and_nothing_else_is() {
    for profile in profiles() {
        let behaviours = Behaviours::from_table(&profile.simulate).unwrap();
        let known = |name: &String| profile.metric(name).is_some();
        for metric in &profile.metrics {
            let name = metric.symbol.as_str();
            assert!(behaviours.metrics.contains_key(name), "{}: {name}", profile.id);
        }
        let faults = behaviours.faults.iter();
        let in_faults = faults
            .flat_map(|fault| fault.set.keys().chain(fault.add.keys()).chain(fault.grow.keys()));
        for name in behaviours.metrics.keys().chain(in_faults) {
            assert!(known(name), "{} simulates {name}, which it does not have", profile.id);
        }
        assert!(!behaviours.faults.is_empty(), "{}", profile.id);
    }
}

#[test]
fn a_new_profile_is_right_as_it_is_and_overwrites_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("mine");
    let path = rehearse::write_skeleton(&dir, "kettle").unwrap();
    assert_eq!(path, dir.join("kettle.toml"));
    let report = rehearse(&dir);
    assert!(report.is_well(), "{report}");
    assert_eq!((report.tried.len(), report.tried[0].timelines), (1, 2), "{report}");
    let catalog = device::load(Some(&dir)).unwrap();
    Behaviours::from_table(&catalog.get("kettle").unwrap().simulate).unwrap();

    fs::write(&path, "mine").unwrap();
    assert!(matches!(rehearse::write_skeleton(&dir, "kettle"), Err(Refused::There(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    for wrong in ["", "Kettle", "a-b", "../x", "every", "device"] {
        rehearse::write_skeleton(&dir, wrong).unwrap_err();
    }
}
