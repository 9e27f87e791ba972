//! `docs/profiles.md` names every key and condition there is, and none that is not.

use std::{collections::BTreeSet, path::Path};

use waystation::{device, problem::Problem, registry::Registry, rule::When};

const DOCS: &str = include_str!("../../docs/profiles.md");
const SKELETON: &str = include_str!("../../src/rehearse/skeleton.toml");
/// A key that nothing knows, and that resembles none.
const STRANGE: &str = "zzzzzzzzzzzz";

type Words = BTreeSet<String>;

/// What stands under a heading, up to the next one that is not deeper.
fn section(heading: &str) -> &'static str {
    let depth = heading.chars().take_while(|c| *c == '#').count();
    let start = DOCS.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let text = &DOCS[start + heading.len() + 2..];
    let ends = (1..=depth).filter_map(|depth| text.find(&format!("\n{} ", "#".repeat(depth))));
    &text[..ends.min().unwrap_or(text.len())]
}

/// The keys of the tables there.
fn explained(heading: &str) -> Words {
    let keys = section(heading).lines().filter_map(|line| line.strip_prefix("| `"));
    keys.map(|line| line.split('`').next().unwrap().to_owned()).collect()
}

/// What the parser says is known where a strange key stands.
fn known_in(problems: &[Problem]) -> Words {
    let strange = problems.iter().find(|problem| problem.what.contains("unknown"));
    let strange = strange.unwrap_or_else(|| panic!("{problems:#?}"));
    let known = strange.cure.strip_prefix("known here: ").unwrap_or_else(|| panic!("{strange}"));
    known.split(", ").map(str::to_owned).collect()
}

/// What is known in the skeleton of a profile where `from` became `to`.
fn known(from: &str, to: &str) -> Words {
    let text = SKELETON.replace("NAME", "kettle").replacen(from, to, 1);
    known_in(&device::parse(Path::new("kettle.toml"), &text).unwrap_err())
}

/// What is known at the beginning of a table.
fn known_behind(header: &str) -> Words {
    known(header, &format!("{header}\n{STRANGE} = 1"))
}

fn known_when(condition: &str) -> Words {
    let when = "when = { above = { metric = \"temp_c\", limit = 8.0, clear = 7.0 } }";
    known(when, &format!("when = {{ {condition} }}"))
}

#[test]
fn every_key_of_a_profile_is_explained() {
    for (heading, known) in [
        ("## The file", known("id = ", &format!("{STRANGE} = 1\nid = "))),
        ("## Metrics", known_behind("[metrics.temp_c]")),
        ("## Rules", known_behind("[[rules]]")),
    ] {
        assert_eq!(explained(heading), known, "{heading}");
    }
    let mut tests = known_behind("[[timeline]]");
    tests.extend(known_behind("[[example]]"));
    let explained = explained("## Tests: examples and timelines");
    let keys: Words = explained.into_iter().filter(|key| !key.starts_with("10:00")).collect();
    assert_eq!(keys, tests);
}

#[test]
fn every_condition_is_explained_with_its_keys() {
    let conditions = known_when(&format!("{STRANGE} = 1"));
    let headings = section("## Conditions").lines().filter_map(|line| line.strip_prefix("### `"));
    let explained_here: Words =
        headings.map(|line| line.trim_end_matches('`').to_owned()).collect();
    assert_eq!(explained_here, conditions);
    for condition in &conditions {
        let keys = match condition.as_str() {
            "all" | "any" | "station_open" => Words::new(),
            name => known_when(&format!("{name} = {{ {STRANGE} = 1 }}")),
        };
        assert_eq!(explained(&format!("### `{condition}`")), keys, "{condition}");
    }
}

#[test]
fn every_number_that_a_stations_file_may_change_is_explained() {
    let stations = format!(
        "[district]\nid = \"d\"\nname = {{ en = \"D\", zh = \"区\" }}\ntime_zone = \"Asia/Shanghai\"\n\
         [rules.fridge.too_warm]\n{STRANGE} = 1\n"
    );
    let problems = Registry::from_toml(&stations, &device::load(None).unwrap()).unwrap_err();
    let heading = "## Changing a rule for a district, a station, a device";
    assert_eq!(explained(heading), known_in(&problems));
}

#[test]
fn every_line_that_a_timeline_can_play_is_explained() {
    let text = SKELETON.replacen("01:00 temp_c=9", STRANGE, 1);
    let text = text.replacen(STRANGE, &format!("01:00 {STRANGE}"), 1);
    let problems = device::parse(Path::new("kettle.toml"), &text.replace("NAME", "kettle"));
    let problems = problems.unwrap_err();
    let (_, verbs) = problems[0].cure.split_once("one of ").unwrap();
    let verbs: Words = verbs.split(", ").map(str::to_owned).collect();
    let lines = explained("## Tests: examples and timelines");
    let lines = lines.iter().filter_map(|line| line.strip_prefix("10:00 "));
    let first = lines.filter_map(|line| line.split(' ').next());
    let played: Words =
        first.filter(|word| !word.contains(['=', ':'])).map(str::to_owned).collect();
    assert_eq!(played, verbs);
}

/// `when`, as it stands in a rule.
#[derive(serde::Deserialize)]
struct Rule {
    #[expect(dead_code, reason = "that it can be read is all that is asked")]
    when: When,
}

/// The conditions that stand alone at the beginning of a line, over several where it goes on.
fn shown() -> Vec<String> {
    let mut shown = Vec::new();
    for (start, _) in DOCS.match_indices("\n{ ") {
        let mut depth = 0_i32;
        let end = DOCS[start..].find(|symbol| {
            depth += i32::from(symbol == '{') - i32::from(symbol == '}');
            symbol == '}' && depth == 0
        });
        shown.push(DOCS[start..=start + end.unwrap()].replace('\n', " "));
    }
    shown
}

#[test]
fn every_condition_that_is_shown_can_be_read() {
    let shown = shown();
    assert!(shown.len() > 18, "{shown:#?}");
    for condition in shown {
        let read = toml::from_str::<Rule>(&format!("when = {condition}"));
        assert!(read.is_ok(), "{condition}: {}", read.err().unwrap());
    }
}
