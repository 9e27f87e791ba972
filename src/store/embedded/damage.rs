//! Rows that cannot be read: told once each, skipped, never deleted.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use tracing::error;

use super::disk::Row;

/// What was told already.
#[derive(Debug, Default)]
pub(super) struct DamageLog(Mutex<HashSet<Row>>);

impl DamageLog {
    pub(super) fn report(&self, row: Row, reason: &dyn std::fmt::Display) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(row) {
            let (table, id) = (row.table(), row.id());
            error!(table, id, %reason, "a row of store.sqlite is damaged and skipped; the rest is usable. If it goes on, the disk is failing: copy data_dir to another one");
        }
    }

    /// How many rows were found damaged since the start.
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// The block of a row, if there is one; `None` too where the file itself is damaged at that place.
pub(super) fn block(
    db: &Connection,
    row: Row,
    damage: &DamageLog,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let sql = match row {
        Row::Part(_) => "SELECT block FROM parts WHERE id = ?",
        Row::Day(_) => "SELECT block FROM days WHERE id = ?",
        Row::Hours(_) => "SELECT block FROM hours WHERE id = ?",
    };
    let found = db.prepare_cached(sql)?.query_row([row.id()], |row| row.get(0)).optional();
    match found {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            damage.report(row, &error);
            Ok(None)
        }
        found => found,
    }
}

/// Keeps a row whose place another one takes.
pub(super) fn set_aside(db: &Connection, row: Row, block: &[u8]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO damaged(came_from, id, block) VALUES(?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![row.table(), row.id(), block]).map(drop)
}
