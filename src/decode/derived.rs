//! What is derived of a station, as it is noted beside the group whose messages it came of.

use serde::{Deserialize, Serialize};

use crate::reading::{Timestamp, Value};

/// A reading of a station's own device, and the message that it came of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Derived {
    /// Of the message, in its group.
    pub index: u32,
    pub at: Timestamp,
    pub figures: Figures,
}

/// The metrics of the profile `station`; what is not known is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    pub occupancy: Option<u32>,
    pub visits_total: Option<u32>,
    pub dwell_s: Option<u32>,
    pub drift: i32,
    pub drift_pct: u32,
    pub anchored: bool,
    pub jumps_total: u32,
}

impl Figures {
    /// The metric of that name.
    pub fn value(&self, name: &str) -> Option<Value> {
        let number = |number: u32| Value::Number(f64::from(number));
        match name {
            "occupancy" => self.occupancy.map(number),
            "visits_total" => self.visits_total.map(number),
            "dwell_s" => self.dwell_s.map(number),
            "drift" => Some(Value::Number(f64::from(self.drift))),
            "drift_pct" => Some(number(self.drift_pct)),
            "anchored" => Some(Value::State(self.anchored)),
            "jumps_total" => Some(number(self.jumps_total)),
            _ => None,
        }
    }
}
