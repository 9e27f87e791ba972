//! Telegraf 1.39.3, the peer: the same broker, the same payloads, the same database.
//!
//! The settings are those that make it fair: the same promises to the broker (`QoS` 1, a persistent
//! session, acknowledged once written) and large batches.

use std::{fs, path::PathBuf, process::Command};

use tempfile::TempDir;

use super::support::{
    influx::{BUCKET, Influx, ORG, TOKEN},
    mosquitto::Mosquitto,
    process::{Process, find},
};

/// As the broker knows it.
pub(crate) const CLIENT: &str = "telegraf";

/// The process and its settings; killed when dropped.
#[derive(Debug)]
pub(crate) struct Telegraf {
    _folder: TempDir,
    pub(crate) process: Process,
}

impl Telegraf {
    pub(crate) fn start(broker: &Mosquitto, influx: &Influx) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("telegraf.conf");
        fs::write(&file, settings(broker.port(), &influx.url())).unwrap();
        let mut command = Command::new(program());
        command.arg("--config").arg(&file);
        let process = Process::start(&mut command, &folder.path().join("log"));
        Self { _folder: folder, process }
    }
}

fn settings(port: u16, influx: &str) -> String {
    format!(
        r#"[agent]
  interval = "1s"
  flush_interval = "1s"
  metric_batch_size = 5000
  metric_buffer_limit = 50000
  omit_hostname = true

[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{port}"]
  topics = ["waystation/v1/+/+/+/telemetry"]
  qos = 1
  persistent_session = true
  client_id = "{CLIENT}"
  max_undelivered_messages = 5000
  topic_tag = ""
  data_format = "json_v2"
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "waystation/v1/+/+/+/telemetry"
    tags = "_/_/district/station/device/_"
  [[inputs.mqtt_consumer.json_v2]]
    measurement_name = "fridge"
    timestamp_path = "at"
    timestamp_format = "unix_ms"
    [[inputs.mqtt_consumer.json_v2.object]]
      path = "readings"
      excluded_keys = ["dt"]

[[outputs.influxdb_v2]]
  urls = ["{influx}"]
  token = "{TOKEN}"
  organization = "{ORG}"
  bucket = "{BUCKET}"
"#
    )
}

fn program() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"),
        PathBuf::from,
    );
    find("Telegraf 1.39.3", [cache.join("waystation-tests/telegraf-1.39.3/telegraf")])
}
