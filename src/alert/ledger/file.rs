//! The file: its tables, its version, and what is said when it cannot be used.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::notify::outbox;

/// "WSA1": says that the file is a ledger of ours and no other SQLite database.
const APPLICATION: i32 = 0x5753_4131;
const VERSION: i32 = 1;

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
CREATE TABLE transitions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    alert TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (alert, kind)
) STRICT;
";

/// The file cannot be used; a person is needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what} ({cure})", file.display())]
pub struct OpenError {
    pub file: PathBuf,
    pub what: String,
    pub cure: String,
}

/// Opens the file for writing; makes it if there is none. One that is not ours is not touched.
pub(super) fn open(dir: &Path) -> Result<Connection, OpenError> {
    let file = dir.join(outbox::FILE);
    let explained = |error: rusqlite::Error| explain(&file, &error.to_string());
    let connection = Connection::open(&file).map_err(explained)?;
    match identity(&connection).map_err(explained)? {
        (APPLICATION, VERSION, _) => {}
        (0, 0, 0) => create(&connection).map_err(explained)?,
        (APPLICATION, version, _) => return Err(other_version(&file, version)),
        _ => return Err(foreign(&file)),
    }
    prepare(&connection).map_err(explained)?;
    check(&connection, &file)?;
    outbox::create(&connection).map_err(explained)?;
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
    open().map_err(|error: rusqlite::Error| explain(&file, &error.to_string()))
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
         BEGIN IMMEDIATE; {TABLES}
         PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))
}

fn check(connection: &Connection, file: &Path) -> Result<(), OpenError> {
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match found {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(explain(file, &found)),
        Err(error) => Err(explain(file, &error.to_string())),
    }
}

fn explain(file: &Path, error: &str) -> OpenError {
    OpenError {
        file: file.to_owned(),
        what: format!("the ledger of alerts cannot be used: {error}"),
        cure:
            "see that the disk has room and the file is ours to write; if it is damaged, move it \
               and its -wal away and keep them: alerts that still hold will fire again"
                .to_owned(),
    }
}

fn other_version(file: &Path, version: i32) -> OpenError {
    OpenError {
        file: file.to_owned(),
        what: format!(
            "written by another version of waystation (format {version}, ours is {VERSION})"
        ),
        cure: "run the version that wrote it, or move the file away".to_owned(),
    }
}

fn foreign(file: &Path) -> OpenError {
    OpenError {
        file: file.to_owned(),
        what: "not a ledger of alerts".to_owned(),
        cure: "move the file away, or set another data_dir".to_owned(),
    }
}
