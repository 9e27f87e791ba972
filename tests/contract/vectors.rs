//! The messages of `devices/vectors`, and the type of device they are of.

use std::{fs, path::Path, sync::Arc};

use serde::Deserialize;
use waystation::{
    device::{MetricKind, Profile},
    reading::{Symbol, Timestamp},
};

/// 2026-01-01T00:00:00Z, when they are received.
pub(crate) const NEW_YEAR: Timestamp = Timestamp(1_767_225_600_000);

/// What of a vector the schemas can be held to.
#[derive(Debug, Deserialize)]
pub(crate) struct Vector {
    pub(crate) name: String,
    #[serde(default)]
    topic: String,
    #[serde(default)]
    pub(crate) payload: String,
    #[serde(default)]
    pub(crate) payload_hex: String,
}

impl Vector {
    /// The last level of its topic.
    pub(crate) fn kind(&self) -> &str {
        self.topic.rsplit('/').next().filter(|kind| !kind.is_empty()).unwrap_or("telemetry")
    }
}

pub(crate) fn all() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("devices/vectors");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|file| file.extension().is_some_and(|e| e == "json"));
    let read =
        |file| -> Vec<Vector> { serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap() };
    files.flat_map(read).collect()
}

/// The profile that `devices/vectors/README.md` describes.
pub(crate) fn profile() -> Arc<Profile> {
    let words = ["cool", "heat", "off"].map(|word| Symbol::intern(word).unwrap());
    let metrics = [
        ("temp_c", MetricKind::Number, Some([-40.0, 60.0])),
        ("power_w", MetricKind::Number, None),
        ("door_open", MetricKind::State, None),
        ("mode", MetricKind::Words(words.to_vec()), None),
        ("items_out_total", MetricKind::Counter, None),
        ("cleaned_at", MetricKind::Time, None),
    ];
    Arc::new(Profile::sample("fridge", &metrics).unwrap())
}
