//! One transaction: what waited, what nobody needs any more, what is new. One fsync.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use tracing::error;

use super::{
    AppendError, Messages,
    group::Stored,
    pending::Lazy,
    space::{self, Limit},
};
use crate::settings::WhenFull;

/// Passed groups are deleted this many at a time, so that no append waits long for it.
const TRIM: u64 = 64;

/// Where the journal begins and ends. The newest group always stays, for the numbers to go on from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// The oldest group that is still of use.
    pub first: u64,
    pub last: u64,
    /// Messages ever journaled.
    pub total: u64,
}

/// What a transaction came to.
#[derive(Debug)]
pub(super) struct Done {
    pub tail: Tail,
    pub appended: Vec<Result<u64, AppendError>>,
    /// Messages dropped before every reader had them.
    pub dropped: u64,
    pub used: u64,
    pub fsync: Duration,
}

impl Tail {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let newest = "SELECT number, total FROM groups ORDER BY number DESC LIMIT 1";
        let newest = connection.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?)));
        let Some((last, total)) = newest.optional()? else { return Ok(Self::default()) };
        let first = connection.query_row("SELECT min(number) FROM groups", [], |row| row.get(0))?;
        Ok(Self { first, last, total })
    }
}

pub(super) fn run<'a>(
    connection: &Connection,
    limit: &Limit,
    tail: Tail,
    used: Option<u64>,
    lazy: &Lazy,
    appends: impl ExactSizeIterator<Item = &'a Messages>,
) -> rusqlite::Result<Done> {
    let transaction = Transaction::begin(connection)?;
    lazy.write(connection)?;
    let used = used.map_or_else(|| limit.used(connection), Ok)?;
    let mut work = Work::begin(connection, limit, tail, lazy, used, appends.len());
    if appends.len() == 0 || work.passed >= work.done.tail.first + TRIM {
        work.trim(TRIM)?;
    }
    for messages in appends {
        let appended = work.append(messages)?;
        work.done.appended.push(appended);
    }
    let mut done = work.done;
    let begun = Instant::now();
    transaction.commit()?;
    done.fsync = begun.elapsed();
    Ok(done)
}

/// Begun and ended by statements that are kept: they come two hundred times a second.
struct Transaction<'a> {
    connection: &'a Connection,
    open: bool,
}

impl<'a> Transaction<'a> {
    fn begin(connection: &'a Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self { connection, open: true })
    }

    fn commit(mut self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open && !self.connection.is_autocommit() {
            // Where even this fails the connection is given up by whoever sees the first error.
            self.connection.execute_batch("ROLLBACK").ok();
        }
    }
}

struct Work<'a> {
    connection: &'a Connection,
    limit: &'a Limit,
    lazy: &'a Lazy,
    passed: u64,
    done: Done,
}

impl<'a> Work<'a> {
    fn begin(
        connection: &'a Connection,
        limit: &'a Limit,
        tail: Tail,
        lazy: &'a Lazy,
        used: u64,
        appends: usize,
    ) -> Self {
        let appended = Vec::with_capacity(appends);
        let done = Done { tail, appended, dropped: 0, used, fsync: Duration::ZERO };
        Self { connection, limit, lazy, passed: lazy.passed(), done }
    }

    /// Once one group found no room, those behind it wait too: groups become durable in order.
    fn append(&mut self, messages: &Messages) -> rusqlite::Result<Result<u64, AppendError>> {
        if let Some(Err(refused)) = self.done.appended.last() {
            return Ok(Err(refused.clone()));
        }
        let stored = Stored::pack(self.done.tail.last + 1, messages);
        let bytes = u64::try_from(stored.block.len()).unwrap_or(u64::MAX);
        if !self.make_room(bytes)? {
            return Ok(Err(self.full()));
        }
        let tail = &mut self.done.tail;
        let total = tail.total + u64::from(stored.messages);
        insert(self.connection, &stored, total)?;
        *tail = Tail { first: tail.first.max(1), last: stored.number, total };
        self.done.used += space::taken_by(bytes);
        Ok(Ok(stored.number))
    }

