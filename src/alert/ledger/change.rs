//! What a happening does to the row of its alert, and the transition that comes of it.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{garbled, write::json};
use crate::{
    alert::model::{Alert, ESCALATED, Handling, Happening, Kind, Standing, Transition},
    reading::Timestamp,
};

/// Writes it down, once: `None` where that was done before, or is no longer possible.
pub(super) fn record(
    transaction: &Transaction<'_>,
    happening: Happening,
) -> rusqlite::Result<Option<Transition>> {
    let transition = match happening {
        Happening::Raised { alert, at } => raise(transaction, *alert, at)?,
        Happening::Resolved { id, at, reason } => {
            change(transaction, &id, Kind::Resolved, at, |alert, at| {
                (alert.state, alert.ended, alert.reason) = (Standing::Resolved, Some(at), reason);
                true
            })?
        }
    };
    audit(transaction, transition)
}

/// As [`record`], of what people and time make of an open alert.
pub(super) fn handle(
    transaction: &Transaction<'_>,
    handling: Handling,
) -> rusqlite::Result<Option<Transition>> {
    let transition = match handling {
        Handling::Acknowledged { id, acknowledgement } => {
            let at = acknowledgement.at;
            change(transaction, &id, Kind::Acknowledged, at, |alert, _| {
                alert.state = Standing::Acknowledged;
                alert.acknowledged = Some(acknowledgement);
                true
            })?
        }
        Handling::Lapsed { id, at } => change(transaction, &id, Kind::Lapsed, at, lapse)?,
        Handling::Repeated { id, at } => change(transaction, &id, Kind::Repeated, at, repeat)?,
    };
    audit(transaction, transition)
}

fn audit(
    transaction: &Transaction<'_>,
    transition: Option<Transition>,
) -> rusqlite::Result<Option<Transition>> {
    if let Some(Transition { kind, at, alert }) = &transition {
        let sql = "INSERT OR IGNORE INTO transitions (alert, kind, at, body) VALUES (?, ?, ?, ?)";
        let mut insert = transaction.prepare_cached(sql)?;
        insert.execute(params![alert.id, kind.as_str(), at.0, json(alert)?])?;
    }
    Ok(transition)
}

/// Somebody may have acknowledged it anew meanwhile.
fn lapse(alert: &mut Alert, at: Timestamp) -> bool {
    let over = alert.acknowledged.as_ref().is_some_and(|known| known.until <= at);
    if over {
        (alert.state, alert.acknowledged, alert.told) = (Standing::Firing, None, Some(at));
    }
    over
}

fn repeat(alert: &mut Alert, at: Timestamp) -> bool {
    let fires = alert.state == Standing::Firing;
    if fires {
        (alert.repeats, alert.told) = (alert.repeats + 1, Some(at));
        alert.escalated = alert.repeats >= ESCALATED;
    }
    fires
}

fn raise(
    transaction: &Transaction<'_>,
    mut alert: Alert,
    at: Timestamp,
) -> rusqlite::Result<Option<Transition>> {
    alert.told = Some(at);
    let sql = "INSERT OR IGNORE INTO alerts (id, state, fired, body) VALUES (?, ?, ?, ?)";
    let row = params![alert.id, alert.state.as_str(), at.0, json(&alert)?];
    let new = transaction.prepare_cached(sql)?.execute(row)? > 0;
    Ok(new.then_some(Transition { kind: Kind::Firing, at, alert }))
}

/// Changes an open alert, where `how` finds that it can be.
fn change(
    transaction: &Transaction<'_>,
    id: &str,
    kind: Kind,
    at: Timestamp,
    how: impl FnOnce(&mut Alert, Timestamp) -> bool,
) -> rusqlite::Result<Option<Transition>> {
    let sql = "SELECT body, fired FROM alerts WHERE id = ? AND ended IS NULL";
    let mut select = transaction.prepare_cached(sql)?;
    let found = select.query_row([id], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
    let Some((body, fired)) = found.optional()? else { return Ok(None) };
    let mut alert: Alert = serde_json::from_str(&body).map_err(garbled)?;
    // A clock that was set back must not let the end come before the beginning.
    let at = at.max(Timestamp(fired));
    if !how(&mut alert, at) {
        return Ok(None);
    }
    let sql = "UPDATE alerts SET state = ?, ended = ?, body = ? WHERE id = ?";
    let ended = alert.ended.map(|at| at.0);
    let row = params![alert.state.as_str(), ended, json(&alert)?, id];
    transaction.prepare_cached(sql)?.execute(row)?;
    Ok(Some(Transition { kind, at, alert }))
}
