//! Every file in `devices/profiles`: what `waystation test-profiles` says of it, and more than it asks.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that cannot go on fails its test")]

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
    all.filter(|profile| !profile.derived).collect()
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

/// The skeleton with one thing changed, and what its author is told.
fn told(from: &str, to: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = rehearse::write_skeleton(dir.path(), "kettle").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    match rehearse::rehearse_files(Some(dir.path())) {
        Ok(report) => report.to_string(),
        Err(problems) => {
            let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
            lines.join("\n").replace(&path.display().to_string(), "kettle.toml")
        }
    }
}

#[test]
fn an_author_is_told_line_by_line_what_differs() {
    for (from, to, expected) in [
        ("for = \"30m\"", "for = \"40m\"", "- 01:30 firing too_warm: kettle at 9 °C   (expected"),
        ("for = \"30m\"", "for = \"40m\"", "+ 01:40 firing too_warm: kettle at 9 °C   (happened"),
        ("for = \"30m\"", "for = \"40m\"", "NOT WELL"),
        ("kettle at 9 °C\n", "kettle is hot\n", "+ 01:30 firing too_warm: kettle at 9 °C"),
        ("00:00 temp_c=4", "00:00 temp_c=400", "refused: temp_c: expected a number"),
        ("yields = { temp_c = 4.1,", "yields = { temp_c = 4.2,", "+ temp_c = 4.1   (happened"),
        ("01:25 temp_c=5", "01:35 temp_c=5", "no timeline yet: too_warm is nowhere shown to stay"),
        ("02:15 resolved too_warm\n", "", "+ 02:15 resolved too_warm   (happened; not expected)"),
    ] {
        let told = told(from, to);
        assert!(told.contains(expected), "{from} → {to}: {told}");
    }
}

#[test]
fn a_mistake_in_a_timeline_is_named_with_its_line_and_its_cure() {
    for (from, to, expected) in [
        (
            "01:00 temp_c=9",
            "01:00 tmp_c=9",
            "timeline[0].plays: \"01:00 tmp_c=9 every 1m to 02:00\": unknown metric \"tmp_c\" (did you mean \"temp_c\"?)",
        ),
        ("01:00 temp_c=9", "1:00 temp_c=9", "does not begin with a time"),
        ("every 1m to 02:00", "every 1m until 02:00", "\"every\" without \"to\" (write it as"),
        ("every 1m to 02:00", "every 1m to 00:30", "ends before it begins"),
        ("every 1m to 02:00", "every 1ms to 02:00", "more than 500000 messages"),
        (
            "01:30 firing too_warm",
            "01:30 fires too_warm",
            "expected firing or resolved, found \"fires\"",
        ),
        ("01:30 firing too_warm", "01:30 firing too_cold", "unknown rule \"too_cold\""),
        (
            "02:00 door_open=true",
            "02:00 peeple: occupancy=3",
            "unknown profile \"peeple\" (did you mean \"people\"?)",
        ),
        ("02:00 door_open=true", "02:00 people: occupants=3", "unknown metric \"occupants\""),
        ("02:00 door_open=true", "02:00 record wiped", "unknown record \"wiped\""),
        ("02:00 door_open=true", "02:00 sleeping long", "\"long\" is no duration"),
        ("plays = \"\"\"", "play = \"\"\"", "timeline[0].play: unknown key \"play\""),
    ] {
        let told = told(from, to);
        assert!(told.contains(expected), "{from} → {to}: {told}");
    }
    assert!(
        told("01:00 temp_c=9", "01:00 tmp_c=9").starts_with("kettle.toml:35:"),
        "{}",
        told("01:00 temp_c=9", "01:00 tmp_c=9")
    );
}
