//! What holds for every SQLite file in the directory: one that is not as we left it is said, and is
//! as it was when we are gone again.

use std::{fs, io, path::Path};

use rusqlite::{Connection, config::DbConfig};
use tracing::warn;

/// Looks at a file before SQLite does, which would make a new one of what is empty, and throw away
/// a write-ahead log that belongs to nothing. Gives what is wrong with it.
pub fn look(file: &Path) -> Result<(), String> {
    let found = match fs::metadata(file) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(format!("it cannot be looked at: {error}")),
    };
    if found.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err("it is damaged: a directory is in its place".to_owned());
    }
    if found.as_ref().is_some_and(|found| found.len() > 0) {
        return Ok(());
    }
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let what = if found.is_some() { "empty" } else { "gone" };
        return Err(format!("it is damaged: it is {what}, but its write-ahead log is there"));
    }
    if found.is_some() {
        warn!("{} is empty and begun anew; if it ever held anything, that is lost", file.display());
    }
    Ok(())
}

/// While `untouched`, closing leaves the file and its write-ahead log as they are.
pub fn leave_as_it_is(connection: &Connection, untouched: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, untouched).map(drop)
}

/// The command that puts a file aside, and what SQLite keeps beside it. What was put aside before
/// stays.
pub fn move_away(file: &Path) -> String {
    let quoted = format!("'{}'", file.display().to_string().replace('\'', r"'\''"));
    format!(
        r#"for f in {quoted} {quoted}-wal {quoted}-shm; do [ ! -e "$f" ] || mv "$f" "$f.damaged-$(date +%Y%m%dT%H%M%S)"; done"#
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_sqlite_would_throw_away_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.sqlite");
        let log = dir.path().join("x.sqlite-wal");
        assert_eq!(look(&file), Ok(()), "there is none");
        fs::write(&file, "").unwrap();
        assert_eq!(look(&file), Ok(()), "a new one is begun in it");
        fs::write(&log, "").unwrap();
        assert_eq!(look(&file), Ok(()), "nothing in the log");
        fs::write(&log, "x").unwrap();
        assert!(look(&file).unwrap_err().contains("it is empty"));
        fs::remove_file(&file).unwrap();
        assert!(look(&file).unwrap_err().contains("it is gone"));
        fs::create_dir(&file).unwrap();
        assert!(look(&file).unwrap_err().contains("directory"));
    }

    #[test]
    fn the_command_moves_all_of_it_whatever_its_name_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("it's here");
        fs::create_dir(&folder).unwrap();
        for name in ["x.sqlite", "x.sqlite-wal", "x.sqlite.damaged-1", "y"] {
            fs::write(folder.join(name), name).unwrap();
        }
        let command = move_away(&folder.join("x.sqlite"));
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
        let left = fs::read_dir(&folder).unwrap();
        let mut left: Vec<_> =
            left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left.len(), 4, "{left:?}");
        assert!(left[0].starts_with("x.sqlite-wal.damaged-2"), "{left:?}");
        assert_eq!(left[1], "x.sqlite.damaged-1", "{left:?}");
        assert!(left[2].starts_with("x.sqlite.damaged-2"), "{left:?}");
    }
}
