//! Reads the profiles that are in the binary, and those of a folder of one's own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rust_embed::RustEmbed;

use crate::problem::{Problem, Sheet, toml_files};

use super::{Catalog, Profile, written};

#[derive(RustEmbed)]
#[folder = "devices/profiles"]
#[include = "*.toml"]
struct Shipped;

/// The shipped profiles, and those of `dir`, which add to them or replace them.
///
/// With mistakes nothing is loaded, and all mistakes of all files come back.
pub fn load(dir: Option<&Path>) -> Result<Catalog, Vec<Problem>> {
    let (catalog, problems) = load_what_is_right(dir);
    if problems.is_empty() { Ok(catalog) } else { Err(problems) }
}

/// As [`load`], but with mistakes there is still a catalog, to go on looking for others with.
pub(crate) fn load_what_is_right(dir: Option<&Path>) -> (Catalog, Vec<Problem>) {
    let mut catalog = Catalog::default();
    let mut problems = Vec::new();
    for name in Shipped::iter() {
        let Some(file) = Shipped::get(&name) else { continue };
        let path = Path::new("devices/profiles").join(name.as_ref());
        match parse(&path, &String::from_utf8_lossy(&file.data)) {
            Ok(profile) => catalog.insert(profile),
            Err(found) => problems.extend(found),
        }
    }
    if let Some(dir) = dir {
        own(dir, &mut catalog, &mut problems);
    }
    (catalog, problems)
}

fn own(dir: &Path, catalog: &mut Catalog, problems: &mut Vec<Problem>) {
    if !dir.is_dir() {
        let cure = "create it, or leave [profiles] dir out";
        problems.push(Problem::new(dir, "", "this folder of profiles does not exist", cure));
        return;
    }
    let files = toml_files(dir).unwrap_or_else(|problem| {
        problems.push(problem);
        Vec::new()
    });
    let mut seen: Vec<(String, PathBuf)> = Vec::new();
    for file in files {
        match read(&file) {
            Ok(profile) => {
                if let Some((_, first)) = seen.iter().find(|(id, _)| *id == profile.id) {
                    let what = format!("{} has the profile {:?} too", first.display(), profile.id);
                    problems.push(Problem::new(&file, "id", what, "give one of them another id"));
                }
                seen.push((profile.id.clone(), file));
                catalog.insert(profile);
            }
            Err(found) => {
                problems.extend(found);
                catalog.note_broken(file.file_stem().unwrap_or_default());
            }
        }
    }
}

fn read(file: &Path) -> Result<Profile, Vec<Problem>> {
    let text = fs::read_to_string(file).map_err(|error| {
        vec![Problem::new(file, "", format!("cannot be read: {error}"), "check its permissions")]
    })?;
    parse(file, &text)
}

/// One profile from the text of its file.
pub fn parse(file: &Path, text: &str) -> Result<Profile, Vec<Problem>> {
    let mut sheet = Sheet::new(file, text);
    let profile = sheet.parse().and_then(|table| written::profile(&mut sheet, table));
    match profile {
        Some(profile) if sheet.is_clean() => Ok(profile),
        _ => Err(sheet.into_problems()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_profiles_load() {
        let catalog = load(None).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let mut ids: Vec<_> = catalog.iter().map(|profile| profile.id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["aed", "door", "fridge", "people", "power_banks"]);
        for profile in catalog.iter() {
            let silent = profile.rules.iter().filter(|rule| rule.id.as_str() == "silent");
            assert_eq!(silent.count(), 1, "{}", profile.id);
        }
    }
}
