//! Questions to InfluxDB, in Flux. Windows are made here of the points, as the embedded store makes
//! them, so that both answer the same for numbers, states and words.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use fallible_iterator::FallibleIterator as _;
use influxdb2::{Client, RequestError, models::Query};
use influxdb2_structmap::value::Value as Cell;
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::client;
use crate::{
    reading::Timestamp,
    settings,
    store::{
        ANSWER_MAX, Datum, Latest, Newest, Of, Point, QuestionError, Series, SeriesQuery,
        windows_of,
    },
};

/// How far back the newest value of a metric is looked for.
const LATEST_WITHIN: &str = "-30d";
/// Points read at once to make windows of: a year of one a minute.
const POINTS_MAX: usize = 600_000;
/// Questions asked at once; the rest wait.
const AT_ONCE: usize = 4;

/// Asks one bucket.
#[derive(Debug, Clone)]
pub struct Asker {
    client: Client,
    bucket: String,
    permits: Arc<Semaphore>,
}

type Row = BTreeMap<String, Cell>;

impl Asker {
    pub fn new(settings: &settings::Influx) -> anyhow::Result<Self> {
        let client = client::client(settings, reqwest_influx::header::HeaderMap::new())?;
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        Ok(Self { client, bucket: settings.bucket.clone(), permits })
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
        let of_device = of_device(path, profile);
        let flux = format!("{} {} {of_device} |> last()", self.from(), latest_range());
        self.ask(flux, usize::MAX, |row| latest(&row)).await
    }

    /// The newest values of the devices of some stations: one question.
    pub async fn latest_of(&self, devices: &[Of]) -> Result<Vec<Newest>, QuestionError> {
        let of_any = of_any(devices);
        let flux = format!("{} {} {of_any} |> last()", self.from(), latest_range());
        let told = |row: Row| {
            let tag = |name| match row.get(name) {
                Some(Cell::String(tag)) => Some(tag.as_str()),
                _ => None,
            };
            let path = [tag("district")?, tag("station")?, tag("device")?].join("/");
            Some(Newest { path, latest: latest(&row)? })
        };
        self.ask(flux, usize::MAX, told).await
    }

    async fn points(&self, query: &SeriesQuery, most: usize) -> Result<Vec<Point>, QuestionError> {
        let (from, to) = (flux_time(query.from), flux_time(query.to));
        let mut flux = format!("{} |> range(start: {from}, stop: {to})", self.from());
        flux += &of_device(&query.path, &query.profile);
        write!(flux, " |> filter(fn: (r) => r._field == {})", quoted(&query.metric)).ok();
        write!(flux, " |> keep(columns: [\"_time\", \"_value\"]) |> limit(n: {})", most + 1).ok();
        let mut points = self.ask(flux, most, |row| point(&row)).await?;
        points.sort_by_key(|point| point.at);
        Ok(points)
    }

    /// Reads the rows of an answer one by one: as records all of them would take twenty times the
    /// memory of their points. The client panics on a cell that is none; in a task of its own that
    /// is but an error.
    async fn ask<T: Send + 'static>(
        &self,
        flux: String,
        most: usize,
        mut read: impl FnMut(Row) -> Option<T> + Send + 'static,
    ) -> Result<Vec<T>, QuestionError> {
        let unavailable = |reason: String| QuestionError::Unavailable { reason };
        let _permit =
            self.permits.acquire().await.map_err(|closed| unavailable(closed.to_string()))?;
        let answer = self.client.query_raw_iter(Some(Query::new(flux))).await;
        let table = answer.map_err(|error| unavailable(said(&error)))?;
        let reading = spawn_blocking(move || {
            let mut rows = table.result();
            let mut all = Vec::new();
            while let Some(record) = rows.next()? {
                all.extend(read(record.values));
                if all.len() > most {
                    return Ok(Err(QuestionError::TooManyPoints));
                }
            }
            Ok::<_, RequestError>(Ok(all))
        });
        match reading.await {
            Ok(Ok(all)) => all,
            Ok(Err(error)) => Err(unavailable(said(&error))),
            Err(_) => Err(unavailable("InfluxDB's answer was no table".to_owned())),
        }
    }

    fn from(&self) -> String {
        format!("from(bucket: {})", quoted(&self.bucket))
    }
}

fn of_device(path: &str, profile: &str) -> String {
    let mut text = format!(" |> filter(fn: (r) => r._measurement == {})", quoted(profile));
    for (tag, value) in ["district", "station", "device"].into_iter().zip(path.split('/')) {
        write!(text, " |> filter(fn: (r) => r.{tag} == {})", quoted(value)).ok();
    }
    text
}

fn latest_range() -> String {
    // A device's clock may be ahead of ours: without a stop its newest values would be left out.
    format!("|> range(start: {LATEST_WITHIN}, stop: {})", flux_time(Timestamp(i64::MAX)))
}

/// All devices of the stations that are named; whoever asks picks its own.
fn of_any(devices: &[Of]) -> String {
    let mut stations: Vec<(&str, &str)> = devices.iter().map(Of::station).collect();
    stations.dedup();
    let mut profiles: Vec<&str> = devices.iter().map(|of| of.profile.as_str()).collect();
    profiles.sort_unstable();
    profiles.dedup();
    let stations = stations.into_iter().map(|(district, station)| {
        format!("(r.district == {} and r.station == {})", quoted(district), quoted(station))
    });
    let profiles = profiles.into_iter().map(|p| format!("r._measurement == {}", quoted(p)));
    let any = |terms: Vec<String>| format!("|> filter(fn: (r) => {})", terms.join(" or "));
    format!("{} {}", any(profiles.collect()), any(stations.collect()))
}

/// Why a question has no answer, for the person who asked.
fn said(error: &RequestError) -> String {
    match error {
        RequestError::Http { status, text } => {
            format!("InfluxDB answers {} ({})", status.as_u16(), client::message(text))
        }
        other => format!("InfluxDB: {}", client::plain(other)),
    }
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

fn latest(row: &Row) -> Option<Latest> {
    let Some(Cell::String(metric)) = row.get("_field") else { return None };
    let Point { at, value } = point(row)?;
    Some(Latest { metric: Arc::from(metric.as_str()), value, at })
}

fn point(values: &Row) -> Option<Point> {
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
