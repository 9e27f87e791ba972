//! `docs/firmware.md`, `docs/asyncapi.yaml` and the README's table are what the code gives.
//!
//! `WAYSTATION_UPDATE_DOCS=1 cargo test --test contract` writes them anew.

use std::{fs, path::Path};

use waystation::{contract, decode::Contract, device};

use crate::support::validators::{Ask, look};

const MARKS: [&str; 2] = ["<!-- waystation docs readme -->\n", "<!-- end -->"];

#[test]
fn the_page_for_firmware_is_what_the_code_says() {
    hold("docs/firmware.md", &contract::firmware_page(&Contract::default()));
}

#[test]
fn the_page_for_firmware_stays_short() {
    let page = contract::firmware_page(&Contract::default());
    let rows = |line: &str| line.chars().count().div_ceil(120).max(1);
    let printed: usize = page.lines().map(rows).sum();
    assert!(printed <= 150, "{printed} printed lines");
    assert!(!page.contains("{topics}") && !page.contains("{codes}") && !page.contains("{limits}"));
}

#[test]
fn the_readme_has_the_topics_that_the_code_has() {
    let readme = fs::read_to_string(path("README.md")).unwrap();
    let (before, rest) = readme.split_once(MARKS[0]).expect("README.md has the mark");
    let (_, after) = rest.split_once(MARKS[1]).expect("README.md has the end's mark");
    let section = contract::readme_section();
    hold("README.md", &format!("{before}{}{section}{}{after}", MARKS[0], MARKS[1]));
}

#[test]
fn the_asyncapi_document_is_what_the_code_says_and_its_makers_parser_reads_it() {
    let plain = contract::yaml(&contract::asyncapi(&Contract::default(), &[]));
    hold("docs/asyncapi.yaml", &plain);
    let catalog = device::load(None).unwrap();
    let profiles: Vec<_> = catalog.iter().map(AsRef::as_ref).collect();
    let whole = contract::yaml(&contract::asyncapi(&Contract::new("stations", 9), &profiles));
    assert!(whole.contains("telemetry_aed_reading"), "{whole}");
    let broken =
        plain.replace("\"#/components/messages/birth\"", "\"#/components/messages/death\"");
    let found = look(&Ask { asyncapi: vec![plain, whole, broken], ..Ask::default() });
    assert_eq!(found.asyncapi[..2], [[""; 0], []]);
    assert!(!found.asyncapi[2].is_empty(), "the parser takes a reference to nothing");
}

fn path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares a file with what it must be, or writes it where that is asked.
#[track_caller]
fn hold(name: &str, expected: &str) {
    if std::env::var_os("WAYSTATION_UPDATE_DOCS").is_some() {
        fs::write(path(name), expected).unwrap();
        return;
    }
    let found = fs::read_to_string(path(name)).unwrap_or_default();
    let differs = found.lines().zip(expected.lines()).position(|(found, wanted)| found != wanted);
    let line = differs.unwrap_or(found.lines().count().min(expected.lines().count()));
    assert!(
        found == expected,
        "{name} is not what the code gives; line {}:\n  there {}\n  wanted {}\n\
         write it anew with: WAYSTATION_UPDATE_DOCS=1 cargo test --test contract",
        line + 1,
        found.lines().nth(line).unwrap_or("(nothing)"),
        expected.lines().nth(line).unwrap_or("(nothing)"),
    );
}
