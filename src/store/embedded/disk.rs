//! The file `store.sqlite`: its tables, and how it is opened.
//!
//! ```text
//! parts   day·device·sequence → block      what one flush had of a device; the higher sequence wins
//! days    day·device          → block      parts folded together
//! hours   day·metric·device   → hours      summaries of what is in `days`
//! ```
//! The keys are 64-bit row ids with the day (16 bits) on top, so that writing appends, one day of one
//! metric lies together, and what retention removes is a range at the front. `devices` holds each
//! device's newest values; `damaged` holds rows that could not be read, as they were.
//! `position` is the last group of the journal of which everything is in this file. It changes in the
//! transaction that adds the group's samples: after any crash each reading is here exactly once.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use super::entry::{Day, NameId};
use crate::data_dir::{leave_as_it_is, look, move_away};

pub(super) const FILE: &str = "store.sqlite";

/// `WayS`, so that `file` and we can tell the file from others.
const APPLICATION: i32 = 0x5761_7953;
const VERSION: i32 = 1;

const SCHEMA: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE devices(id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, profile TEXT NOT NULL, latest BLOB NOT NULL);
CREATE TABLE parts(id INTEGER PRIMARY KEY, block BLOB NOT NULL);
CREATE TABLE days(id INTEGER PRIMARY KEY, block BLOB NOT NULL);
CREATE TABLE hours(id INTEGER PRIMARY KEY, block BLOB NOT NULL);
CREATE TABLE damaged(came_from TEXT NOT NULL, id INTEGER NOT NULL, block BLOB NOT NULL);
";

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "{file}: the store is damaged: {reason} (move it away: {}; a new store is begun)",
        move_away(file)
    )]
    Damaged { file: PathBuf, reason: String },
    #[error(
        "{file}: the store has format {found}, this program knows formats up to {VERSION} (start the newer program that wrote it; or move it away, and a new store is begun: {})",
        move_away(file)
    )]
    Newer { file: PathBuf, found: i32 },
    #[error(
        "{file}: this is an SQLite database, but not a store of waystation (set another data_dir, or move it away: {})",
        move_away(file)
    )]
    Foreign { file: PathBuf },
    #[error(
        "{file}: cannot open the store: {reason} (see that its disk has room and this user may write there)"
    )]
    Unavailable { file: PathBuf, reason: String },
}

/// Table and key of a row, as told to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Row {
    Part(i64),
    Day(i64),
    Hours(i64),
}

impl Row {
    pub(super) fn part(day: Day, device: u32, sequence: u16) -> Self {
        Self::Part(i64::from(day) << 47 | i64::from(device) << 16 | i64::from(sequence))
    }

    pub(super) fn day(day: Day, device: u32) -> Self {
        Self::Day(i64::from(day) << 31 | i64::from(device))
    }

    pub(super) fn hours(day: Day, metric: NameId, device: u32) -> Self {
        Self::Hours(i64::from(day) << 47 | i64::from(metric) << 31 | i64::from(device))
    }

    pub(super) fn id(self) -> i64 {
        match self {
            Self::Part(id) | Self::Day(id) | Self::Hours(id) => id,
        }
    }

    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Part(_) => "parts",
            Self::Day(_) => "days",
            Self::Hours(_) => "hours",
        }
    }
}

/// The device of a row of `parts`.
pub(super) fn device_of_part(id: i64) -> u32 {
    u32::try_from(id >> 16 & 0x7fff_ffff).unwrap_or(0)
}

/// The day of a row of `parts` or `hours`.
pub(super) fn day_of_part(id: i64) -> Day {
    Day::try_from(id >> 47).unwrap_or(Day::MAX)
}

pub(super) fn day_of_day(id: i64) -> Day {
    Day::try_from(id >> 31).unwrap_or(Day::MAX)
}

/// Opens the store for writing; begins one where there is none. Closing leaves it as it is, until
/// whoever opens it has found nothing wrong with it.
pub(super) fn open(file: &Path) -> Result<Connection, OpenError> {
    let fault = |error: rusqlite::Error| open_error(file, &error);
    look(file).map_err(|reason| OpenError::Damaged { file: file.to_owned(), reason })?;
    let db = Connection::open(file).map_err(fault)?;
    leave_as_it_is(&db, true).map_err(fault)?;
    prepare(&db, file).map_err(|error| error.downcast(file))?;
    Ok(db)
}

/// Finds damage where the stage could not go on with it: days, parts and devices.
pub(super) fn walk(db: &Connection) -> rusqlite::Result<()> {
    span(db)?;
    days_with_parts(db)?;
    db.query_row("SELECT count(*), max(path) FROM devices", [], |_| Ok(()))
}

/// Opens the store for questions.
pub(super) fn open_to_read(file: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let fault = |error: rusqlite::Error| open_error(file, &error);
    let db = Connection::open_with_flags(file, flags).map_err(fault)?;
    db.busy_timeout(Duration::from_secs(10)).map_err(fault)?;
    db.set_prepared_statement_cache_capacity(32);
    let version = version(&db).map_err(fault)?;
    check_version(file, version)?;
    Ok(db)
}

