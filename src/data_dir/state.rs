//! `state.sqlite`: what people did and asked for, kept for good. Each part that keeps something there
//! has tables of its own and makes them; the file, its version and its damage are looked after here.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use super::{leave_as_it_is, look, move_away};

pub const FILE: &str = "state.sqlite";
/// "WSS1": says that the file is ours and no other SQLite database.
const APPLICATION: i32 = 0x5753_5331;
const VERSION: i32 = 1;

/// The file cannot be used; a person is needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what} ({cure})", file.display())]
pub struct StateError {
    pub file: PathBuf,
    pub what: String,
    pub cure: String,
}

/// Opens the file of `dir` for one part, or makes it; `tables` makes the part's tables where they are
/// not there yet. One that is not ours is not touched, nor is one that is damaged.
pub fn open_state(dir: &Path, tables: &str) -> Result<Connection, StateError> {
    let file = dir.join(FILE);
    let explained = |error: rusqlite::Error| explain(&file, &error);
    look(&file).map_err(|what| damaged(&file, &what))?;
    let connection = Connection::open(&file).map_err(explained)?;
    leave_as_it_is(&connection, true).map_err(explained)?;
    match identity(&connection).map_err(explained)? {
        (APPLICATION, VERSION, _) => {}
        (0, 0, 0) => create(&connection).map_err(explained)?,
        (APPLICATION, version, _) => return Err(other_version(&file, version)),
        _ => return Err(foreign(&file)),
    }
    connection
        .execute_batch("PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL;")
        .map_err(explained)?;
    check(&connection, &file)?;
    connection.execute_batch(tables).map_err(explained)?;
    leave_as_it_is(&connection, false).map_err(explained)?;
    Ok(connection)
}

/// Application, version, and how many tables there are.
fn identity(connection: &Connection) -> rusqlite::Result<(i32, i32, i32)> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i32>(0));
    let tables = "SELECT count(*) FROM sqlite_schema";
    Ok((number("PRAGMA application_id")?, number("PRAGMA user_version")?, number(tables)?))
}

fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
    ))
}

fn check(connection: &Connection, file: &Path) -> Result<(), StateError> {
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match found {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(damaged(file, found.lines().last().unwrap_or_default())),
        Err(error) => Err(explain(file, &error)),
    }
}

fn explain(file: &Path, error: &rusqlite::Error) -> StateError {
    let cure = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            return damaged(file, &error.to_string());
        }
        Some(ErrorCode::DiskFull) => "make room on its disk, then start again",
        _ => "check that the directory is there, that this user may write it, and its disk",
    };
    let what = format!("cannot open the file of commands and records: {error}");
    StateError { file: file.to_owned(), what, cure: cure.to_owned() }
}

fn damaged(file: &Path, what: &str) -> StateError {
    let cure = format!(
        "restore it from a backup, or move it away: {}; what people recorded and asked for is lost then",
        move_away(file)
    );
    let what = format!("the file of commands and records is damaged: {what}");
    StateError { file: file.to_owned(), what, cure }
}

fn other_version(file: &Path, version: i32) -> StateError {
    let what = format!(
        "the file of commands and records has format {version}, this program knows formats up to {VERSION}"
    );
    let cure =
        format!("start the newer program that wrote it, or move it away: {}", move_away(file));
    StateError { file: file.to_owned(), what, cure }
}

fn foreign(file: &Path) -> StateError {
    StateError {
        file: file.to_owned(),
        what: "this is an SQLite database, but not a file of waystation".to_owned(),
        cure: format!("set another data_dir, or move it away: {}", move_away(file)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const TABLES: &str = "CREATE TABLE IF NOT EXISTS a (x INTEGER) STRICT;";

    #[test]
    fn each_part_finds_its_tables_again() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let one = open_state(dir.path(), TABLES).unwrap();
            let two =
                open_state(dir.path(), "CREATE TABLE IF NOT EXISTS b (x TEXT) STRICT;").unwrap();
            one.execute("INSERT INTO a VALUES (1)", []).unwrap();
            two.execute("INSERT INTO b VALUES ('1')", []).unwrap();
        }
        let again = open_state(dir.path(), TABLES).unwrap();
        let rows: i32 = again.query_row("SELECT count(*) FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 2);
    }

    #[test]
    fn what_is_not_ours_or_damaged_is_said_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        fs::write(&file, "this is no database at all, but a letter").unwrap();
        let error = open_state(dir.path(), TABLES).unwrap_err().to_string();
        assert!(error.contains("damaged") && error.contains("mv "), "{error}");
        assert_eq!(fs::read(&file).unwrap(), b"this is no database at all, but a letter");
        fs::remove_file(&file).unwrap();
        Connection::open(&file).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        let error = open_state(dir.path(), TABLES).unwrap_err().to_string();
        assert!(error.contains("not a file of waystation"), "{error}");
    }
}
