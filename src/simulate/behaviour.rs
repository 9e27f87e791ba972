//! How a simulated metric behaves, as a profile's `[simulate]` says it.
//!
//! ```toml
//! [simulate]
//! temp_c    = { wave = { mean = 4.2, swing = 0.6, period = "40m", noise = 0.1, round = 0.1 } }
//! door_open = { moments = { per_hour = 6, for = "20s" } }     # true for a while, by day more often
//! in_total  = { grows = { per_hour = 13 } }                   # a counter that people turn
//! granted_total = { counts = { metric = "open" } }           # how often something became true
//! out_total = { trails = { metric = "in_total", by = "12m" } }
//! occupancy = { difference = { of = "in_total", and = "out_total" } }
//! battery_pct = { drains = { from = 100, to = 40, over = "700d" } }
//! available = { wanders = { low = 1, high = 8, step = 1 } }
//! selftest_at = { daily = { at = "03:30" } }
//! speed_kmh = { while = { metric = "ignition", mean = 26, noise = 14 } }   # else 0
//! lat       = { place = { axis = "lat", moves_with = "ignition", strays = 0.02 } }
//! mode      = { steady = "scheduled" }
//!
//! [[simulate.faults]]                                         # now and then something breaks
//! id = "door_left_open"
//! every = "3d"
//! for = "45m"
//! set = { door_open = true }
//! add = { temp_c = 6.0 }
//! ```

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::Value;

/// All that a profile says of its simulation.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Behaviours {
    #[serde(default)]
    pub faults: Vec<Fault>,
    #[serde(flatten)]
    pub metrics: BTreeMap<String, Behaviour>,
}

/// What one metric does.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Behaviour {
    /// Always this.
    Steady(Value),
    /// A slow sine with noise; `by_day` is added when the station is busiest.
    Wave {
        mean: f64,
        #[serde(default)]
        swing: f64,
        #[serde(default = "an_hour", with = "humantime_serde")]
        period: Duration,
        #[serde(default)]
        noise: f64,
        #[serde(default)]
        by_day: f64,
        #[serde(default = "tenth")]
        round: f64,
    },
    /// True for a while, `per_hour` times in an average hour.
    Moments {
        per_hour: f64,
        #[serde(rename = "for", with = "humantime_serde")]
        lasts: Duration,
    },
    /// A counter that grows by `step`, `per_hour` times in an average hour.
    Grows {
        per_hour: f64,
        #[serde(default = "one")]
        step: f64,
    },
    /// A counter of how often another metric became true.
    Counts { metric: String },
    /// What another metric was some time ago.
    Trails {
        metric: String,
        #[serde(with = "humantime_serde")]
        by: Duration,
    },
    /// One metric less another, never below zero.
    Difference { of: String, and: String },
    /// Falls from one value to another, then starts again (somebody changed the battery).
    Drains {
        from: f64,
        to: f64,
        #[serde(with = "humantime_serde")]
        over: Duration,
    },
    /// A whole number that moves by at most `step` between reports.
    Wanders {
        low: f64,
        high: f64,
        #[serde(default = "one")]
        step: f64,
    },
    /// The last time it was this time of day (UTC), in ms since 1970.
    Daily { at: String },
    /// About `mean` while another metric is true, else 0.
    While {
        metric: String,
        mean: f64,
        #[serde(default)]
        noise: f64,
    },
    /// Degrees about the station's position; somewhere else after each time another metric was true.
    Place { axis: Axis, moves_with: String, strays: f64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    Lat,
    Lon,
}

/// Something that breaks now and then.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub id: String,
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    #[serde(rename = "for", with = "humantime_serde")]
    pub lasts: Duration,
    /// Metrics that are this while it lasts.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// Numbers that are this much more while it lasts.
    #[serde(default)]
    pub add: BTreeMap<String, f64>,
    /// Counters that have grown by this much once it begins, for good.
    #[serde(default)]
    pub grow: BTreeMap<String, f64>,
    /// The device says nothing while it lasts.
    #[serde(default)]
    pub silent: bool,
}

impl Behaviours {
    /// Reads a profile's `[simulate]`; the error names the key.
    pub fn from_table(table: &toml::Table) -> Result<Self, toml::de::Error> {
        toml::Value::Table(table.clone()).try_into()
    }
}

fn an_hour() -> Duration {
    Duration::from_hours(1)
}

fn tenth() -> f64 {
    0.1
}

fn one() -> f64 {
    1.0
}
