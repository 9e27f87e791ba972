//! What a profile's author is told: of a timeline that comes to something else, and of a mistake.

use std::fs;

use waystation::rehearse;

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
