//! One TOML file, read piece by piece, so that one mistake does not hide the next.

use std::{
    borrow::Cow,
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::{Problem, plain};

/// A value that still knows on which line it stands.
pub type Tree<'a> = Spanned<DeValue<'a>>;

/// A file and the mistakes found in it so far.
#[derive(Debug)]
pub struct Sheet<'a> {
    file: &'a Path,
    text: &'a str,
    problems: Vec<Problem>,
}

impl<'a> Sheet<'a> {
    pub fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, problems: Vec::new() }
    }

    /// The whole file as a tree; `None`, with every syntax error noted, if it is not TOML.
    pub fn parse(&mut self) -> Option<DeTable<'a>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            self.note("", error.span(), error.message(), "");
        }
        errors.is_empty().then(|| table.into_inner())
    }

    /// Reads `value`, which stands at `key`; a mistake is noted and gives `None`.
    pub fn read<T: Deserialize<'a>>(&mut self, key: &str, value: Tree<'a>) -> Option<T> {
        let span = value.span();
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(value) => Some(value),
            Err(error) => {
                let (what, cure) = plain::explain(error.message());
                let mut key = join(key, &inner_key(&error));
                if let Some(name) = plain::unknown_field(error.message()) {
                    key = join(&key, name);
                }
                self.note(&key, error.span().or(Some(span)), what, cure);
                None
            }
        }
    }

    /// Takes `name` out of `table` and reads it; absent is no mistake.
    pub fn take<T: Deserialize<'a>>(
        &mut self,
        key: &str,
        table: &mut DeTable<'a>,
        name: &'a str,
    ) -> Option<T> {
        let value = remove(table, name)?;
        self.read(&join(key, name), value)
    }

    /// Takes the list `name` out of `table`, element by element; absent is an empty list.
    pub fn list(&mut self, table: &mut DeTable<'a>, key: &str, name: &'a str) -> Vec<Tree<'a>> {
        let Some(value) = remove(table, name) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(elements) => elements.into_iter().collect(),
            other => {
                let what = format!("expected a list, found {}", other.type_str());
                self.note(&join(key, name), Some(span), what, format!("write [[{name}]]"));
                Vec::new()
            }
        }
    }

    /// Takes the table `name` out of `table`, in the order in which its keys stand in the file.
    pub fn entries(
        &mut self,
        table: &mut DeTable<'a>,
        key: &str,
        name: &'a str,
    ) -> Vec<(Cow<'a, str>, Tree<'a>)> {
        let Some(value) = remove(table, name) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(inner) => in_file_order(inner),
            other => {
                let what = format!("expected a table, found {}", other.type_str());
                self.note(&join(key, name), Some(span), what, format!("write [{name}]"));
                Vec::new()
            }
        }
    }

    pub fn note(
        &mut self,
        key: &str,
        span: Option<Range<usize>>,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        let problem = Problem::new(self.file, key, what, cure);
        self.problems.push(match span {
            Some(span) => problem.on_line(self.line(span.start)),
            None => problem,
        });
    }

    /// Where `text` first stands within `span`; the span itself where it does not stand there.
    pub fn find(&self, span: Range<usize>, text: &str) -> Range<usize> {
        let end = span.end.min(self.text.len());
        let within = self.text.get(span.start..end).unwrap_or_default();
        match within.find(text) {
            Some(offset) => span.start + offset..span.start + offset + text.len(),
            None => span,
        }
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        before.split(|byte| *byte == b'\n').count()
    }
}

fn in_file_order(table: DeTable<'_>) -> Vec<(Cow<'_, str>, Tree<'_>)> {
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries.into_iter().map(|(name, value)| (name.into_inner(), value)).collect()
}

fn remove<'a>(table: &mut DeTable<'a>, name: &'a str) -> Option<Tree<'a>> {
    table.remove(&Spanned::new(0..0, Cow::Borrowed(name)))
}

fn join(outer: &str, inner: &str) -> String {
    match (outer, inner) {
        ("", key) | (key, "") => key.to_owned(),
        (outer, inner) => format!("{outer}.{inner}"),
    }
}

/// The keys under the value that was read, which the parser tells only in its long message.
fn inner_key(error: &toml::de::Error) -> String {
    let long = error.to_string();
    let last = long.lines().last().unwrap_or_default();
    let keys = last.strip_prefix("in `").and_then(|keys| keys.strip_suffix('`'));
    keys.unwrap_or_default().to_owned()
}

/// The `*.toml` files of a folder, by name; none where the folder does not exist.
pub fn toml_files(dir: &Path) -> Result<Vec<PathBuf>, Problem> {
    let cannot = |error: &io::Error| {
        Problem::new(dir, "", format!("cannot read this folder: {error}"), "check its permissions")
    };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(&error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| cannot(&error))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
