//! The file: its tables, its version, and what is said when it cannot be used.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use crate::{
    data_dir::{leave_as_it_is, look, move_away},
    notify::outbox,
};

use super::{read::open_alerts, records};

/// "WSA1": says that the file is a ledger of ours and no other SQLite database.
const APPLICATION: i32 = 0x5753_4131;
const VERSION: i32 = 2;

/// `body`: the alert as JSON. `devices`: what rules remember of a device, as `engine` writes it.
const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE devices (path TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    fired INTEGER NOT NULL,
    ended INTEGER,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_fired ON alerts (fired);
CREATE INDEX alerts_open ON alerts (id) WHERE ended IS NULL;
";

/// An alert may be acknowledged, and told again, more than once.
const TRANSITIONS: &str = "
CREATE TABLE transitions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    alert TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (alert, kind, at)
) STRICT;
CREATE INDEX transitions_at ON transitions (at);
CREATE INDEX alerts_ended ON alerts (ended);
";

/// The file cannot be used; a person is needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what} ({cure})", file.display())]
pub struct OpenError {
    pub file: PathBuf,
    pub what: String,
    pub cure: String,
}

/// Opens the file for writing; makes it if there is none. One that is not ours is not touched, nor
/// is one that is damaged.
pub(super) fn open(dir: &Path) -> Result<Connection, OpenError> {
    let file = dir.join(outbox::FILE);
    let explained = |error: rusqlite::Error| explain(&file, &error);
    look(&file).map_err(|what| damaged(&file, &what))?;
    let connection = Connection::open(&file).map_err(explained)?;
    leave_as_it_is(&connection, true).map_err(explained)?;
    match identity(&connection).map_err(explained)? {
        (APPLICATION, 1..=VERSION, _) => {}
        (0, 0, 0) => create(&connection).map_err(explained)?,
        (APPLICATION, version, _) => return Err(other_version(&file, version)),
        _ => return Err(foreign(&file)),
    }
    prepare(&connection).map_err(explained)?;
    check(&connection, &file)?;
    bring_up(&connection).map_err(explained)?;
    outbox::create(&connection).map_err(explained)?;
    open_alerts(&connection).map_err(explained)?;
    leave_as_it_is(&connection, false).map_err(explained)?;
    Ok(connection)
}

/// A connection beside the writer's, which can only look.
pub(super) fn open_for_reading(dir: &Path) -> Result<Connection, OpenError> {
    let file = dir.join(outbox::FILE);
    let open = || {
        let connection = Connection::open(&file)?;
        connection.execute_batch("PRAGMA busy_timeout = 10000; PRAGMA query_only = 1;")?;
        Ok(connection)
    };
    open().map_err(|error: rusqlite::Error| explain(&file, &error))
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL;")
}

/// Application, version, and how many tables there are that are not the outbox's.
fn identity(connection: &Connection) -> rusqlite::Result<(i32, i32, i32)> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i32>(0));
    let tables = "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> 'outbox'";
    Ok((number("PRAGMA application_id")?, number("PRAGMA user_version")?, number(tables)?))
}

fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         BEGIN IMMEDIATE; {TABLES} {TRANSITIONS} {}
         PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;",
        records::TABLE
    ))
}

/// A file of an older version becomes one of this, in one transaction.
fn bring_up(connection: &Connection) -> rusqlite::Result<()> {
    let version: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version == VERSION {
        return Ok(());
    }
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         ALTER TABLE transitions RENAME TO transitions_1;
         {TRANSITIONS} {}
         INSERT INTO transitions SELECT number, alert, kind, at, body FROM transitions_1;
         DROP TABLE transitions_1;
         PRAGMA user_version = {VERSION}; COMMIT;",
        records::TABLE
    ))
}

fn check(connection: &Connection, file: &Path) -> Result<(), OpenError> {
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match found {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(damaged(file, found.lines().last().unwrap_or_default())),
        Err(error) => Err(explain(file, &error)),
    }
}

/// What to do about a file that SQLite cannot use, or whose rows are not what we write.
pub(super) fn explain(file: &Path, error: &rusqlite::Error) -> OpenError {
    let garbled = matches!(error, rusqlite::Error::FromSqlConversionFailure(..));
    let cure = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            return damaged(file, &error.to_string());
        }
        _ if garbled => return damaged(file, &error.to_string()),
        Some(ErrorCode::DiskFull) => "make room on its disk, then start again",
        _ => "check that the directory is there, that this user may write it, and its disk",
    };
    let what = format!("cannot open the ledger of alerts: {error}");
    OpenError { file: file.to_owned(), what, cure: cure.to_owned() }
}

fn damaged(file: &Path, what: &str) -> OpenError {
    let cure = format!(
        "move it away: {}; alerts that still hold will fire again, notices not yet sent are lost",
        move_away(file)
    );
    let what = format!("the ledger of alerts is damaged: {what}");
    OpenError { file: file.to_owned(), what, cure }
}

fn other_version(file: &Path, version: i32) -> OpenError {
    let what = format!(
        "the ledger of alerts has format {version}, this program knows formats up to {VERSION}"
    );
    let cure = format!(
        "start the newer program that wrote it; or move it away, and alerts that still hold will \
         fire again: {}",
        move_away(file)
    );
    OpenError { file: file.to_owned(), what, cure }
}

fn foreign(file: &Path) -> OpenError {
    OpenError {
        file: file.to_owned(),
        what: "this is an SQLite database, but not a ledger of alerts of waystation".to_owned(),
        cure: format!("set another data_dir, or move it away: {}", move_away(file)),
    }
}
