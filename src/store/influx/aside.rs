//! Lines that InfluxDB will never take, kept in a file of `data_dir` for a person to look at.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use tracing::error;

use super::line::Lines;

/// The file grows to this and no further; the counter goes on.
const BYTES_MAX: u64 = 16 << 20;

/// `data_dir/refused-lines.txt`: the reason as a comment, then the lines as they were sent.
#[derive(Debug)]
pub(super) struct Aside {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl Aside {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join("refused-lines.txt"), file: Mutex::new(None) }
    }

    pub(super) fn keep(&self, lines: &Lines, reason: &str) {
        if let Err(error) = self.try_keep(lines, reason) {
            error!("cannot keep refused lines in {}: {error}", self.path.display());
        }
    }

    fn try_keep(&self, lines: &Lines, reason: &str) -> io::Result<()> {
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match guard.take() {
            Some(file) => file,
            None => OpenOptions::new().create(true).append(true).open(&self.path)?,
        };
        let file = guard.insert(file);
        if file.metadata()?.len() > BYTES_MAX {
            return Err(io::Error::other(format!(
                "it holds {BYTES_MAX} bytes already; read it, then remove it"
            )));
        }
        let reason = reason.replace('\n', " ");
        file.write_all(format!("# {reason}\n{}", lines.as_str()).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{Timestamp, Value};

    #[test]
    fn refused_lines_are_kept_with_their_reason() {
        let folder = tempfile::tempdir().unwrap();
        let aside = Aside::new(folder.path());
        let mut lines = Lines::default();
        lines.point("fridge", &[], [("temp_c", Value::Number(4.0))], Timestamp(1));
        aside.keep(&lines, "field type\nconflict");
        aside.keep(&lines, "again");
        let kept = std::fs::read_to_string(folder.path().join("refused-lines.txt")).unwrap();
        assert_eq!(
            kept,
            "# field type conflict\nfridge temp_c=4.0 1\n# again\nfridge temp_c=4.0 1\n"
        );
    }
}
