//! Transitions with their notices, and checkpoints.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use serde::Serialize;

use super::{Ledger, Unavailable, change, records};
use crate::{
    alert::{
        model::{Alert, Handling, Happening, Kind, Transition},
        record::Record,
    },
    notify::{self, outbox},
    reading::Timestamp,
};

/// A device's path and what rules remember of it.
pub type Row = (Box<str>, Vec<u8>);

/// Up to where everything is in the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    pub position: u64,
    pub now: Timestamp,
    pub base: i64,
}

impl Ledger {
    /// Records what happened, with the rows of the devices it happened to and its notices, and
    /// gives the transitions that are new. What was recorded before is not recorded again.
    pub async fn record(
        &self,
        happenings: Vec<Happening>,
        rows: Vec<Row>,
    ) -> Result<Vec<Transition>, Unavailable> {
        self.record_with(None, happenings, rows).await
    }

    /// As [`Ledger::record`], with the work that made it happen, in the same transaction.
    pub async fn record_with(
        &self,
        work: Option<Record>,
        happenings: Vec<Happening>,
        rows: Vec<Row>,
    ) -> Result<Vec<Transition>, Unavailable> {
        let write = move |transaction: &Transaction<'_>| {
            if let Some(work) = &work {
                records::put(transaction, work)?;
            }
            save(transaction, &rows)?;
            let mut transitions = Vec::with_capacity(happenings.len());
            for happening in happenings {
                transitions.extend(change::record(transaction, happening)?);
            }
            Ok(transitions)
        };
        self.tell(write).await
    }

    /// Records what people and time make of open alerts, with its notices.
    pub async fn handle(&self, handlings: Vec<Handling>) -> Result<Vec<Transition>, Unavailable> {
        let write = move |transaction: &Transaction<'_>| {
            let mut transitions = Vec::with_capacity(handlings.len());
            for handling in handlings {
                transitions.extend(change::handle(transaction, handling)?);
            }
            Ok(transitions)
        };
        self.tell(write).await
    }

    /// Transitions and their notices, in one transaction.
    async fn tell(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Vec<Transition>> + Send + 'static,
    ) -> Result<Vec<Transition>, Unavailable> {
        let (channels, open) = (Arc::clone(&self.channels), Arc::clone(&self.open));
        let written = self.write(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let transitions = write(&transaction)?;
            for transition in &transitions {
                put_notices(&transaction, transition, &channels)?;
            }
            transaction.commit()?;
            // Before the next may write: what is shown is what was written last.
            show(&open, &transitions);
            Ok(transitions)
        });
        let transitions = written.await?;
        if !transitions.is_empty() {
            self.wake.notify_waiters();
            self.wake.notify_one();
        }
        Ok(transitions)
    }

    /// Saves rows that belong to no transition.
    pub async fn save(&self, rows: Vec<Row>) -> Result<(), Unavailable> {
        self.write(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            save(&transaction, &rows)?;
            transaction.commit()
        })
        .await
    }

    /// Every row is saved up to here: what comes before is not needed again.
    pub async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<(), Unavailable> {
        self.write(move |connection| {
            let Checkpoint { position, now, base } = checkpoint;
            let position = i64::try_from(position).unwrap_or(i64::MAX);
            let sql = "INSERT OR REPLACE INTO meta (key, value) \
                       VALUES ('position', ?), ('now', ?), ('base', ?)";
            connection.prepare_cached(sql)?.execute(params![position, now.0, base]).map(drop)
        })
        .await
    }
}

fn show(open: &RwLock<BTreeMap<String, Alert>>, transitions: &[Transition]) {
    let mut open = open.write().unwrap_or_else(PoisonError::into_inner);
    for Transition { kind, alert, .. } in transitions {
        match kind {
            Kind::Resolved => open.remove(&alert.id),
            _ => open.insert(alert.id.clone(), alert.clone()),
        };
    }
}

/// What a webhook gets.
#[derive(Debug, Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    at: Timestamp,
    alert: &'a Alert,
}

fn put_notices(
    transaction: &Transaction<'_>,
    Transition { kind, at, alert }: &Transition,
    channels: &[String],
) -> rusqlite::Result<()> {
    let id = match kind {
        // Who acknowledges need not be told.
        Kind::Acknowledged => return Ok(()),
        Kind::Firing | Kind::Resolved => format!("{}.{}", alert.id, kind.as_str()),
        Kind::Repeated => format!("{}.repeated.{}", alert.id, alert.repeats),
        Kind::Lapsed => format!("{}.lapsed.{}", alert.id, at.0),
    };
    let again = matches!(kind, Kind::Repeated | Kind::Lapsed);
    let kind = match kind {
        Kind::Resolved => notify::Kind::Resolved,
        _ => notify::Kind::Firing,
    };
    let at = *at;
    let body = json(&Body { kind: kind.as_str(), at, alert })?;
    for channel in channels {
        let alert = &alert.id;
        let notice = notify::Notice { id: &id, alert, kind, channel, at, body: &body, again };
        outbox::put(transaction, &notice)?;
    }
    Ok(())
}

fn save(transaction: &Connection, rows: &[Row]) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO devices (path, state) VALUES (?, ?)";
    let mut insert = transaction.prepare_cached(sql)?;
    for (path, state) in rows {
        insert.execute(params![path, state])?;
    }
    Ok(())
}

pub(super) fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
