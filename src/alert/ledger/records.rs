//! Maintenance records: written once, read in pages, never taken away.

use rusqlite::{Connection, Transaction, params};

use super::{Ledger, Unavailable, garbled, write::json};
use crate::alert::record::Record;

pub(super) const TABLE: &str = "
CREATE TABLE records (
    id TEXT PRIMARY KEY,
    device TEXT NOT NULL,
    kind TEXT NOT NULL,
    part TEXT NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX records_device ON records (device, at);
CREATE INDEX records_at ON records (at);
";

impl Ledger {
    /// Records, the latest work first; of one device (`district/station/device`), or of all.
    pub async fn records(
        &self,
        device: Option<String>,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<Record>, Unavailable> {
        self.read(move |connection| {
            let one = "SELECT body FROM records WHERE device = ?3 \
                       ORDER BY at DESC, id LIMIT ?1 OFFSET ?2";
            let all = "SELECT body FROM records WHERE ?3 IS NULL \
                       ORDER BY at DESC, id LIMIT ?1 OFFSET ?2";
            let sql = if device.is_some() { one } else { all };
            let mut select = connection.prepare_cached(sql)?;
            select.query_map(params![limit, offset, device], of_row)?.collect()
        })
        .await
    }

    /// The latest record of each kind of work on each part of each device, the oldest first.
    pub async fn last_records(&self) -> Result<Vec<Record>, Unavailable> {
        self.read(|connection| last_of_each(connection)).await
    }
}

fn last_of_each(connection: &Connection) -> rusqlite::Result<Vec<Record>> {
    // With max() SQLite takes the other columns from the row that has it.
    let sql = "SELECT body, max(at) AS last FROM records GROUP BY device, kind, part ORDER BY last";
    let mut select = connection.prepare_cached(sql)?;
    select.query_map([], of_row)?.collect()
}

fn of_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Record> {
    serde_json::from_str(&row.get::<_, String>(0)?).map_err(garbled)
}

/// Once, by its id.
pub(super) fn put(transaction: &Transaction<'_>, record: &Record) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO records (id, device, kind, part, at, body) \
               VALUES (?, ?, ?, ?, ?, ?)";
    let part = record.part.as_deref().unwrap_or_default();
    let row = params![record.id, record.path, record.kind, part, record.at.0, json(record)?];
    transaction.prepare_cached(sql)?.execute(row).map(drop)
}
