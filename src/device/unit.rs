//! The unit of a metric, which is the end of its name.

/// Endings of metric names and the units they stand for.
const UNITS: [(&str, &str); 22] = [
    ("_c", "°C"),
    ("_pct", "%"),
    ("_ppm", "ppm"),
    ("_wh", "Wh"),
    ("_w", "W"),
    ("_kwh", "kWh"),
    ("_v", "V"),
    ("_ma", "mA"),
    ("_a", "A"),
    ("_ms", "ms"),
    ("_s", "s"),
    ("_h", "h"),
    ("_ugm3", "µg/m³"),
    ("_mgm3", "mg/m³"),
    ("_mgl", "mg/L"),
    ("_dbm", "dBm"),
    ("_kmh", "km/h"),
    ("_lux", "lx"),
    ("_litres", "L"),
    ("_hpa", "hPa"),
    ("_db", "dB"),
    ("_hz", "Hz"),
];

/// The unit a metric's name ends in; empty for counts, states and words.
pub fn unit(metric: &str) -> &'static str {
    let name = metric.strip_suffix("_total").unwrap_or(metric);
    let found = UNITS.iter().find(|(ending, _)| {
        name.strip_suffix(ending).is_some_and(|rest| !rest.is_empty())
            || ending.strip_prefix('_').is_some_and(|whole| whole == name && whole.len() > 2)
    });
    found.map_or("", |(_, unit)| unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_come_from_names() {
        for (metric, expected) in [
            ("temp_c", "°C"),
            ("energy_wh_total", "Wh"),
            ("power_w", "W"),
            ("battery_pct", "%"),
            ("co2_ppm", "ppm"),
            ("rssi_dbm", "dBm"),
            ("litres_total", "L"),
            ("lux", "lx"),
            ("in_total", ""),
            ("door_open", ""),
            ("c", ""),
        ] {
            assert_eq!(unit(metric), expected, "{metric}");
        }
    }
}
