//! Reads the profiles that are in the binary, and those of a folder of one's own.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use rust_embed::RustEmbed;

use crate::{
    problem::{Problem, Sheet, toml_files},
    reading::Symbol,
    rule::{Known, Shape, Shapes},
};

use super::{
    Catalog, Metric, Profile,
    every::{self, Every},
    written,
};

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
    let (mut shipped, mut own) = (shipped(), own(dir, &mut problems));
    let every_file = take_every(&mut own).or(take_every(&mut shipped)).unwrap_or_default();
    let offers = Offers::of(shipped.iter().chain(&own));
    let others = offers.shapes();
    let all: Vec<_> = others.values().flatten().copied().collect();
    let known = Known { own: &all, others: &others };
    let mut sheet = Sheet::new(&every_file.path, &every_file.text);
    let every = Every::read(&mut sheet, &known);
    for file in &shipped {
        match file.parse(&others, &every) {
            Ok(profile) => catalog.insert(profile),
            Err(found) => problems.extend(found),
        }
    }
    let mut seen: Vec<(String, &Path)> = Vec::new();
    for file in &own {
        match file.parse(&others, &every) {
            Ok(profile) => {
                if let Some((_, first)) = seen.iter().find(|(id, _)| *id == profile.id) {
                    let what = format!("{} has the profile {:?} too", first.display(), profile.id);
                    let cure = "give one of them another id";
                    problems.push(Problem::new(&file.path, "id", what, cure));
                }
                seen.push((profile.id.clone(), &file.path));
                catalog.insert(profile);
            }
            Err(found) => {
                problems.extend(found);
                catalog.note_broken(file.path.file_stem().unwrap_or_default());
            }
        }
    }
    let timelines = every.timelines(&mut sheet, &catalog, &known);
    catalog.share(timelines);
    problems.extend(sheet.into_problems());
    (catalog, problems)
}

/// One profile from the text of its file; its rules may look at the shipped ones.
pub fn parse(file: &Path, text: &str) -> Result<Profile, Vec<Problem>> {
    let mut files = shipped();
    let every_file = take_every(&mut files).unwrap_or_default();
    files.push(File { path: file.to_owned(), text: text.to_owned() });
    let offers = Offers::of(&files);
    let others = offers.shapes();
    let known = Known { own: &[], others: &others };
    let every = Every::read(&mut Sheet::new(&every_file.path, &every_file.text), &known);
    files.last().map_or(Err(Vec::new()), |file| file.parse(&others, &every))
}

/// The ids of the profiles in a folder, by their files' names.
pub fn ids_in(dir: &Path) -> Result<Vec<String>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut files = own(Some(dir), &mut problems);
    take_every(&mut files);
    let offers = Offers::of(&files);
    if problems.is_empty() { Ok(offers.0.into_keys().collect()) } else { Err(problems) }
}

/// Whether a folder has rules of its own for every profile.
pub fn shares_rules(dir: &Path) -> bool {
    dir.join(every::FILE).is_file()
}

/// The file with the rules that every profile has is no profile.
fn take_every(files: &mut Vec<File>) -> Option<File> {
    let place = files.iter().position(|file| file.path.ends_with(every::FILE))?;
    Some(files.remove(place))
}

/// A file that may be a profile.
#[derive(Default)]
struct File {
    path: PathBuf,
    text: String,
}

impl File {
    fn parse(&self, others: &Shapes<'_>, every: &Every) -> Result<Profile, Vec<Problem>> {
        let mut sheet = Sheet::new(&self.path, &self.text);
        let table = sheet.parse();
        let profile = table.and_then(|table| written::profile(&mut sheet, table, others, every));
        match profile {
            Some(profile) if sheet.is_clean() => Ok(profile),
            _ => Err(sheet.into_problems()),
        }
    }
}

/// The metrics of every profile, for rules that look at another device: a later file's replace an
/// earlier one's of the same id.
struct Offers(BTreeMap<String, Vec<Metric>>);

impl Offers {
    fn of<'a>(files: impl IntoIterator<Item = &'a File>) -> Self {
        let offer = |file: &File| {
            let mut sheet = Sheet::new(&file.path, &file.text);
            sheet.parse().and_then(|table| written::offers(&mut sheet, table))
        };
        Self(files.into_iter().filter_map(offer).collect())
    }

    fn shapes(&self) -> Shapes<'_> {
        let each = self.0.iter();
        each.map(|(id, metrics)| (id.clone(), metrics.iter().map(shaped).collect())).collect()
    }
}

fn shaped(metric: &Metric) -> (Symbol, Shape<'_>) {
    (metric.symbol, written::shape(metric))
}

fn shipped() -> Vec<File> {
    let file = |name: Cow<'static, str>| {
        let text = String::from_utf8_lossy(&Shipped::get(&name)?.data).into_owned();
        Some(File { path: Path::new("devices/profiles").join(name.as_ref()), text })
    };
    Shipped::iter().filter_map(file).collect()
}

fn own(dir: Option<&Path>, problems: &mut Vec<Problem>) -> Vec<File> {
    let Some(dir) = dir else { return Vec::new() };
    if !dir.is_dir() {
        let cure = "create it, or leave [profiles] dir out";
        problems.push(Problem::new(dir, "", "this folder of profiles does not exist", cure));
        return Vec::new();
    }
    let paths = toml_files(dir).unwrap_or_else(|problem| {
        problems.push(problem);
        Vec::new()
    });
    let mut files = Vec::new();
    for path in paths {
        match fs::read_to_string(&path) {
            Ok(text) => files.push(File { path, text }),
            Err(error) => {
                let what = format!("cannot be read: {error}");
                problems.push(Problem::new(&path, "", what, "check its permissions"));
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_profiles_load() {
        let catalog = load(None).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let mut ids: Vec<_> = catalog.iter().map(|profile| profile.id.as_str()).collect();
        ids.sort_unstable();
        let mut files = ids_in(Path::new("devices/profiles")).unwrap();
        files.sort_unstable();
        assert_eq!(ids, files, "all files of the folder, and nothing else");
        for profile in catalog.iter() {
            let silent = profile.rules.iter().filter(|rule| rule.id.as_str() == "silent");
            assert_eq!(silent.count(), usize::from(!profile.by_hand), "{}", profile.id);
        }
    }
}
