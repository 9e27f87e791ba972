//! How large the journal may become, and how large it is.

use rusqlite::Connection;

use crate::settings::{self, ByteSize, WhenFull};

const PAGE: u64 = 4096;
/// What a group takes beside its block: its row, and pages of which it fills only a part.
const PER_GROUP: u64 = 2 * PAGE;

#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub max_bytes: ByteSize,
    pub when_full: WhenFull,
}

/// At most so much more is in use with one more group; what is really in use is counted again
/// when that reaches the limit, and every second.
pub(super) fn taken_by(bytes: u64) -> u64 {
    bytes.saturating_add(PER_GROUP)
}

impl Limit {
    pub(super) fn of(settings: &settings::Journal) -> Self {
        Self { max_bytes: settings.max_bytes, when_full: settings.when_full }
    }

    /// Pages the write-ahead log may hold before it is folded into the file.
    pub(super) fn wal_pages(&self) -> u64 {
        (self.max_bytes.0 / 8 / PAGE).clamp(64, 1000)
    }

    pub(super) fn wal_bytes(&self) -> u64 {
        self.wal_pages() * PAGE
    }

    /// Whether a block of `bytes` fits into a journal that holds `used`.
    pub(super) fn fits(&self, used: u64, bytes: u64) -> bool {
        used.saturating_add(taken_by(bytes)) <= self.max_bytes.0
    }

    /// Far enough below the limit to say that it is over.
    pub(super) fn relaxed(&self, used: u64) -> bool {
        used <= self.max_bytes.0 / 10 * 9
    }

    /// Bytes in use: pages that hold something, and the write-ahead log at its largest.
    pub(super) fn used(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let pages = pragma(connection, "PRAGMA page_count")?;
        let free = pragma(connection, "PRAGMA freelist_count")?;
        Ok(pages.saturating_sub(free) * PAGE + self.wal_bytes())
    }
}

/// Gives pages back to the file system, a few at a time, once most of the file is empty.
pub(super) fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    const WORTH_IT: u64 = 4096;
    let pages = pragma(connection, "PRAGMA page_count")?;
    let free = pragma(connection, "PRAGMA freelist_count")?;
    if free > WORTH_IT && free > pages / 2 {
        let mut vacuum = connection.prepare_cached("PRAGMA incremental_vacuum(1024)")?;
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
        // Only now does the file become shorter.
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    }
    Ok(())
}

fn pragma(connection: &Connection, sql: &str) -> rusqlite::Result<u64> {
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}
