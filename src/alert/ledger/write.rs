//! Transitions with their notices, and checkpoints.

use std::sync::PoisonError;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;

use super::{Ledger, Unavailable, garbled};
use crate::{
    alert::model::{Alert, Happening, Kind, Reason, Standing, Transition},
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
        let channels = std::sync::Arc::clone(&self.channels);
        let written = self.write(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut transitions = Vec::with_capacity(happenings.len());
            for happening in happenings {
                transitions.extend(record(&transaction, happening)?);
            }
            for transition in &transitions {
                put_notices(&transaction, transition, &channels)?;
            }
            save(&transaction, &rows)?;
            transaction.commit()?;
            Ok(transitions)
        });
        let transitions = written.await?;
        self.show(&transitions);
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

    fn show(&self, transitions: &[Transition]) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        for Transition { kind, alert, .. } in transitions {
            match kind {
                Kind::Firing => open.insert(alert.id.clone(), alert.clone()),
                Kind::Resolved => open.remove(&alert.id),
            };
        }
    }
}

fn record(
    transaction: &Transaction<'_>,
    happening: Happening,
) -> rusqlite::Result<Option<Transition>> {
    let transition = match happening {
        Happening::Raised { alert, at } => raise(transaction, *alert, at)?,
        Happening::Resolved { id, at, reason } => resolve(transaction, &id, at, reason)?,
    };
    if let Some(Transition { kind, at, alert }) = &transition {
        let sql = "INSERT OR IGNORE INTO transitions (alert, kind, at, body) VALUES (?, ?, ?, ?)";
        let mut insert = transaction.prepare_cached(sql)?;
        insert.execute(params![alert.id, kind.as_str(), at.0, json(alert)?])?;
    }
    Ok(transition)
}

fn raise(
    transaction: &Transaction<'_>,
    alert: Alert,
    at: Timestamp,
) -> rusqlite::Result<Option<Transition>> {
    let sql = "INSERT OR IGNORE INTO alerts (id, state, fired, body) VALUES (?, ?, ?, ?)";
    let row = params![alert.id, alert.state.as_str(), at.0, json(&alert)?];
    let new = transaction.prepare_cached(sql)?.execute(row)? > 0;
    Ok(new.then_some(Transition { kind: Kind::Firing, at, alert }))
}

fn resolve(
    transaction: &Transaction<'_>,
    id: &str,
    at: Timestamp,
    reason: Option<Reason>,
) -> rusqlite::Result<Option<Transition>> {
    let sql = "SELECT body, fired FROM alerts WHERE id = ? AND ended IS NULL";
    let mut select = transaction.prepare_cached(sql)?;
    let found = select.query_row([id], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
    let Some((body, fired)) = found.optional()? else { return Ok(None) };
    let mut alert: Alert = serde_json::from_str(&body).map_err(garbled)?;
    // A clock that was set back must not let the end come before the beginning.
    let at = at.max(Timestamp(fired));
    (alert.state, alert.ended, alert.reason) = (Standing::Resolved, Some(at), reason);
    let sql = "UPDATE alerts SET state = ?, ended = ?, body = ? WHERE id = ?";
    let row = params![alert.state.as_str(), at.0, json(&alert)?, id];
    transaction.prepare_cached(sql)?.execute(row)?;
    Ok(Some(Transition { kind: Kind::Resolved, at, alert }))
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
    let id = format!("{}.{}", alert.id, kind.as_str());
    let (alert, at, kind) = (
        alert,
        *at,
        match kind {
            Kind::Firing => notify::Kind::Firing,
            Kind::Resolved => notify::Kind::Resolved,
        },
    );
    let body = json(&Body { kind: kind.as_str(), at, alert })?;
    for channel in channels {
        let notice = notify::Notice { id: &id, alert: &alert.id, kind, channel, at, body: &body };
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

fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
