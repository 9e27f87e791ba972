//! The file: its tables, its version, and what is said when it cannot be used.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{OpenError, space::Limit};
use crate::data_dir::{leave_as_it_is, look, move_away};

/// "WSJ1": says that the file is a journal of ours and no other SQLite database.
const APPLICATION: i32 = 0x5753_4a31;
const VERSION: i32 = 1;

/// More than there are, so that none is parsed twice.
const STATEMENTS: usize = 64;

/// `total`: messages ever journaled, up to and with this group. Annotations stand apart, because
/// adding a column's value to a group would write its whole block again.
const TABLES: &str = "
CREATE TABLE groups (
    number INTEGER PRIMARY KEY,
    messages INTEGER NOT NULL,
    total INTEGER NOT NULL,
    received INTEGER NOT NULL,
    raw_len INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    block BLOB NOT NULL
) STRICT;
CREATE TABLE annotations (number INTEGER PRIMARY KEY, notes BLOB NOT NULL) STRICT;
CREATE TABLE readers (name TEXT PRIMARY KEY, upto INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE device_state (path TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT, WITHOUT ROWID;
";

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("journal.sqlite")
}

/// Opens the file for writing; makes it if there is none. One that is not ours is not touched, nor
/// is one that turns out to be damaged, until [`accept`].
pub(super) fn open(file: &Path, limit: &Limit) -> Result<Connection, OpenError> {
    let explained = |error: rusqlite::Error| explain(file, &error);
    look(file).map_err(|what| damaged(file, &what))?;
    let connection = Connection::open(file).map_err(explained)?;
    leave_as_it_is(&connection, true).map_err(explained)?;
    match identity(&connection).map_err(explained)? {
        Identity::New => create(&connection).map_err(explained)?,
        Identity::Ours(VERSION) => {}
        Identity::Ours(version) => return Err(refuse_version(file, version)),
        Identity::Foreign => return Err(refuse_foreign(file)),
    }
    prepare(&connection, limit).map_err(explained)?;
    Ok(connection)
}

/// All of it is as it should be.
pub(super) fn accept(connection: &Connection) -> rusqlite::Result<()> {
    leave_as_it_is(connection, false)
}

/// Opens the file again after an error; it must be there already.
pub(super) fn reopen(file: &Path, limit: &Limit) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags(file, flags)?;
    prepare(&connection, limit)?;
    Ok(connection)
}

/// The file is there again, but holds less than it did.
pub(super) fn replaced() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    let says = "another file took its place while it was open".to_owned();
    rusqlite::Error::SqliteFailure(code, Some(says))
}

pub(super) fn no_thread(file: &Path, error: &std::io::Error) -> OpenError {
    OpenError {
        file: file.to_owned(),
        what: format!("cannot start the thread that writes it: {error}"),
        cure: "raise the limit of processes of this user".to_owned(),
    }
}

/// A connection beside the writer's, which can only look.
pub(super) fn open_for_reading(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.execute_batch("PRAGMA query_only = 1; PRAGMA busy_timeout = 5000;")?;
    Ok(connection)
}

fn prepare(connection: &Connection, limit: &Limit) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(&format!(
        "PRAGMA busy_timeout = 5000;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = {};
         PRAGMA journal_size_limit = {};",
        limit.wal_pages(),
        limit.wal_bytes(),
    ))
}

enum Identity {
    New,
    Ours(i32),
    Foreign,
}

fn identity(connection: &Connection) -> rusqlite::Result<Identity> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i32>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    Ok(match (application, version, tables) {
        (APPLICATION, version, _) => Identity::Ours(version),
        (0, 0, 0) => Identity::New,
        _ => Identity::Foreign,
    })
}

/// Free pages are used again; `auto_vacuum` lets us also give them back when there are many.
fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         BEGIN IMMEDIATE; {TABLES}
         PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))
}

/// What to do about a file that SQLite cannot use.
pub(super) fn explain(file: &Path, error: &rusqlite::Error) -> OpenError {
    let (what, cure) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            return damaged(file, &error.to_string());
        }
        Some(ErrorCode::DiskFull) => (
            format!("cannot open the journal: {error}"),
            "make room on its disk, then start again".to_owned(),
        ),
        _ => (
            format!("cannot open the journal: {error}"),
            "check that the directory is there, that this user may write it, and its disk"
                .to_owned(),
        ),
    };
    OpenError { file: file.to_owned(), what, cure }
}

fn damaged(file: &Path, what: &str) -> OpenError {
    let cure = format!(
        "move it away: {}; what it held and was not yet stored is lost, the store itself is untouched",
        move_away(file)
    );
    OpenError { file: file.to_owned(), what: format!("the journal is damaged: {what}"), cure }
}

fn refuse_version(file: &Path, version: i32) -> OpenError {
    OpenError {
        file: file.to_owned(),
        what: format!(
            "the journal has format {version}, this program knows formats up to {VERSION}"
        ),
        cure: format!(
            "start the newer program that wrote it; or move it away, and what was not yet stored \
             with it: {}",
            move_away(file)
        ),
    }
}

fn refuse_foreign(file: &Path) -> OpenError {
    OpenError {
        file: file.to_owned(),
        what: "this is an SQLite database, but not a journal of waystation".to_owned(),
        cure: format!("set another data_dir, or move it away: {}", move_away(file)),
    }
}
