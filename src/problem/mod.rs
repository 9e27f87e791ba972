//! A mistake in a file a person wrote: where it is, what is wrong, how to mend it.

mod plain;
mod sheet;

pub use plain::{explain, nearest};
pub use sheet::{Sheet, Tree, toml_files};

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// One mistake. Loading collects all of them before it gives up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub file: PathBuf,
    /// Counted from 1, where it is known.
    pub line: Option<usize>,
    /// The key, as `rules[2].when.above.limit`; empty when the whole file is meant.
    pub key: String,
    /// What is wrong, naming what was found: `expected a duration such as "30m", found "soon"`.
    pub what: String,
    /// What to do about it; empty when `what` already says so.
    pub cure: String,
}

impl Problem {
    pub fn new(
        file: &Path,
        key: impl Into<String>,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            key: key.into(),
            what: what.into(),
            cure: cure.into(),
        }
    }

    #[must_use]
    pub fn on_line(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        f.write_str(" ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)?;
        if !self.cure.is_empty() {
            write!(f, " ({})", self.cure)?;
        }
        Ok(())
    }
}
