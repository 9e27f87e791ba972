//! A mistake in a file a person wrote: where it is, what is wrong, how to mend it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// One mistake. Loading collects all of them before it gives up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub file: PathBuf,
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
        Self { file: file.to_owned(), key: key.into(), what: what.into(), cure: cure.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
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
