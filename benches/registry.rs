//! How long it takes to know 10 000 stations with 12 devices each.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]

use std::{fmt::Write, fs, path::Path};

use divan::Bencher;
use tempfile::TempDir;
use waystation::{device, registry};

const PROFILES: [&str; 5] = ["door", "people", "fridge", "power_banks", "aed"];

/// `files` districts, 10 000 stations and 120 000 devices in all.
fn fleet(files: usize) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("stations")).unwrap();
    for file in 0..files {
        let path = dir.path().join(format!("stations/d{file:04}.toml"));
        fs::write(path, district(file, 10_000 / files)).unwrap();
    }
    dir
}

fn district(number: usize, stations: usize) -> String {
    let mut text = format!(
        "[district]\nid = \"d{number}\"\nname = {{ en = \"D\", zh = \"区\" }}\n\
         time_zone = \"Asia/Shanghai\"\n"
    );
    for station in 0..stations {
        let capacity = 10 + station % 40;
        write!(
            text,
            "[[stations]]\nid = \"s{station}\"\nname = {{ en = \"Station {station}\", zh = \"站{station}\" }}\n\
             position = [31.2, 121.4]\ncapacity = {capacity}\nopens = \"08:00-22:00\"\ndevices = [\n"
        )
        .unwrap();
        for (device, profile) in PROFILES.iter().cycle().take(12).enumerate() {
            writeln!(text, "  {{ id = \"{profile}-{device}\", profile = \"{profile}\" }},")
                .unwrap();
        }
        text.push_str("]\n");
    }
    text
}

#[divan::bench(args = [1, 16], sample_count = 5, sample_size = 1)]
fn load_120_000_devices(bencher: Bencher<'_, '_>, files: usize) {
    let catalog = device::load(None).unwrap();
    let dir = fleet(files);
    let path: &Path = dir.path();
    bencher.bench_local(|| {
        let registry = registry::load(path, &catalog, None).unwrap();
        assert_eq!(registry.slots(), 120_000);
        registry
    });
}

fn main() {
    divan::main();
}
