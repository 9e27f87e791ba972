//! Reads the files under `config/stations`, several at once.

use std::{
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    thread,
};

use crate::{
    device::Catalog,
    problem::{Problem, toml_files},
};

use super::{Registry, build::Builder, written};

/// What one file came to.
type Read = Result<written::File, Vec<Problem>>;

/// Everything that `config_dir/stations/*.toml` registers.
///
/// Devices that `previous` had keep their slots. With mistakes nothing is loaded, and all mistakes
/// of all files come back.
pub fn load(
    config_dir: &Path,
    catalog: &Catalog,
    previous: Option<&Registry>,
) -> Result<Registry, Vec<Problem>> {
    load_with(config_dir, &[], catalog, previous)
}

/// As [`load`], with files that are in memory behind those of the folder.
pub fn load_with(
    config_dir: &Path,
    more: &[(PathBuf, String)],
    catalog: &Catalog,
    previous: Option<&Registry>,
) -> Result<Registry, Vec<Problem>> {
    let paths = toml_files(&config_dir.join("stations")).map_err(|problem| vec![problem])?;
    let mut builder = Builder::new(catalog, previous);
    let more_paths = more.iter().map(|(path, _)| path);
    let more_files = more.iter().map(|(path, text)| written::file(path, text));
    let files = paths.iter().zip(read_all(&paths)).chain(more_paths.zip(more_files));
    for (path, file) in files {
        match file {
            Ok(file) => builder.file(path, file),
            Err(problems) => builder.problems.extend(problems),
        }
    }
    builder.finish()
}

impl Registry {
    /// The registry of one stations file, given as text.
    pub fn from_toml(text: &str, catalog: &Catalog) -> Result<Self, Vec<Problem>> {
        Self::from_toml_after(text, catalog, None)
    }

    /// As [`Registry::from_toml`], as a reload: devices of `previous` keep their slots.
    pub fn from_toml_after(
        text: &str,
        catalog: &Catalog,
        previous: Option<&Self>,
    ) -> Result<Self, Vec<Problem>> {
        let path = Path::new("stations.toml");
        let mut builder = Builder::new(catalog, previous);
        builder.file(path, written::file(path, text)?);
        builder.finish()
    }
}

/// In the order of `paths`, whoever was done first.
fn read_all<P: AsRef<Path> + Sync>(paths: &[P]) -> Vec<Read> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(8);
    let share = paths.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let readers: Vec<_> = paths
            .chunks(share)
            .map(|chunk| (chunk, scope.spawn(|| chunk.iter().map(read).collect::<Vec<_>>())))
            .collect();
        let mut all = Vec::with_capacity(paths.len());
        for (chunk, reader) in readers {
            let broke = |path: &P| {
                Err(vec![Problem::new(path.as_ref(), "", "reading it broke the reader", "")])
            };
            all.extend(reader.join().unwrap_or_else(|_| chunk.iter().map(broke).collect()));
        }
        all
    })
}

fn read(path: impl AsRef<Path>) -> Read {
    let path = path.as_ref();
    let text = fs::read_to_string(path).map_err(|error| {
        vec![Problem::new(path, "", format!("cannot be read: {error}"), "check its permissions")]
    })?;
    written::file(path, &text)
}
