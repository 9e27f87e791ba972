//! What the web asks of others, as the web needs it: two small traits with fakes in the tests.

use std::{fmt, pin::Pin};

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    alert::{Alert, ConfirmError, Ledger},
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

/// The record of alerts.
pub trait Alerts: fmt::Debug + Send + Sync {
    /// The newest first, and no more of them than `most`. The error says why there is no answer.
    fn list(&self, which: Which, most: usize) -> Answer<'_, Result<Vec<Alert>, String>>;
    fn get(&self, id: String) -> Answer<'_, Result<Option<Alert>, String>>;
    /// Ends an open alert in the name of a person; `None` when none has that id.
    fn confirm(&self, id: String, by: String) -> Answer<'_, Result<Option<Alert>, String>>;
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
        Box::pin(async move {
            match Self::confirm(self, &id, &by).await {
                Ok(alert) => Ok(Some(alert)),
                Err(ConfirmError::Unknown { .. }) => Ok(None),
                Err(error) => Err(error.to_string()),
            }
        })
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
