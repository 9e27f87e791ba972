//! Reading groups back, on a connection of its own.

use std::{collections::BTreeMap, path::Path};

use rusqlite::{Connection, OptionalExtension, Row};
use tracing::error;

use super::{
    ReadError, file,
    group::{Damage, Group, Stored},
    transaction::is_damage,
};
use crate::{decode::Annotations, telemetry::Counters};

#[derive(Debug)]
pub(super) struct Reader {
    connection: Connection,
    counters: Counters,
    /// Damaged groups are said and counted once, however often they are met.
    said: std::collections::BTreeSet<u64>,
}

type Found = (u64, Result<Group, Damage>);

const COLUMNS: &str = "SELECT g.number, g.messages, g.received, g.raw_len, g.crc, g.block, a.notes
                       FROM groups g LEFT JOIN annotations a USING (number)";

impl Reader {
    pub(super) fn open(file: &Path, counters: Counters) -> rusqlite::Result<Self> {
        let said = std::collections::BTreeSet::new();
        Ok(Self { connection: file::open_for_reading(file)?, counters, said })
    }

    /// Groups from `from` to `upto`, about `max_bytes` of messages, at least one if there is one.
    /// `notes` are annotations that are not on disk yet.
    pub(super) fn read(
        &mut self,
        from: u64,
        upto: u64,
        max_bytes: usize,
        notes: &mut BTreeMap<u64, Annotations>,
    ) -> Result<Vec<Group>, ReadError> {
        let mut groups = Vec::new();
        let mut bytes = 0;
        let mut next = from;
        while bytes < max_bytes && next <= upto {
            let Some((number, found)) = self.find(next, upto)? else { break };
            next = number + 1;
            match found {
                Ok(mut group) => {
                    bytes += group.messages.as_bytes().len().max(1);
                    if let Some(newer) = notes.remove(&number) {
                        group.annotations = newer;
                    }
                    groups.push(group);
                }
                Err(damage) => self.skip(number, &damage),
            }
        }
        Ok(groups)
    }

    /// The first group from `from` on.
    fn find(&self, from: u64, upto: u64) -> Result<Option<Found>, ReadError> {
        match self.query(from, upto) {
            Err(damage) if is_damage(&damage) => self.find_singly(from, upto),
            found => Ok(found?),
        }
    }

    /// Where a page is damaged, group by group: what can be read is read.
    fn find_singly(&self, from: u64, upto: u64) -> Result<Option<Found>, ReadError> {
        let mut number = from;
        while number <= upto {
            match self.query(number, number) {
                Ok(None) => number += 1,
                Ok(found) => return Ok(found),
                Err(damage) if is_damage(&damage) => {
                    return Ok(Some((number, Err(Damage::Row(damage.to_string())))));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    fn query(&self, from: u64, upto: u64) -> rusqlite::Result<Option<Found>> {
        let sql = format!("{COLUMNS} WHERE g.number BETWEEN ?1 AND ?2 ORDER BY g.number LIMIT 1");
        self.connection.prepare_cached(&sql)?.query_row([from, upto], found).optional()
    }

    fn skip(&mut self, number: u64, damage: &Damage) {
        if self.said.insert(number) {
            error!(group = number, "a group of the journal is damaged and skipped: {damage}");
            self.counters.journal_damaged(1);
        }
    }

    pub(super) fn state(&self) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
        let mut query = self.connection.prepare_cached("SELECT path, state FROM device_state")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// A row whose columns cannot be what we wrote is damage, not an error of reading.
fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let number = row.get(0)?;
    let group = match (Stored::from_row(row), row.get::<_, Option<Vec<u8>>>(6)) {
        (Ok(stored), Ok(notes)) => Group::read(stored, notes.as_deref()),
        (Err(error), _) | (_, Err(error)) => Err(Damage::Row(error.to_string())),
    };
    Ok((number, group))
}
