//! The data directory and who works in it: one process at a time.

mod file;
mod state;

pub use file::{leave_as_it_is, look, move_away};
pub use state::{FILE as STATE_FILE, StateError, open_state};

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// The right to work in a data directory; ends when dropped, or with the process.
#[derive(Debug)]
#[must_use = "another process may take the directory once this is dropped"]
pub struct Claim {
    _lock: File,
}

#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    #[error(
        "another waystation works in {} (process {process}): stop it, or set another data_dir",
        dir.display()
    )]
    Taken { dir: PathBuf, process: String },
    #[error(
        "cannot use the data directory {}: {source} (let this user write there, or set another data_dir)",
        dir.display()
    )]
    Unusable { dir: PathBuf, source: io::Error },
    #[error("cannot use {}: {source} (move it away, and let this user write there)", file.display())]
    Lock { file: PathBuf, source: io::Error },
}

/// Makes the directory if it is not there, and takes it for this process.
pub fn claim(dir: &Path) -> Result<Claim, ClaimError> {
    let unusable = |source| ClaimError::Unusable { dir: dir.to_owned(), source };
    make(dir).map_err(unusable)?;
    let path = dir.join("lock");
    let unlockable = |source| ClaimError::Lock { file: path.clone(), source };
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(unlockable)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(ClaimError::Taken { dir: dir.to_owned(), process: holder(&mut lock) });
        }
        Err(TryLockError::Error(source)) => return Err(unlockable(source)),
    }
    sign(&mut lock).map_err(unlockable)?;
    Ok(Claim { _lock: lock })
}

/// The parent is synced, so that a new directory is still there after a power cut.
fn make(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir)?;
    match dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

fn sign(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.seek(SeekFrom::Start(0))?;
    write!(lock, "{}", std::process::id())
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    match lock.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_claim_is_refused_and_names_the_first() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("new/data");
        let first = claim(&dir).unwrap();
        let refused = claim(&dir).unwrap_err().to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        assert!(refused.contains(dir.to_str().unwrap()), "{refused}");
        drop(first);
        drop(claim(&dir).unwrap());
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_said_with_its_name() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "x").unwrap();
        let refused = claim(&file.join("data")).unwrap_err();
        assert!(matches!(refused, ClaimError::Unusable { .. }), "{refused}");
    }
}
