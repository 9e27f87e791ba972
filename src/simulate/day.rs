//! How busy a station is through a day: couriers come before and after the meals, few at night.

use crate::reading::Timestamp;

/// Share of an average hour's visits in each hour of the local day; they add up to 24.
const BY_HOUR: [f64; 24] = [
    0.25, 0.20, 0.15, 0.15, 0.20, 0.40, 0.70, 1.00, 1.15, 1.20, 1.35, 1.70, 1.80, 1.90, 1.95, 1.60,
    1.35, 1.40, 1.50, 1.35, 1.05, 0.75, 0.55, 0.35,
];

const HOUR_MS: i64 = 3_600_000;

/// Visits of this hour against those of an average one.
pub(super) fn busyness(now: Timestamp, offset_hours: i64) -> f64 {
    let hour = (now.0.div_euclid(HOUR_MS) + offset_hours).rem_euclid(24);
    usize::try_from(hour).ok().and_then(|hour| BY_HOUR.get(hour)).copied().unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_day_is_average() {
        let sum: f64 = BY_HOUR.iter().sum();
        assert!((sum - 24.0).abs() < 0.05, "{sum}");
    }

    #[test]
    fn afternoons_are_busier_than_nights_where_the_station_is() {
        let noon_utc = Timestamp(12 * HOUR_MS);
        assert!(busyness(noon_utc, 0) > busyness(noon_utc, -9));
    }
}
