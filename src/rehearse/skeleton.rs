//! A profile to begin with: small, commented, and right as it is.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

const SKELETON: &str = include_str!("skeleton.toml");
/// Words that stand for something else in rules.
const TAKEN: [&str; 4] = ["every", "device", "record", "date"];

/// Why no file was written.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("{0:?} cannot be the name of a profile: use 1 to 48 of a-z, 0-9 and _")]
    Name(String),
    #[error("{0:?} means something else in rules: choose another name")]
    Taken(String),
    #[error("{} is there already: choose another name, or remove it", .0.display())]
    There(PathBuf),
    #[error("cannot write {}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
}

/// Writes `dir/NAME.toml`, and the folder where it is missing; overwrites nothing.
pub fn write_skeleton(dir: &Path, name: &str) -> Result<PathBuf, Refused> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !(1..=48).contains(&name.len()) || !name.chars().all(letter) {
        return Err(Refused::Name(name.to_owned()));
    }
    if TAKEN.contains(&name) {
        return Err(Refused::Taken(name.to_owned()));
    }
    let path = dir.join(format!("{name}.toml"));
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => Refused::There(path.clone()),
        _ => Refused::Io { path: path.clone(), error },
    };
    fs::create_dir_all(dir).map_err(cannot)?;
    let mut file = File::create_new(&path).map_err(cannot)?;
    file.write_all(SKELETON.replace("NAME", name).as_bytes()).map_err(cannot)?;
    Ok(path)
}
