//! What the web asks of others, as the web needs it: two small traits with fakes in the tests.

use std::{fmt, pin::Pin};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    reading::Timestamp,
    rule::{Severity, Text},
    store::{QuestionError, Series, SeriesQuery},
};

/// An answer that takes its time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A store that can be asked for a series.
pub trait Questions: fmt::Debug + Send + Sync {
    fn series(&self, query: SeriesQuery) -> Answer<'_, Result<Series, QuestionError>>;
}

/// The record of alerts.
pub trait Alerts: fmt::Debug + Send + Sync {
    /// The newest first. The error says why there is no answer now.
    fn list(&self, which: Which) -> Answer<'_, Result<Vec<Alert>, String>>;
    fn get(&self, id: String) -> Answer<'_, Result<Option<Alert>, String>>;
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// Firing or acknowledged.
    #[default]
    Open,
    /// Those that are over, too.
    All,
}

/// One rule that holds for one device.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Alert {
    pub id: String,
    pub rule: String,
    #[schema(value_type = String, example = "critical")]
    pub severity: Severity,
    pub state: AlertState,
    pub district: String,
    pub station: String,
    pub device: String,
    /// When it began to hold, ms since 1970.
    #[schema(value_type = i64)]
    pub since: Timestamp,
    /// The value that raised it, where one did: a number, a boolean or a word.
    #[schema(value_type = Option<f64>)]
    pub value: Option<serde_json::Value>,
    #[schema(value_type = super::openapi::Text)]
    pub says: Text,
    /// What to do.
    #[serde(rename = "do")]
    #[schema(value_type = super::openapi::Text)]
    pub cure: Text,
    /// What to bring.
    pub bring: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    Pending,
    Firing,
    Acknowledged,
    Resolved,
}
