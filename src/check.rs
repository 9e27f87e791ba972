//! Reads every file a person wrote, and says all that is wrong in any of them.

use std::path::{Path, PathBuf};

use crate::{
    device::{self, Catalog},
    problem::Problem,
    registry::{self, Registry},
    settings::{self, Settings},
    simulate::Behaviours,
};

/// All that the daemon is told by files.
#[derive(Debug)]
pub struct Loaded {
    pub settings: Settings,
    pub catalog: Catalog,
    pub registry: Registry,
}

/// Loads settings, profiles and stations, or returns all mistakes of all files.
///
/// Opens no socket and writes nothing. A mistake in one file does not hide those of another.
pub fn check(
    config_dir: &Path,
    env: impl Iterator<Item = (String, String)>,
) -> Result<Loaded, Vec<Problem>> {
    let mut problems = Vec::new();
    let settings = settings::load(config_dir, env).map_err(|found| problems.extend(found)).ok();
    let dir = match &settings {
        Some(settings) => settings.profiles.dir.clone(),
        None => likely_profiles_dir(config_dir),
    };
    let (catalog, found) = device::load_what_is_right(dir.as_deref());
    problems.extend(found);
    problems.extend(simulations(&catalog));
    let registry = registry::load(config_dir, &catalog, None);
    let registry = registry.map_err(|found| problems.extend(found)).ok();
    match (settings, registry) {
        (Some(settings), Some(registry)) if problems.is_empty() => {
            Ok(Loaded { settings, catalog, registry })
        }
        _ => Err(problems),
    }
}

/// The registry anew, as the daemon reads it while it runs: devices that stay keep their slot.
///
/// Settings are checked too but count from the next start.
pub fn reload(
    config_dir: &Path,
    env: impl Iterator<Item = (String, String)>,
    previous: &Registry,
) -> Result<Registry, Vec<Problem>> {
    let loaded = check(config_dir, env)?;
    registry::load(config_dir, &loaded.catalog, Some(previous))
}

/// Where one's own profiles are, although the settings could not be loaded.
fn likely_profiles_dir(config_dir: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(config_dir.join("waystation.toml")).ok()?;
    let table: toml::Table = toml::from_str(&text).ok()?;
    let dir = table.get("profiles")?.get("dir")?.as_str()?;
    Some(config_dir.join(dir)).filter(|dir| dir.is_dir())
}

fn simulations(catalog: &Catalog) -> impl Iterator<Item = Problem> {
    catalog.iter().filter_map(|profile| {
        let error = Behaviours::from_table(&profile.simulate).err()?;
        let file = format!("{}.toml", profile.id);
        Some(Problem::new(Path::new(&file), "simulate", error.message(), ""))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(dir: &Path, name: &str, text: &str) {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn found(dir: &Path) -> Vec<String> {
        let problems = check(dir, std::iter::empty()).map(drop).unwrap_err();
        let root = dir.display().to_string();
        problems.iter().map(|problem| problem.to_string().replace(&root, "")).collect()
    }

    #[test]
    fn five_mistakes_in_three_files_are_all_reported() {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            "waystation.toml",
            "[web]\nlisten = \"nowhere\"\n[profiles]\ndir = \"profiles\"\n",
        );
        let (fridge, _) =
            include_str!("../devices/profiles/fridge.toml").split_once("[[timeline]]").unwrap();
        let fridge = fridge
            .replace("id = \"fridge\"", "id = \"cooler\"")
            .replace("limit = 8.0, clear = 7.0", "limit = 8.0, clear = 9.0")
            .replace(
                "when = { below = { metric = \"stock_pct\"",
                "when = { below = { metric = \"stok_pct\"",
            );
        write(dir.path(), "profiles/cooler.toml", &fridge);
        write(
            dir.path(),
            "stations/a.toml",
            "[district]\nid = \"d\"\nname = { en = \"D\", zh = \"区\" }\ntime_zone = \"Asia/Shanghai\"\n\
             [[stations]]\nid = \"s\"\nname = { en = \"S\", zh = \"站\" }\n\
             devices = [ { id = \"f\", profile = \"cooler\" }, { id = \"g\", profile = \"frigde\" } ]\n\
             [[stations]]\nid = \"t\"\nname = { en = \"T\", zh = \"站\" }\nopens = \"8-22\"\n",
        );
        let found = found(dir.path());
        let expected = [
            "/waystation.toml: web.listen: \"nowhere\" is no address",
            "/profiles/cooler.toml:50: rules[0] (too_warm).when.above: clear = 9 lies above limit = 8",
            "(empty).when.below: unknown metric \"stok_pct\" (did you mean \"stock_pct\"?)",
            "/stations/a.toml: stations[0].devices[1].profile: there is no profile \"frigde\" (did you",
            "/stations/a.toml: stations[1].opens: \"8-22\" is not like",
        ];
        for line in expected {
            assert!(found.iter().any(|found| found.contains(line)), "{line}\nnot in\n{found:#?}");
        }
        assert_eq!(found.len(), expected.len(), "{found:#?}");
    }

    #[test]
    fn what_is_shipped_is_right() {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        let loaded = check(&config, std::iter::empty());
        let loaded = loaded.unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert!(loaded.registry.stations.len() >= 60);
        for station in &loaded.registry.stations {
            for profile in ["door", "people"] {
                let has = |slot| loaded.registry.device(slot).unwrap().profile.id == profile;
                assert!(station.devices.iter().any(|slot| has(*slot)), "{}", station.id);
            }
        }
    }
}
