//! Invents stations on top of registered ones, so that a fleet can be tried at its full size.
//!
//! Each is made after a pattern: all that its stations file says of a registered one (devices, hours,
//! rules) but name, address and people; somewhere between that one and a neighbour of it, so that a
//! fleet stays on dry land. What comes out are stations files again, for a daemon to read.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_pcg::Pcg64Mcg;
use toml::{Table, Value};

/// Among so many nearest neighbours one is chosen.
const NEIGHBOURS: usize = 4;
/// Degrees by which a position is off the line between two stations, at most: about 300 m.
const STRAY: f64 = 0.003;
/// Stations in one file.
const A_FILE: usize = 500;
/// What an invented station does not have.
const ITS_OWN: [&str; 3] = ["address", "phone", "master"];

/// A stations file that was invented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invented {
    /// In a folder of stations: `beijing-sim-01.toml`.
    pub name: PathBuf,
    pub text: String,
}

/// The stations files of a configuration, in order of their names.
pub fn read(config_dir: &Path) -> anyhow::Result<Vec<Table>> {
    let dir = config_dir.join("stations");
    let listed = fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut paths: Vec<_> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    let table = |path: &PathBuf| {
        let text = fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        text.parse().with_context(|| format!("{} is no TOML", path.display()))
    };
    paths.iter().map(table).collect()
}

/// Writes them into `dir`, which is made if need be; a file that is there is never replaced.
pub fn write(dir: &Path, files: &[Invented]) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for file in files {
        let path = dir.join(&file.name);
        ensure!(!path.exists(), "{} is there already: take another folder", path.display());
        fs::write(&path, &file.text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Files with as many stations as those of `files` lack to `total`. The same seed invents the same;
/// the stations of a smaller total are the first of a larger one.
pub fn invent(
    files: &[Table],
    total: usize,
    seed: u64,
    district: Option<&str>,
) -> anyhow::Result<Vec<Invented>> {
    let patterns = patterns(files, district);
    let mut taken: HashSet<_> = files.iter().flat_map(ids).collect();
    let registered = files.iter().map(|file| stations(file).count()).sum::<usize>();
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut made: Vec<Vec<Value>> = vec![Vec::new(); files.len()];
    let mut number = 0;
    for _ in registered..total {
        let pattern = patterns.choose(&mut rng).with_context(|| match district {
            Some(id) => format!("there is no station in a district {id:?} to invent others by"),
            None => "there is no station to invent others by".to_owned(),
        })?;
        let id = loop {
            number += 1;
            let id = format!("{}-sim-{number:05}", text(pattern.district, "id"));
            if taken.insert(id.clone()) {
                break id;
            }
        };
        let station = Value::Table(pattern.another(&id, number, &mut rng));
        made.get_mut(pattern.file).context("a pattern without a file")?.push(station);
    }
    written(files, made)
}

/// A station to invent others by.
struct Pattern<'a> {
    /// Index of its file.
    file: usize,
    district: &'a Table,
    station: &'a Table,
    /// Positions of the nearest stations of its file.
    neighbours: Vec<[f64; 2]>,
}

impl Pattern<'_> {
    fn another(&self, id: &str, number: u32, rng: &mut Pcg64Mcg) -> Table {
        let mut station = self.station.clone();
        station.retain(|key, _| !ITS_OWN.contains(&key));
        station.insert("id".to_owned(), Value::String(id.to_owned()));
        station.insert("name".to_owned(), Value::Table(self.name(number)));
        if let Some(place) = self.place(rng) {
            station.insert("position".to_owned(), place.map(Value::Float).to_vec().into());
        }
        station
    }

    fn name(&self, number: u32) -> Table {
        let name = self.district.get("name").and_then(Value::as_table);
        let of = |language| name.map_or("", |name| text(name, language));
        let en = format!("{} {number} (simulated)", of("en"));
        let zh = format!("{}模拟站{number}", of("zh"));
        Table::from_iter([("en".to_owned(), en.into()), ("zh".to_owned(), zh.into())])
    }

    /// Somewhere on the way to one of its neighbours, rounded to 10 m.
    fn place(&self, rng: &mut Pcg64Mcg) -> Option<[f64; 2]> {
        let here = position(self.station)?;
        let there = self.neighbours.choose(rng).copied().unwrap_or(here);
        let way = rng.random_range(0.0..1.0);
        let mut between = |from: f64, to: f64| {
            let degrees = from + (to - from) * way + rng.random_range(-STRAY..=STRAY);
            (degrees * 10_000.0).round() / 10_000.0
        };
        let ([lat, lon], [to_lat, to_lon]) = (here, there);
        Some([between(lat, to_lat), between(lon, to_lon)])
    }
}

fn patterns<'a>(files: &'a [Table], wanted: Option<&str>) -> Vec<Pattern<'a>> {
    let mut patterns = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let Some(district) = file.get("district").and_then(Value::as_table) else { continue };
        if wanted.is_some_and(|wanted| wanted != text(district, "id")) {
            continue;
        }
        let places: Vec<_> = stations(file).filter_map(position).collect();
        patterns.extend(stations(file).map(|station| Pattern {
            file: index,
            district,
            station,
            neighbours: nearest(position(station), &places),
        }));
    }
    patterns
}

