//! What a person may set: defaults ← `waystation.toml` ← environment (`WAYSTATION__SECTION__KEY`).
//!
//! One struct a concern, each with its defaults. `config/waystation.toml` shows every setting at its
//! default; a test holds it to these structs.

mod load;
mod ranges;
mod secret;
mod secrets;
mod size;

pub use load::load;
pub use secret::Secret;
pub use size::ByteSize;

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the journal, the alert ledger, the embedded store and `addresses.json` live.
    pub data_dir: PathBuf,
    pub subscribe: Subscribe,
    pub listen: Listen,
    pub ingest: Ingest,
    pub journal: Journal,
    pub store: Store,
    pub alert: Alert,
    pub notify: Notify,
    pub web: Web,
    pub profiles: Profiles,
}

/// A session with a broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Subscribe {
    /// `mqtt://host:1883` or `mqtts://host:8883`; empty = off.
    pub broker: String,
    pub client_id: String,
    pub username: String,
    pub password: Secret,
    pub password_file: Option<PathBuf>,
    /// First levels of every topic, here and at `listen`.
    pub prefix: String,
    #[serde(with = "humantime_serde")]
    pub keep_alive: Duration,
    /// A PEM file of the certificate authority to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// Devices connect straight here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// Address such as `127.0.0.1:1883`; empty = off.
    pub mqtt: String,
    /// Let devices in without a password on an address that others can reach.
    pub allow_anonymous: bool,
    /// `user:password` a line, the password as `sha256:<hex of salt>:<hex of digest>`.
    pub users_file: Option<PathBuf>,
    /// Connections at most.
    pub max_connections: u32,
}

/// Limits that hold for both doors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ingest {
    /// Payload bytes of one message at most; over it the message is refused (and acknowledged).
    pub max_message: ByteSize,
    /// Bytes taken from devices that are not yet on disk, at most.
    pub max_in_flight: ByteSize,
    /// Messages a second a device may keep up.
    pub device_rate: f64,
    /// Messages a device may send at once before the rate holds.
    pub device_burst: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    pub max_bytes: ByteSize,
    pub when_full: WhenFull,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// Publishers wait; nothing is lost.
    StopAcknowledging,
    /// The oldest groups go, counted.
    DropOldest,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    pub kind: StoreKind,
    /// How long readings are kept (embedded; for InfluxDB set it on the bucket).
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    pub influx: Influx,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    Embedded,
    Influx,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Influx {
    pub url: String,
    pub org: String,
    pub bucket: String,
    pub token: Secret,
    pub token_file: Option<PathBuf>,
    /// Lines in one request at most.
    pub batch_lines: u32,
    /// Requests under way at once.
    pub in_flight: u32,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alert {
    /// After a start nothing counts as silent for this long.
    #[serde(with = "humantime_serde")]
    pub startup_grace: Duration,
    /// How long our own input may be away before we say so ourselves.
    #[serde(with = "humantime_serde")]
    pub input_lost_after: Duration,
    /// How long alerts that are over, and what became of them, are kept.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notify {
    pub webhooks: Vec<Webhook>,
    /// A notice nobody could be given for this long is set aside, counted and shown.
    #[serde(with = "humantime_serde")]
    pub give_up_after: Duration,
}

/// A target that gets every notice as JSON, signed as Standard Webhooks say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    pub url: String,
    /// `whsec_<base64>` or any text; empty = unsigned.
    pub secret: Secret,
    pub secret_file: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Web {
    /// Address such as `127.0.0.1:8080`; empty = off.
    pub listen: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profiles {
    /// A folder of profiles that add to the shipped ones or replace them.
    pub dir: Option<PathBuf>,
}

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            subscribe: Subscribe::default(),
            listen: Listen::default(),
            ingest: Ingest::default(),
            journal: Journal::default(),
            store: Store::default(),
            alert: Alert::default(),
            notify: Notify::default(),
            web: Web::default(),
            profiles: Profiles::default(),
        }
    }
}

impl Default for Subscribe {
    fn default() -> Self {
        Self {
            broker: String::new(),
            client_id: "waystation".to_owned(),
            username: String::new(),
            password: Secret::default(),
            password_file: None,
            prefix: "waystation/v1".to_owned(),
            keep_alive: Duration::from_secs(30),
            ca_file: None,
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            mqtt: String::new(),
            allow_anonymous: false,
            users_file: None,
            max_connections: 20_000,
        }
    }
}

impl Default for Ingest {
    fn default() -> Self {
        Self {
            max_message: ByteSize::kib(64),
            max_in_flight: ByteSize::mib(64),
            device_rate: 100.0,
            device_burst: 10_000,
        }
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self { max_bytes: ByteSize::gib(2), when_full: WhenFull::StopAcknowledging }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { kind: StoreKind::Embedded, retention: hours(24 * 400), influx: Influx::default() }
    }
}

impl Default for Influx {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8086".to_owned(),
            org: "waystation".to_owned(),
            bucket: "waystation".to_owned(),
            token: Secret::default(),
            token_file: None,
            batch_lines: 5_000,
            in_flight: 4,
            timeout: Duration::from_secs(30),
        }
    }
}

impl Default for Alert {
    fn default() -> Self {
        Self {
            startup_grace: Duration::from_mins(2),
            input_lost_after: Duration::from_mins(1),
            keep: hours(24 * 400),
        }
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self { webhooks: Vec::new(), give_up_after: hours(72) }
    }
}

impl Default for Web {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".to_owned() }
    }
}

#[cfg(test)]
mod tests;
