//! What the web asks of others, as the web needs it: two small traits with fakes in the tests.

use std::{fmt, pin::Pin};

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    alert::{Acknowledgement, Alert, Ledger, Record, SayError},
    store::{QuestionError, Series, SeriesQuery, Store},
};

/// An answer that takes its time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A store that can be asked for a series.
pub trait Questions: fmt::Debug + Send + Sync {
    fn series(&self, query: SeriesQuery) -> Answer<'_, Result<Series, QuestionError>>;
}

impl Questions for Store {
    fn series(&self, query: SeriesQuery) -> Answer<'_, Result<Series, QuestionError>> {
        Box::pin(self.windows(query))
    }
}

/// The record of alerts, and of the work they ask for.
pub trait Alerts: fmt::Debug + Send + Sync {
    /// The newest first, and no more of them than `most`. The error says why there is no answer.
    fn list(&self, which: Which, most: usize) -> Answer<'_, Result<Vec<Alert>, String>>;
    fn get(&self, id: String) -> Answer<'_, Result<Option<Alert>, String>>;
    /// Ends an open alert in the name of a person; `None` when none has that id.
    fn confirm(&self, id: String, by: String) -> Answer<'_, Result<Option<Alert>, String>>;
    /// Keeps an open alert quiet for a while; `None` when none has that id.
    fn acknowledge(
        &self,
        id: String,
        acknowledgement: Acknowledgement,
    ) -> Answer<'_, Result<Option<Alert>, String>>;
    /// Writes down work that was done.
    fn enter(&self, record: Record) -> Answer<'_, Result<(), String>>;
    /// The latest work first, of one device or of all.
    fn records(
        &self,
        device: Option<String>,
        limit: u32,
        offset: u32,
    ) -> Answer<'_, Result<Vec<Record>, String>>;
}

impl Alerts for Ledger {
    fn list(&self, which: Which, most: usize) -> Answer<'_, Result<Vec<Alert>, String>> {
        Box::pin(async move {
            match which {
                Which::Open => {
                    let mut open = self.open_alerts();
                    open.sort_by_key(|alert| std::cmp::Reverse(alert.since));
                    open.truncate(most);
                    Ok(open)
                }
                Which::All => {
                    let most = u32::try_from(most).unwrap_or(u32::MAX);
                    self.alerts(most).await.map_err(|unavailable| unavailable.to_string())
                }
            }
        })
    }

    fn get(&self, id: String) -> Answer<'_, Result<Option<Alert>, String>> {
        Box::pin(async move { self.alert(id).await.map_err(|unavailable| unavailable.to_string()) })
    }

    fn confirm(&self, id: String, by: String) -> Answer<'_, Result<Option<Alert>, String>> {
        Box::pin(async move { known(Self::confirm(self, &id, &by).await) })
    }

    fn acknowledge(
        &self,
        id: String,
        acknowledgement: Acknowledgement,
    ) -> Answer<'_, Result<Option<Alert>, String>> {
        Box::pin(async move { known(Self::acknowledge(self, &id, acknowledgement).await) })
    }

    fn enter(&self, record: Record) -> Answer<'_, Result<(), String>> {
        let entered = Self::enter(self, record);
        Box::pin(async move { entered.await.map_err(|error| error.to_string()) })
    }

    fn records(
        &self,
        device: Option<String>,
        limit: u32,
        offset: u32,
    ) -> Answer<'_, Result<Vec<Record>, String>> {
        let records = Self::records(self, device, limit, offset);
        Box::pin(async move { records.await.map_err(|unavailable| unavailable.to_string()) })
    }
}

fn known(said: Result<Alert, SayError>) -> Result<Option<Alert>, String> {
    match said {
        Ok(alert) => Ok(Some(alert)),
        Err(SayError::UnknownAlert { .. }) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
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