fn nearest(to: Option<[f64; 2]>, places: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let Some([lat, lon]) = to else { return Vec::new() };
    let far = |[a, b]: &[f64; 2]| (a - lat).hypot((b - lon) * lat.to_radians().cos());
    let mut near = places.to_vec();
    near.sort_by(|a, b| far(a).total_cmp(&far(b)));
    // The nearest is the station itself.
    near.into_iter().skip(1).take(NEIGHBOURS).collect()
}

/// The invented stations of each file, under that file's district and rules.
fn written(files: &[Table], made: Vec<Vec<Value>>) -> anyhow::Result<Vec<Invented>> {
    let mut invented: Vec<Invented> = Vec::new();
    for (file, stations) in files.iter().zip(made) {
        let id = file.get("district").and_then(Value::as_table).map_or("", |d| text(d, "id"));
        for some in stations.chunks(A_FILE) {
            let mut table = file.clone();
            table.insert("stations".to_owned(), Value::Array(some.to_vec()));
            let text = toml::to_string(&table).context("cannot write the stations as TOML")?;
            let text = format!("# Invented by `waystation simulate --stations`.\n\n{text}");
            let name = format!("{id}-sim-{:02}.toml", invented.len() + 1).into();
            invented.push(Invented { name, text });
        }
    }
    Ok(invented)
}

fn stations(file: &Table) -> impl Iterator<Item = &Table> {
    let stations = file.get("stations").and_then(Value::as_array);
    stations.into_iter().flatten().filter_map(Value::as_table)
}

fn ids(file: &Table) -> impl Iterator<Item = String> {
    stations(file).map(|station| text(station, "id").to_owned())
}

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn position(station: &Table) -> Option<[f64; 2]> {
    let degrees = station.get("position")?.as_array()?;
    let number = |value: &Value| value.as_float().or_else(|| value.to_string().parse().ok());
    let [lat, lon] = degrees.as_slice() else { return None };
    Some([number(lat)?, number(lon)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device, registry::Registry};

    #[test]
    fn files_are_read_and_written_but_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let stations = folder.path().join("stations");
        fs::create_dir(&stations).unwrap();
        fs::write(stations.join("d.toml"), FLEET).unwrap();
        fs::write(stations.join("notes.txt"), "no TOML").unwrap();
        let files = invent(&read(folder.path()).unwrap(), 9, 1, None).unwrap();
        write(&stations, &files).unwrap();
        assert_eq!(read(folder.path()).unwrap().iter().flat_map(ids).count(), 9);
        let again = write(&stations, &files).unwrap_err().to_string();
        assert!(again.contains("d-sim-01.toml is there already"), "{again}");
    }

    const FLEET: &str = r#"
        [district]
        id = "d"
        name = { en = "D", zh = "区" }
        time_zone = "Asia/Shanghai"
        [rules.fridge.too_warm]
        limit = 7.0
        [[stations]]
        id = "a"
        name = { en = "A", zh = "甲" }
        position = [31, 121.40]
        capacity = 20
        phone = "021"
        opens = "08:00-22:00"
        devices = [{ id = "door-1", profile = "door" }, { id = "people-1", profile = "people" }]
        [[stations]]
        id = "d-sim-00003"
        name = { en = "B", zh = "乙" }
        position = [31.04, 121.46]
        devices = [{ id = "fridge-1", profile = "fridge", reports_every = "5m" }]
    "#;

    fn fleet(total: usize, seed: u64) -> Vec<Invented> {
        invent(&[FLEET.parse().unwrap()], total, seed, None).unwrap()
    }

    #[test]
    fn a_seed_invents_the_same_stations_again_and_a_larger_fleet_begins_alike() {
        assert_eq!(fleet(50, 7), fleet(50, 7));
        assert_ne!(fleet(50, 7), fleet(50, 8));
        assert!(fleet(80, 7)[0].text.starts_with(fleet(50, 7)[0].text.trim_end()));
        let lengths = |total| fleet(total, 7).len();
        assert_eq!((lengths(2), lengths(3), lengths(502), lengths(503)), (0, 1, 1, 2));
        let nowhere = invent(&[FLEET.parse().unwrap()], 50, 7, Some("e")).unwrap_err();
        assert!(nowhere.to_string().contains("\"e\""));
    }

    #[test]
    fn invented_stations_can_be_registered_and_are_like_the_real_ones_and_near_them() {
        let catalog = device::load(None).unwrap();
        let grown = Registry::from_toml(&fleet(62, 1)[0].text, &catalog).unwrap();
        assert_eq!(grown.stations.len(), 60);
        for station in &grown.stations {
            let [lat, lon] = station.position.unwrap();
            assert!((30.99..=31.05).contains(&lat) && (121.39..=121.47).contains(&lon));
            assert_eq!(station.phone, None);
            assert!(station.id.starts_with("d-sim-") && station.id != "d-sim-00003");
        }
        let doors = grown.devices().filter(|device| device.profile.id == "door").count();
        assert!((10..50).contains(&doors), "{doors}");
        let fridge = grown.devices().find(|device| device.profile.id == "fridge").unwrap();
        assert_eq!(fridge.reports_every.as_secs(), 300);
    }
}
