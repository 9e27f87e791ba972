//! Retention: whole days go, the oldest first, in small steps. The file does not shrink; its free
//! pages take what comes next.

use rusqlite::{Connection, Transaction};

use super::{
    disk::{self, Row},
    entry::Day,
};

/// Rows of one table that go in one transaction.
const STEP: usize = 500;

/// Removes some of the oldest day if that is before `keep_from`; tells whether more of it is left.
pub(super) fn step(db: &mut Connection, keep_from: Day) -> rusqlite::Result<bool> {
    let Some((oldest, _)) = disk::span(db)? else { return Ok(false) };
    if oldest >= keep_from {
        return Ok(false);
    }
    let next = oldest.saturating_add(1);
    let transaction = db.transaction()?;
    let mut removed = remove(&transaction, "hours", Row::hours(next, 0, 0))?;
    removed += remove(&transaction, "parts", Row::part(next, 0, 0))?;
    if removed == 0 {
        // Last, because `span` looks here: a crash in between leaves no orphans behind.
        removed = remove(&transaction, "days", Row::day(next, 0))?;
    }
    transaction.commit()?;
    Ok(removed > 0)
}

fn remove(db: &Transaction<'_>, table: &str, before: Row) -> rusqlite::Result<usize> {
    let sql = format!(
        "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE id < ? ORDER BY id LIMIT {STEP})"
    );
    db.prepare_cached(&sql)?.execute([before.id()])
}
