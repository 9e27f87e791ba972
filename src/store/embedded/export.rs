//! All readings as CSV or JSON lines, straight from the file, while a daemon may be writing to it.
//! What is younger than its last flush (65 minutes at most) is in its memory and the journal only.

use std::{
    fmt,
    io::{self, Write},
    path::Path,
    sync::Arc,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use rusqlite::Connection;
use serde::Serialize;

use super::{
    OpenError,
    answer::{Wanted, datum},
    damage::DamageLog,
    disk,
    entry::{Day, Entry, NameId, join},
    source::Source,
};
use crate::{reading::Timestamp, store::Datum};

/// What to export; `None` is everything.
#[derive(Debug, Clone)]
pub struct Filter {
    pub district: Option<String>,
    pub station: Option<String>,
    pub device: Option<String>,
    pub metric: Option<String>,
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    JsonLines,
}

/// What an export came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    pub points: u64,
    /// Rows that could not be read, and are missing.
    pub damaged_rows: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("cannot read the store: {0}")]
    Read(#[from] rusqlite::Error),
    #[error("cannot write the export: {0}")]
    Write(#[from] io::Error),
}

impl Default for Filter {
    fn default() -> Self {
        let (district, station, device, metric) = (None, None, None, None);
        Self { district, station, device, metric, from: Timestamp::MIN, to: Timestamp(i64::MAX) }
    }
}

/// A bar on stderr; it shows nothing where that is no terminal.
pub fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {percent}% · {eta} left · {msg}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Writes the points of the store in `dir`: day by day, device by device, in order of time.
/// A reader that goes away (`| head`) ends it without an error.
pub fn export(
    dir: &Path,
    filter: &Filter,
    format: Format,
    out: &mut impl Write,
    progress: &ProgressBar,
) -> Result<Exported, ExportError> {
    let db = disk::open_to_read(&dir.join(disk::FILE))?;
    let damage = DamageLog::default();
    let mut export = Export { db, filter, damage, rows: Rows { format, out, points: 0 } };
    let ended = export.run(progress);
    let exported = Exported { points: export.rows.points, damaged_rows: export.damage.count() };
    match ended {
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(exported),
        ended => ended.map(|()| exported),
    }
}

struct Export<'a, W> {
    db: Connection,
    filter: &'a Filter,
    damage: DamageLog,
    rows: Rows<'a, W>,
}

impl<W: Write> Export<'_, W> {
    fn run(&mut self, progress: &ProgressBar) -> Result<(), ExportError> {
        self.rows.head()?;
        let Some(span) = disk::span(&self.db)? else { return Ok(self.rows.out.flush()?) };
        let Filter { from, to, .. } = *self.filter;
        let days = Wanted { metric: 0, from, to }.days(span);
        progress.set_length(u64::try_from(days.clone().count()).unwrap_or(0));
        progress.enable_steady_tick(Duration::from_millis(200));
        for day in days {
            progress.set_message(join(day, 0).to_string().chars().take(10).collect::<String>());
            self.day(day)?;
            progress.inc(1);
        }
        progress.finish_and_clear();
        Ok(self.rows.out.flush()?)
    }

    /// One day in one transaction: longer ones would keep the daemon's WAL from being emptied.
    fn day(&mut self, day: Day) -> Result<(), ExportError> {
        let transaction = self.db.unchecked_transaction()?;
        let names = disk::names(&transaction)?;
        let metric = match &self.filter.metric {
            None => None,
            Some(wanted) => match (0..).zip(&names).find(|(_, name)| ***name == **wanted) {
                Some((id, _)) => Some(id),
                None => return Ok(()),
            },
        };
        for (device, path) in disk::devices(&transaction)? {
            let place = Place::of(&path);
            if !self.filter.takes(&place) {
                continue;
            }
            let (db, damage) = (&transaction, &self.damage);
            let source = Source { db, damage, device: Some(device), recent: Vec::new() };
            let mut entries = source.entries(day, metric)?;
            entries.sort_by_key(|entry| entry.at);
            let inside = entries.iter().filter(|entry| {
                let at = join(day, entry.at);
                self.filter.from <= at && at < self.filter.to
            });
            for entry in inside {
                self.rows.write(day, &place, entry, &names)?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    district: &'a str,
    station: &'a str,
    device: &'a str,
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Self {
        let mut levels = path.splitn(3, '/');
        let mut level = || levels.next().unwrap_or_default();
        Self { district: level(), station: level(), device: level() }
    }
}

impl Filter {
    fn takes(&self, place: &Place<'_>) -> bool {
        let is = |wanted: &Option<String>, found| wanted.as_deref().is_none_or(|w| w == found);
        is(&self.district, place.district)
            && is(&self.station, place.station)
            && is(&self.device, place.device)
    }
}

struct Rows<'a, W> {
    format: Format,
    out: &'a mut W,
    points: u64,
}

#[derive(Serialize)]
struct Row<'a> {
    at: String,
    district: &'a str,
    station: &'a str,
    device: &'a str,
    metric: &'a str,
    value: Datum,
}

impl<W: Write> Rows<'_, W> {
    fn head(&mut self) -> io::Result<()> {
        match self.format {
            Format::Csv => writeln!(self.out, "at,district,station,device,metric,value"),
            Format::JsonLines => Ok(()),
        }
    }

    fn write(
        &mut self,
        day: Day,
        place: &Place<'_>,
        entry: &Entry,
        names: &[Arc<str>],
    ) -> io::Result<()> {
        let name = |id: NameId| names.get(usize::from(id)).map_or_else(|| "?".into(), Arc::clone);
        let row = Row {
            at: join(day, entry.at).to_string(),
            district: place.district,
            station: place.station,
            device: place.device,
            metric: &name(entry.metric),
            value: datum(entry.kind, entry.value, &name),
        };
        self.points += 1;
        match self.format {
            Format::Csv => writeln!(self.out, "{}", Csv(&row)),
            Format::JsonLines => {
                serde_json::to_writer(&mut *self.out, &row)?;
                self.out.write_all(b"\n")
            }
        }
    }
}

/// As RFC 4180 has it, but for lines that end in a line feed alone.
struct Csv<'a>(&'a Row<'a>);

impl fmt::Display for Csv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { at, district, station, device, metric, value } = self.0;
        write!(f, "{at}")?;
        for field in [district, station, device, metric] {
            write!(f, ",{}", Quoted(field))?;
        }
        match value {
            Datum::Number(number) => write!(f, ",{number}"),
            Datum::State(state) => write!(f, ",{state}"),
            Datum::Word(word) => write!(f, ",{}", Quoted(word)),
        }
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(['"', ',', '\n', '\r']) {
            write!(f, "\"{}\"", self.0.replace('"', "\"\""))
        } else {
            f.write_str(self.0)
        }
    }
}
