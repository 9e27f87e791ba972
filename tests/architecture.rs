//! Keeps the module graph the way ARCHITECTURE.md draws it: who may know whom.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Each module of `src/`, in reading order, and whom it may know. Whoever is absent is forbidden.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("reading", &[]),
    ("clock", &["reading"]),
    ("problem", &[]),
    ("telemetry", &["clock", "reading", "rule"]),
    ("settings", &["problem"]),
    ("rule", &["reading", "problem"]),
    ("device", &["reading", "rule", "problem"]),
    ("registry", &["reading", "rule", "device", "problem"]),
    ("check", &["settings", "device", "registry", "simulate", "problem"]),
    ("data_dir", &[]),
    ("journal", &["reading", "data_dir", "decode", "settings", "telemetry"]),
    ("decode", &["reading", "rule", "device", "registry", "journal"]),
    ("derive", &["reading", "device", "registry", "journal", "decode"]),
    ("follow", &["reading", "decode", "derive", "registry", "journal", "telemetry", "clock"]),
    ("contract", &["reading", "rule", "device", "registry", "journal", "decode", "settings"]),
    ("ingest", &["reading", "clock", "decode", "journal", "settings", "telemetry"]),
    (
        "store",
        &[
            "reading",
            "clock",
            "data_dir",
            "decode",
            "device",
            "registry",
            "follow",
            "settings",
            "telemetry",
        ],
    ),
    (
        "alert",
        &[
            "reading",
            "problem",
            "clock",
            "rule",
            "device",
            "registry",
            "decode",
            "follow",
            "data_dir",
            "notify",
            "live",
            "settings",
            "telemetry",
        ],
    ),
    ("notify", &["reading", "clock", "rule", "alert", "settings", "telemetry"]),
    ("live", &["reading", "decode", "registry", "rule", "telemetry"]),
    (
        "command",
        &[
            "reading",
            "clock",
            "data_dir",
            "decode",
            "device",
            "registry",
            "follow",
            "ingest",
            "live",
            "telemetry",
        ],
    ),
    (
        "web",
        &[
            "reading",
            "clock",
            "rule",
            "device",
            "registry",
            "decode",
            "contract",
            "live",
            "store",
            "alert",
            "command",
            "settings",
            "telemetry",
        ],
    ),
    ("simulate", &["reading", "clock", "registry", "device"]),
    (
        "rehearse",
        &[
            "reading", "rule", "device", "registry", "decode", "derive", "journal", "alert",
            "problem",
        ],
    ),
    ("stages", &[]),
];

/// May know everybody: it builds them.
const BUILDERS: [&str; 2] = ["daemon", "lib"];

#[test]
fn modules_know_only_whom_they_may() {
    let may_know: BTreeMap<&str, BTreeSet<&str>> =
        MAY_KNOW.iter().map(|(name, known)| (*name, known.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for (module, files) in modules() {
        if BUILDERS.contains(&module.as_str()) {
            continue;
        }
        let Some(allowed) = may_know.get(module.as_str()) else {
            wrong.push(format!("{module} is not in MAY_KNOW"));
            continue;
        };
        for file in files {
            for known in modules_named_in(&product_code(&fs::read_to_string(&file).unwrap())) {
                if known != module && !allowed.contains(known.as_str()) {
                    wrong.push(format!("{} must not know {known}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "see MAY_KNOW in this file:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_that_is_listed_exists() {
    let found: BTreeSet<String> = modules().into_keys().collect();
    for (name, _) in MAY_KNOW {
        assert!(found.contains(*name), "{name} is in MAY_KNOW but not in src/");
    }
}

/// Top-level modules of the library and their files.
fn modules() -> BTreeMap<String, Vec<PathBuf>> {
    let mut modules: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in fs::read_dir("src").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name != "main" && name != "commands" {
            modules.entry(name).or_default().extend(sources(&path));
        }
    }
    modules
}

fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let inner = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let all = inner.flat_map(|path| sources(&path));
    all.filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter(|path| !path.ends_with("tests.rs") && !path.iter().any(|part| part == "tests"))
        .collect()
}

/// What is not a test: tests may know whom they like.
fn product_code(source: &str) -> String {
    let end = source.find("#[cfg(test)]").unwrap_or(source.len());
    let lines = source[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Names behind `crate::`, alone or in braces: `crate::a::B`, `crate::{a::B, c::{D, E}}`.
fn modules_named_in(source: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for after in source.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            None => drop(named.insert(first_name(after))),
            Some(group) => named.extend(top_items(group).iter().map(|item| first_name(item))),
        }
    }
    named.remove("");
    named
}

/// The items of a group in braces, up to its closing brace, not those of groups inside.
fn top_items(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut items = vec![String::new()];
    for symbol in group.chars() {
        match symbol {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            other if depth == 0 => items.last_mut().unwrap().push(other),
            _ => {}
        }
    }
    items
}

fn first_name(text: &str) -> String {
    let name = text.trim().chars().take_while(|symbol| symbol.is_alphanumeric() || *symbol == '_');
    name.collect()
}

#[test]
fn names_are_found_alone_and_in_groups() {
    let source = "use crate::reading::Slot; use crate::{clock::Clock, store::{Point, Series}}; fn f() { crate::rule::x() }";
    let named: Vec<_> = modules_named_in(source).into_iter().collect();
    assert_eq!(named, ["clock", "reading", "rule", "store"]);
}
