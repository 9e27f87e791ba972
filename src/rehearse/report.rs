//! What a profile's author reads at the end.

use std::fmt;

/// What came of all that was tried.
#[derive(Debug)]
pub struct Report {
    pub tried: Vec<Tried>,
}

/// What came of one profile.
#[derive(Debug)]
pub struct Tried {
    pub id: String,
    pub examples: usize,
    pub timelines: usize,
    pub rules: usize,
    pub failures: Vec<Failure>,
    /// Rules that no timeline puts fully to the test.
    pub gaps: Vec<String>,
}

/// An example or a timeline that came to something else.
#[derive(Debug)]
pub struct Failure {
    pub name: String,
    pub lines: Vec<String>,
}

impl Tried {
    pub(super) fn new(id: &str) -> Self {
        let (failures, gaps) = (Vec::new(), Vec::new());
        Self { id: id.to_owned(), examples: 0, timelines: 0, rules: 0, failures, gaps }
    }

    pub(super) fn fail(&mut self, name: &str, lines: Vec<String>) {
        self.failures.push(Failure { name: name.to_owned(), lines });
    }

    pub fn is_well(&self) -> bool {
        self.failures.is_empty() && self.gaps.is_empty()
    }
}

impl Report {
    pub fn is_well(&self) -> bool {
        self.tried.iter().all(Tried::is_well)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for tried in &self.tried {
            write!(f, "{tried}")?;
        }
        let sum = |what: fn(&Tried) -> usize| self.tried.iter().map(what).sum::<usize>();
        let wrong = sum(|tried| tried.failures.len() + tried.gaps.len());
        let verdict = if wrong == 0 { "all well".to_owned() } else { format!("{wrong} to mend") };
        write!(
            f,
            "{verdict}: {} profiles, {} examples, {} timelines, {} rules",
            self.tried.len(),
            sum(|tried| tried.examples),
            sum(|tried| tried.timelines),
            sum(|tried| tried.rules),
        )
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, examples, timelines, rules, .. } = self;
        let verdict = match (self.is_well(), timelines) {
            (true, 0) => "well, but without a timeline",
            (true, _) => "well",
            (false, _) => "NOT WELL",
        };
        writeln!(f, "{id}: {verdict} ({examples} examples, {timelines} timelines, {rules} rules)")?;
        for failure in &self.failures {
            writeln!(f, "  {}", failure.name)?;
            for line in failure.lines.iter().flat_map(|line| line.lines()) {
                writeln!(f, "    {line}")?;
            }
        }
        for gap in &self.gaps {
            writeln!(f, "  no timeline yet: {gap}")?;
        }
        Ok(())
    }
}