enum PrepareError {
    Sqlite(rusqlite::Error),
    Open(OpenError),
}

impl From<rusqlite::Error> for PrepareError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl PrepareError {
    fn downcast(self, file: &Path) -> OpenError {
        match self {
            Self::Sqlite(error) => open_error(file, &error),
            Self::Open(error) => error,
        }
    }
}

fn prepare(db: &Connection, file: &Path) -> Result<(), PrepareError> {
    db.busy_timeout(Duration::from_secs(10))?;
    db.set_prepared_statement_cache_capacity(32);
    let found = version(db)?;
    if found != (0, 0) {
        check_version(file, found).map_err(PrepareError::Open)?;
    } else if tables(db)? > 0 {
        return Err(PrepareError::Open(OpenError::Foreign { file: file.to_owned() }));
    }
    db.pragma_update(None, "page_size", 4096)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // The journal lets go of what we say is here: it must be on the disk, not on its way.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "journal_size_limit", 16 << 20)?;
    if found == (0, 0) {
        let begin = format!(
            "BEGIN; {SCHEMA} PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION}; COMMIT;"
        );
        db.execute_batch(&begin)?;
    }
    Ok(())
}

fn tables(db: &Connection) -> rusqlite::Result<u32> {
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
}

fn version(db: &Connection) -> rusqlite::Result<(i32, i32)> {
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    Ok((pragma("application_id")?, pragma("user_version")?))
}

fn check_version(file: &Path, found: (i32, i32)) -> Result<(), OpenError> {
    match found {
        (APPLICATION, VERSION) => Ok(()),
        (APPLICATION, found) => Err(OpenError::Newer { file: file.to_owned(), found }),
        _ => Err(OpenError::Foreign { file: file.to_owned() }),
    }
}

/// Why it cannot be written, with the cure where waiting is none.
pub(super) fn why(file: &Path, error: &rusqlite::Error) -> String {
    match open_error(file, error) {
        damaged @ OpenError::Damaged { .. } => format!("{damaged}; stop the daemon before"),
        _ => error.to_string(),
    }
}

pub(super) fn open_error(file: &Path, error: &rusqlite::Error) -> OpenError {
    let (file, reason) = (file.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Damaged { file, reason }
        }
        _ => OpenError::Unavailable { file, reason },
    }
}

pub(super) fn meta(db: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT value FROM meta WHERE key = ?";
    db.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()
}

pub(super) fn set_meta(db: &Connection, key: &str, value: i64) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)";
    db.prepare_cached(sql)?.execute(params![key, value]).map(drop)
}

pub(super) fn names(db: &Connection) -> rusqlite::Result<Vec<Arc<str>>> {
    let mut rows = db.prepare("SELECT name FROM names ORDER BY id")?;
    rows.query_map([], |row| Ok(row.get_ref(0)?.as_str()?.into()))?.collect()
}

pub(super) fn device(db: &Connection, path: &str) -> rusqlite::Result<Option<u32>> {
    let sql = "SELECT id FROM devices WHERE path = ?";
    db.prepare_cached(sql)?.query_row([path], |row| row.get(0)).optional()
}

/// All devices and their paths, in order of paths.
pub(super) fn devices(db: &Connection) -> rusqlite::Result<Vec<(u32, String)>> {
    let mut rows = db.prepare_cached("SELECT id, path FROM devices ORDER BY path")?;
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The first and the last day of which there is anything.
pub(super) fn span(db: &Connection) -> rusqlite::Result<Option<(Day, Day)>> {
    type Ends = Option<(i64, i64)>;
    let ends = |sql: &str| -> rusqlite::Result<Ends> {
        db.prepare_cached(sql)?.query_row([], |row| {
            let (first, last): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
            Ok(first.zip(last))
        })
    };
    let days = ends("SELECT (SELECT min(id) FROM days), (SELECT max(id) FROM days)")?;
    let parts = ends("SELECT (SELECT min(id) FROM parts), (SELECT max(id) FROM parts)")?;
    let days = days.map(|(first, last)| (day_of_day(first), day_of_day(last)));
    let parts = parts.map(|(first, last)| (day_of_part(first), day_of_part(last)));
    let join = |a: (Day, Day), b: (Day, Day)| (a.0.min(b.0), a.1.max(b.1));
    // (min and max in one SELECT would read the whole table.)
    Ok(days.into_iter().chain(parts).reduce(join))
}

/// Days that have parts, oldest first.
pub(super) fn days_with_parts(db: &Connection) -> rusqlite::Result<Vec<Day>> {
    let mut days = Vec::new();
    let mut from = i64::MIN;
    let sql = "SELECT id FROM parts WHERE id >= ? ORDER BY id LIMIT 1";
    let mut next = db.prepare(sql)?;
    while let Some(id) = next.query_row([from], |row| row.get(0)).optional()? {
        let day = day_of_part(id);
        days.push(day);
        from = (i64::from(day) + 1) << 47;
    }
    Ok(days)
}
