//! Where a daemon's processor time goes, by `perf`: each sample belongs to the innermost frame of
//! ours on its stack, the kernel's work for a read or an fsync to whoever asked for it.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Part of the program, and what of it to look for in the names of functions.
const PARTS: [(&str, &[&str]); 7] = [
    ("journal", &["waystation::journal::"]),
    ("decode", &["waystation::decode::", "waystation::follow::"]),
    ("alert", &["waystation::alert::", "waystation::notify::"]),
    ("store", &["waystation::store::"]),
    ("live", &["waystation::live::"]),
    ("web", &["waystation::web::", "waystation::telemetry::"]),
    ("receive", &["waystation::ingest::"]),
];
/// The runtime: polling sockets, waking tasks, changing threads.
const REST: &str = "runtime";

/// A recording under way.
#[derive(Debug)]
pub(crate) struct Recording {
    perf: Child,
    file: PathBuf,
}

impl Recording {
    /// `None` where perf is missing or not allowed.
    pub(crate) fn start(pid: u32, folder: &Path) -> Option<Self> {
        let file = folder.join("perf.data");
        let perf = Command::new("perf")
            .args(["record", "-q", "-e", "cpu-clock", "-F", "499", "--call-graph", "dwarf,16384"])
            .arg("-o")
            .arg(&file)
            .args(["-p", &pid.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        Some(Self { perf, file })
    }

    /// Ends it; the share of each part, and the functions that took most, most first.
    pub(crate) fn shares(mut self) -> Option<Shares> {
        let id = self.perf.id().to_string();
        Command::new("kill").args(["-INT", &id]).status().ok()?;
        self.perf.wait().ok()?;
        let text = self.file.with_extension("txt");
        let script = Command::new("perf")
            .args(["script", "--no-inline", "-F", "comm,ip,sym", "-i"])
            .arg(&self.file)
            .stdout(File::create(&text).ok()?)
            .stderr(Stdio::null())
            .status()
            .ok()?;
        let shares = Shares::read(&std::fs::read_to_string(text).ok()?);
        (script.success() && shares.samples > 100).then_some(shares)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Shares {
    samples: usize,
    parts: BTreeMap<&'static str, usize>,
    functions: BTreeMap<(&'static str, String), usize>,
}

impl Shares {
    /// Samples are parted by empty lines: the thread's name, then its stack, innermost first.
    fn read(script: &str) -> Self {
        let mut shares = Self::default();
        for sample in script.split("\n\n") {
            let mut lines = sample.trim_start_matches('\n').lines();
            let Some(thread) = lines.next() else { continue };
            let stack: Vec<&str> = lines.map(function).collect();
            let part = part(thread.trim(), &stack);
            let innermost = stack.first().copied().unwrap_or("?").to_owned();
            shares.samples += 1;
            *shares.parts.entry(part).or_default() += 1;
            *shares.functions.entry((part, innermost)).or_default() += 1;
        }
        shares
    }

    fn of(&self, part: &str) -> f64 {
        self.parts.get(part).copied().unwrap_or(0) as f64 / self.samples as f64
    }

    /// The functions that take most.
    fn top(&self, count: usize) -> String {
        let mut functions: Vec<_> = self.functions.iter().collect();
        functions.sort_by_key(|(_, samples)| std::cmp::Reverse(**samples));
        let line = |((part, name), samples): &(&(&str, String), &usize)| {
            format!("{:.1} % {part}: `{name}`", **samples as f64 * 100.0 / self.samples as f64)
        };
        functions.iter().take(count).map(line).collect::<Vec<_>>().join("; ")
    }
}

/// Where the time of one message goes, `each` microseconds in all: a line for the results.
pub(crate) fn describe(what: &str, each: f64, shares: Option<&Shares>) -> String {
    let Some(shares) = shares else {
        return format!("{what}: no split, as perf does not work here.");
    };
    let part = |part: &str| {
        let share = shares.of(part);
        format!("{part} {:.2} µs ({:.0} %)", each * share, share * 100.0)
    };
    let parts = PARTS.iter().map(|(name, _)| *name).chain([REST]).map(part);
    let parts: Vec<_> = parts.collect();
    format!("{what}, by perf in a run of its own: {}. Most: {}.", parts.join(", "), shares.top(12))
}

/// `  7f12 waystation::decode::json::read` is `waystation::decode::json::read`.
fn function(line: &str) -> &str {
    line.trim().split_once(' ').map_or("?", |(_, name)| name)
}

fn part(thread: &str, stack: &[&str]) -> &'static str {
    let ours = |frame: &&str| {
        PARTS.iter().find(|(_, names)| names.iter().any(|name| frame.contains(name)))
    };
    match stack.iter().find_map(ours) {
        Some((part, _)) => part,
        None if thread == "journal" => "journal",
        None => REST,
    }
}
