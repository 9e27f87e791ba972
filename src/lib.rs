//! Looks after 24-hour unattended rest stations: takes telemetry over MQTT, keeps it on disk,
//! stores it, and calls a crew when a station needs one. Start reading at `daemon`.

pub mod reading;
pub mod clock;
pub mod problem;
pub mod settings;
pub mod rule;
pub mod device;
pub mod registry;
pub mod ingest;
pub mod data_dir;
pub mod journal;
pub mod decode;
pub mod derive;
pub mod follow;
pub mod store;
pub mod notify;
pub mod telemetry;
pub mod alert;
pub mod rehearse;
pub mod stages;
pub mod simulate;
pub mod check;
pub mod contract;
pub mod live;
pub mod command;
pub mod web;
pub mod daemon;
