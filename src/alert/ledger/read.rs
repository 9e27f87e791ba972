//! Questions: what the engine goes on from, what the API shows, what is exported.

use std::{collections::BTreeMap, sync::PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use super::{Ledger, Unavailable, garbled};
use crate::{
    alert::{
        engine::{self, Restored},
        model::{Alert, Kind, OWN_DISTRICT, Transition},
    },
    reading::Timestamp,
};

impl Ledger {
    /// The last group that everything is saved of: where the follower begins.
    pub fn position(&self) -> Result<u64, Unavailable> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(position(&reader)?)
    }

    /// The newest group that anything is saved of. A journal must number its groups beyond it, or
    /// devices would take new ones for some they have judged.
    pub fn furthest(&self) -> Result<u64, Unavailable> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut furthest = position(&reader)?;
        let mut select = reader.prepare("SELECT state FROM devices")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let applied = engine::applied(row.get_ref(0)?.as_blob().unwrap_or_default());
            furthest = furthest.max(applied.unwrap_or(0));
        }
        Ok(furthest)
    }

    /// Everything the engine goes on from. Alerts about the daemon itself are not its own.
    pub async fn restore(&self) -> Result<Restored, Unavailable> {
        let ours = self.open_alerts().into_iter().filter(|alert| alert.district != OWN_DISTRICT);
        let open = ours.map(|alert| (alert.id.clone(), alert.path(), alert.rule)).collect();
        self.read(move |connection| {
            let mut select = connection.prepare("SELECT path, state FROM devices")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Restored {
                position: position(connection)?,
                now: meta(connection, "now")?.map(Timestamp),
                base: meta(connection, "base")?.unwrap_or(0),
                devices: rows.collect::<Result<_, _>>()?,
                open,
            })
        })
        .await
    }

    /// The newest alerts, open or not.
    pub async fn alerts(&self, limit: u32) -> Result<Vec<Alert>, Unavailable> {
        self.read(move |connection| {
            let sql = "SELECT body FROM alerts ORDER BY fired DESC, id LIMIT ?";
            let mut select = connection.prepare_cached(sql)?;
            select.query_map([limit], |row| alert(&row.get::<_, String>(0)?))?.collect()
        })
        .await
    }

    pub async fn alert(&self, id: String) -> Result<Option<Alert>, Unavailable> {
        self.read(move |connection| {
            let sql = "SELECT body FROM alerts WHERE id = ?";
            let mut select = connection.prepare_cached(sql)?;
            select.query_row([id], |row| alert(&row.get::<_, String>(0)?)).optional()
        })
        .await
    }

    /// Transitions behind number `after`, in order, each with its number: to export them once.
    pub async fn transitions(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Transition)>, Unavailable> {
        self.read(move |connection| {
            let sql = "SELECT number, kind, at, body FROM transitions \
                       WHERE number > ? ORDER BY number LIMIT ?";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map(params![after, limit], |row| {
                let kind = Kind::named(&row.get::<_, String>(1)?).unwrap_or(Kind::Resolved);
                let (at, alert) = (Timestamp(row.get(2)?), alert(&row.get::<_, String>(3)?)?);
                Ok((row.get(0)?, Transition { kind, at, alert }))
            })?;
            rows.collect()
        })
        .await
    }
}

pub(super) fn open_alerts(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Alert>> {
    let mut select = connection.prepare("SELECT body FROM alerts WHERE ended IS NULL")?;
    let alerts = select.query_map([], |row| alert(&row.get::<_, String>(0)?))?;
    alerts.map(|alert| alert.map(|alert| (alert.id.clone(), alert))).collect()
}

fn alert(body: &str) -> rusqlite::Result<Alert> {
    serde_json::from_str(body).map_err(garbled)
}

fn position(connection: &Connection) -> rusqlite::Result<u64> {
    Ok(meta(connection, "position")?.and_then(|at| u64::try_from(at).ok()).unwrap_or(0))
}

fn meta(connection: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT value FROM meta WHERE key = ?";
    connection.query_row(sql, [key], |row| row.get(0)).optional()
}
