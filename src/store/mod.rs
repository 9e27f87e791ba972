//! Where time series live, and the few questions every store answers.
//!
//! A window starts at a multiple of its length since 1970-01-01T00:00:00Z, so that the same window
//! is the same stretch of time whoever asks; the first and the last one hold only what lies in
//! `from ≤ at < to`. A window without readings is left out.

pub mod embedded;
pub mod influx;
mod window;

use window::start_of;
pub use window::{Gather, windows_of};

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use crate::reading::Timestamp;

/// Points, or windows, that one answer holds at most.
pub const ANSWER_MAX: usize = 100_000;

/// One metric of one device between two moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesQuery {
    /// `district/station/device`.
    pub path: String,
    /// The device's profile: the measurement, where a store has one.
    pub profile: String,
    pub metric: String,
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
    /// `None` asks for the points themselves.
    pub window: Option<Duration>,
}

/// One metric of many devices, hour by hour: what a heat map is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourlyQuery {
    /// `district/station/device`, all of one profile.
    pub paths: Vec<String>,
    pub profile: String,
    pub metric: String,
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
}

/// The answer to a [`SeriesQuery`], in order of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Series {
    Points(Vec<Point>),
    Windows(Vec<Window>),
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    pub at: Timestamp,
    pub value: Datum,
}

/// What the readings of one window came to. Words have no minimum, maximum and mean; states count
/// as 0 and 1, so that their mean is the share of readings that said yes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Window {
    /// When the window starts.
    pub at: Timestamp,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub mean: Option<f64>,
    pub last: Datum,
    pub count: u64,
}

/// The newest value of one metric of a device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Latest {
    pub metric: Arc<str>,
    pub value: Datum,
    pub at: Timestamp,
}

/// Whose newest values are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Of {
    /// `district/station/device`.
    pub path: String,
    pub profile: String,
}

impl Of {
    /// District and station.
    fn station(&self) -> (&str, &str) {
        let mut levels = self.path.split('/');
        (levels.next().unwrap_or_default(), levels.next().unwrap_or_default())
    }
}

/// A newest value and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Newest {
    pub path: String,
    pub latest: Latest,
}

/// A stored value. Unlike [`crate::reading::Value`] it may hold a word no profile knows any more.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Datum {
    Number(f64),
    State(bool),
    Word(Arc<str>),
}

impl Datum {
    /// Numbers as they are, states as 0 and 1; words have none.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::State(state) => Some(f64::from(u8::from(*state))),
            Self::Word(_) => None,
        }
    }
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// Mend the question.
    #[error("{0}")]
    Nonsense(String),
    #[error(
        "more than {ANSWER_MAX} points lie between from and to: ask for a window, or for less time"
    )]
    TooManyPoints,
    #[error(
        "more than {ANSWER_MAX} windows lie between from and to: ask for a longer window, or for less time"
    )]
    TooManyWindows,
    /// Ask again later.
    #[error("the store does not answer: {reason}")]
    Unavailable { reason: String },
}

impl SeriesQuery {
    /// Refuses what no store could answer.
    pub fn check(&self) -> Result<(), QuestionError> {
        check_span(self.from, self.to)?;
        let Some(window) = self.window else { return Ok(()) };
        let millis = window.as_millis();
        if millis == 0 {
            let what = "a window is at least one millisecond long: ask for one such as 5m or 1h";
            return Err(QuestionError::Nonsense(what.to_owned()));
        }
        let windows = self.to.since(self.from).as_millis() / millis;
        if windows >= u128::try_from(ANSWER_MAX).unwrap_or(u128::MAX) {
            return Err(QuestionError::TooManyWindows);
        }
        Ok(())
    }
}

impl HourlyQuery {
    /// Refuses what no store could answer. Hours are counted over all devices; a year of 200
    /// devices is 1.75 million of them.
    pub fn check(&self) -> Result<(), QuestionError> {
        check_span(self.from, self.to)?;
        let hours = self.to.since(self.from).as_secs() / 3600;
        let devices = u64::try_from(self.paths.len()).unwrap_or(u64::MAX);
        if hours.saturating_mul(devices) > HOURS_MAX {
            return Err(QuestionError::TooManyWindows);
        }
        Ok(())
    }

    /// The same, one series at a time.
    fn series(&self) -> impl Iterator<Item = SeriesQuery> {
        self.paths.iter().map(|path| SeriesQuery {
            path: path.clone(),
            profile: self.profile.clone(),
            metric: self.metric.clone(),
            from: self.from,
            to: self.to,
            window: Some(HOUR),
        })
    }
}

const HOURS_MAX: u64 = 2_000_000;

const HOUR: Duration = Duration::from_hours(1);

fn check_span(from: Timestamp, to: Timestamp) -> Result<(), QuestionError> {
    if from < to {
        return Ok(());
    }
    Err(QuestionError::Nonsense(format!("from ({from}) must be before to ({to})")))
}

/// The store this daemon runs with.
#[derive(Debug, Clone)]
pub enum Store {
    Embedded(embedded::Embedded),
    Influx(influx::Asker),
}

impl Store {
    /// One series: its points, or windows of them.
    pub async fn windows(&self, query: SeriesQuery) -> Result<Series, QuestionError> {
        match self {
            Self::Embedded(store) => store.windows(query).await,
            Self::Influx(store) => store.windows(&query).await,
        }
    }

    /// Hourly windows of many series; one list a path, in the order asked.
    pub async fn hourly(&self, query: HourlyQuery) -> Result<Vec<Vec<Window>>, QuestionError> {
        match self {
            Self::Embedded(store) => store.hourly(query).await,
            Self::Influx(store) => {
                query.check()?;
                let mut all = Vec::new();
                for series in query.series() {
                    all.push(match store.windows(&series).await? {
                        Series::Windows(windows) => windows,
                        Series::Points(points) => windows_of(points, HOUR),
                    });
                }
                Ok(all)
            }
        }
    }

    /// The newest value of each metric of a device; empty for a device never heard of.
    pub async fn latest(&self, path: &str, profile: &str) -> Result<Vec<Latest>, QuestionError> {
        match self {
            Self::Embedded(store) => store.latest(path.to_owned()).await,
            Self::Influx(store) => store.latest(path, profile).await,
        }
    }

    /// The newest values of many devices, in no order: those of some stations, a few hundred at
    /// once. There may be some of their stations' other devices among them.
    pub async fn latest_of(&self, devices: Vec<Of>) -> Result<Vec<Newest>, QuestionError> {
        match self {
            Self::Embedded(store) => store.latest_of(devices).await,
            Self::Influx(store) => store.latest_of(&devices).await,
        }
    }
}
