//! Old alerts go, with what was written of them. Maintenance records stay for ever.

use rusqlite::{Connection, params};

use super::{Ledger, Unavailable};
use crate::reading::Timestamp;

/// Rows that one transaction takes away: what a transition may have to wait for.
const AT_ONCE: u32 = 500;

impl Ledger {
    /// Forgets alerts that ended before `before`, and transitions from before it, except those of
    /// alerts that are open. Gives whether there may be more.
    pub async fn forget(&self, before: Timestamp) -> Result<bool, Unavailable> {
        self.write(move |connection| forget(connection, before)).await
    }
}

fn forget(connection: &Connection, before: Timestamp) -> rusqlite::Result<bool> {
    let alerts = "DELETE FROM alerts WHERE id IN \
                  (SELECT id FROM alerts WHERE ended < ?1 ORDER BY ended LIMIT ?2)";
    let transitions = "DELETE FROM transitions WHERE number IN (\
                       SELECT number FROM transitions WHERE at < ?1 AND NOT EXISTS \
                       (SELECT 1 FROM alerts WHERE id = alert AND ended IS NULL) \
                       ORDER BY at LIMIT ?2)";
    let mut gone = 0;
    for sql in [alerts, transitions] {
        gone = connection.prepare_cached(sql)?.execute(params![before.0, AT_ONCE])?.max(gone);
    }
    Ok(u32::try_from(gone).is_ok_and(|gone| gone == AT_ONCE))
}