    fn make_room(&mut self, bytes: u64) -> rusqlite::Result<bool> {
        if self.limit.fits(self.done.used, bytes) {
            return Ok(true);
        }
        self.trim(u64::MAX)?;
        self.done.used = self.limit.used(self.connection)?;
        if self.limit.fits(self.done.used, bytes) {
            return Ok(true);
        }
        match self.limit.when_full {
            // Waiting would be for ever if there is nothing left to wait for.
            WhenFull::StopAcknowledging => Ok(self.passed >= self.done.tail.last),
            WhenFull::DropOldest => self.drop_oldest(bytes).map(|()| true),
        }
    }

    fn full(&self) -> AppendError {
        AppendError::Full {
            bytes: self.done.used,
            max_bytes: self.limit.max_bytes,
            slowest: self.lazy.slowest().map_or("", |(name, _)| name),
        }
    }

    /// Deletes groups that every reader has passed, `most` of them at most.
    fn trim(&mut self, most: u64) -> rusqlite::Result<()> {
        let first = self.done.tail.first;
        let upto = self
            .passed
            .min(self.done.tail.last.saturating_sub(1))
            .min(first.saturating_add(most).saturating_sub(1));
        if upto >= first && first > 0 {
            delete(self.connection, first, upto)?;
            self.done.tail.first = upto + 1;
        }
        Ok(())
    }

    fn drop_oldest(&mut self, bytes: u64) -> rusqlite::Result<()> {
        while !self.limit.fits(self.done.used, bytes) && self.done.tail.first < self.done.tail.last
        {
            let oldest = self.done.tail.first;
            let messages = messages_of(self.connection, oldest)?;
            delete(self.connection, oldest, oldest)?;
            self.done.dropped += messages;
            self.done.tail.first = oldest + 1;
            self.done.used = self.limit.used(self.connection)?;
        }
        Ok(())
    }
}

fn insert(connection: &Connection, stored: &Stored, total: u64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO groups (number, messages, total, received, raw_len, crc, block)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let Stored { number, messages, received, raw_len, crc, block } = stored;
    connection
        .prepare_cached(sql)?
        .execute(params![number, messages, total, received, raw_len, crc, block])?;
    Ok(())
}

/// Makes group `number` the newest one, with nothing in it, so that the next gets `number + 1`.
pub(super) fn leap(connection: &Connection, tail: Tail, number: u64) -> rusqlite::Result<Tail> {
    let empty = Stored::pack(number, &Messages::default());
    insert(connection, &empty, tail.total)?;
    Ok(Tail { first: if tail.first == 0 { number } else { tail.first }, last: number, ..tail })
}

fn messages_of(connection: &Connection, number: u64) -> rusqlite::Result<u64> {
    let mut query = connection.prepare_cached("SELECT messages FROM groups WHERE number = ?1")?;
    Ok(query.query_row([number], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// A group that lies on a damaged page cannot be deleted; it alone stays, and is said.
fn delete(connection: &Connection, first: u64, upto: u64) -> rusqlite::Result<()> {
    match delete_whole(connection, first, upto) {
        Err(damaged) if is_damage(&damaged) => {
            for number in numbers(connection, first, upto)? {
                match delete_whole(connection, number, number) {
                    Err(damaged) if is_damage(&damaged) => {
                        error!(group = number, %damaged, "a damaged group of the journal cannot be deleted; its space stays taken");
                    }
                    other => other?,
                }
            }
            Ok(())
        }
        other => other,
    }
}

/// All of them or none: a delete that meets damage half-way is undone.
fn delete_whole(connection: &Connection, first: u64, upto: u64) -> rusqlite::Result<()> {
    connection.prepare_cached("SAVEPOINT trim")?.execute([])?;
    let deleted = ["groups", "annotations"].into_iter().try_for_each(|table| {
        let sql = format!("DELETE FROM {table} WHERE number BETWEEN ?1 AND ?2");
        connection.prepare_cached(&sql)?.execute([first, upto]).map(drop)
    });
    if deleted.is_err() {
        connection.execute_batch("ROLLBACK TO trim")?;
    }
    connection.prepare_cached("RELEASE trim")?.execute([])?;
    deleted
}

fn numbers(connection: &Connection, first: u64, upto: u64) -> rusqlite::Result<Vec<u64>> {
    let sql = "SELECT number FROM groups WHERE number BETWEEN ?1 AND ?2";
    let mut query = connection.prepare_cached(sql)?;
    query.query_map([first, upto], |row| row.get(0))?.collect()
}

pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
}
