//! `benches/RESULTS.md`: written anew by the program, but for the part that people keep by hand.

use std::{fmt::Write as _, fs, path::PathBuf};

use super::{Options, machine};

const BY_HAND: &str = "<!-- kept by hand from here on; the program leaves it as it is -->";
const NOTHING_SAID: &str = "\n\n## What the figures say\n\nNothing yet.\n";

/// Writes all figures, given as Markdown.
pub(crate) fn write(figures: &[String], options: Options, unrest: f64) {
    let old = fs::read_to_string(file()).unwrap_or_default();
    let by_hand = old.split_once(BY_HAND).map_or(NOTHING_SAID, |(_, kept)| kept);
    let text = format!("{}\n{BY_HAND}{by_hand}", render(figures, options, unrest));
    fs::write(file(), text).expect("benches/RESULTS.md can be written");
}

pub(crate) fn render(figures: &[String], options: Options, unrest: f64) -> String {
    let mut text = String::from(
        "# Figures\n\nWritten by `benches/run` (`make bench`); the goals are those of the design, § 7.\n\n",
    );
    for line in machine::describe() {
        writeln!(text, "{line}").unwrap();
    }
    writeln!(
        text,
        "- medians of {} run(s){}; other work on the machine before the figures: at most {:.0} % of all cores\n",
        options.runs,
        if options.quick { ", **quick: fewer messages, good for trying only**" } else { "" },
        unrest * 100.0
    )
    .unwrap();
    text + &figures.join("\n")
}

pub(crate) fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/RESULTS.md")
}
