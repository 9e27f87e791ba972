//! Questions to InfluxDB, in Flux. Windows are made here of the points, as the embedded store makes
//! them, so that both answer the same for numbers, states and words.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use influxdb2::{Client, api::query::FluxRecord, models::Query};
use influxdb2_structmap::value::Value as Cell;
use tokio::task::JoinSet;

use super::client;
use crate::{
    reading::Timestamp,
    settings,
    store::{ANSWER_MAX, Datum, Latest, Point, QuestionError, Series, SeriesQuery, windows_of},
};

/// How far back the newest value of a metric is looked for.
const LATEST_WITHIN: &str = "-30d";
/// Points read at once to make windows of.
const POINTS_MAX: usize = 2_000_000;

/// Asks one bucket.
#[derive(Debug, Clone)]
pub struct Asker {
    client: Client,
    bucket: String,
}

impl Asker {
    pub fn new(settings: &settings::Influx) -> anyhow::Result<Self> {
        let client = client::client(settings, reqwest_influx::header::HeaderMap::new())?;
        Ok(Self { client, bucket: settings.bucket.clone() })
    }

    /// Points, or windows, of one series.
    pub async fn windows(&self, query: &SeriesQuery) -> Result<Series, QuestionError> {
        query.check()?;
        let most = if query.window.is_some() { POINTS_MAX } else { ANSWER_MAX };
        let points = self.points(query, most).await?;
        Ok(match query.window {
            None => Series::Points(points),
            Some(window) => Series::Windows(windows_of(points, window)),
        })
    }

    /// The newest value of each metric of a device.
    pub async fn latest(&self, path: &str, profile: &str) -> Result<Vec<Latest>, QuestionError> {
        let flux = format!(
            "{} |> range(start: {LATEST_WITHIN}) {} |> last()",
            self.from(),
            of_device(path, profile)
        );
        let records = self.ask(flux).await?;
        let latest = records.into_iter().filter_map(|record| {
            let Some(Cell::String(metric)) = record.values.get("_field") else { return None };
            let metric = Arc::from(metric.as_str());
            let point = point(&record.values)?;
            Some(Latest { metric, value: point.value, at: point.at })
        });
        Ok(latest.collect())
    }

    async fn points(&self, query: &SeriesQuery, most: usize) -> Result<Vec<Point>, QuestionError> {
        let (from, to) = (flux_time(query.from), flux_time(query.to));
        let mut flux = format!("{} |> range(start: {from}, stop: {to})", self.from());
        flux += &of_device(&query.path, &query.profile);
        write!(flux, " |> filter(fn: (r) => r._field == {})", quoted(&query.metric)).ok();
        write!(flux, " |> keep(columns: [\"_time\", \"_value\"]) |> limit(n: {})", most + 1).ok();
        let records = self.ask(flux).await?;
        if records.len() > most {
            return Err(QuestionError::TooManyPoints);
        }
        let mut points: Vec<Point> =
            records.iter().filter_map(|record| point(&record.values)).collect();
        points.sort_by_key(|point| point.at);
        Ok(points)
    }

    fn from(&self) -> String {
        format!("from(bucket: {})", quoted(&self.bucket))
    }

    /// The client panics on an answer that is cut short: in a task of its own that is but an error.
    async fn ask(&self, flux: String) -> Result<Vec<FluxRecord>, QuestionError> {
        let client = self.client.clone();
        let mut task = JoinSet::new();
        task.spawn(async move { client.query_raw(Some(Query::new(flux))).await });
        let unavailable = |reason: String| QuestionError::Unavailable { reason };
        match task.join_next().await {
            Some(Ok(Ok(records))) => Ok(records),
            Some(Ok(Err(error))) => Err(unavailable(error.to_string())),
            _ => Err(unavailable("its answer was cut short".to_owned())),
        }
    }
}

fn of_device(path: &str, profile: &str) -> String {
    let mut text = format!(" |> filter(fn: (r) => r._measurement == {})", quoted(profile));
    for (tag, value) in ["district", "station", "device"].into_iter().zip(path.split('/')) {
        write!(text, " |> filter(fn: (r) => r.{tag} == {})", quoted(value)).ok();
    }
    text
}

/// Flux reads times from 1677 to 2262, in RFC 3339.
fn flux_time(at: Timestamp) -> String {
    const FIRST: i64 = -9_223_372_036_000;
    const LAST: i64 = 9_223_372_036_000;
    Timestamp(at.0.clamp(FIRST, LAST)).to_string()
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "\\${");
    format!("\"{escaped}\"")
}

fn point(values: &BTreeMap<String, Cell>) -> Option<Point> {
    let Some(Cell::TimeRFC(time)) = values.get("_time") else { return None };
    let value = match values.get("_value")? {
        Cell::Double(number) => Datum::Number(number.into_inner()),
        Cell::Bool(state) => Datum::State(*state),
        Cell::String(word) => Datum::Word(Arc::from(word.as_str())),
        _ => return None,
    };
    Some(Point { at: Timestamp(time.timestamp_millis()), value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(quoted(r#"a" or "b"#), r#""a\" or \"b""#);
        assert_eq!(quoted("${1 + 1}"), "\"\\${1 + 1}\"");
    }

    #[test]
    fn times_are_what_flux_can_read() {
        assert_eq!(flux_time(Timestamp(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(flux_time(Timestamp(i64::MAX)), "2262-04-11T23:47:16.000Z");
    }
}
