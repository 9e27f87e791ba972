//! Memory to disk: one transaction that adds a table's samples and moves the position behind them.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{
    block::{self, Damaged},
    damage,
    disk::{self, Row},
    entry::{Day, Entry, NameId, settle},
    ints::Effort,
    latest,
    memory::{OfDay, Table},
};
use crate::{reading::Slot, registry::Device};

/// Where the position is kept.
pub(super) const POSITION: &str = "position";

/// Ids of devices by slot, so that a flush need not look them up by path.
#[derive(Debug, Default)]
pub(super) struct DeviceIds(Vec<Option<u32>>);

impl DeviceIds {
    fn get(&self, slot: Slot) -> Option<u32> {
        self.0.get(slot.index()).copied().flatten()
    }

    fn set(&mut self, slot: Slot, id: u32) {
        if self.0.len() <= slot.index() {
            self.0.resize(slot.index() + 1, None);
        }
        if let Some(place) = self.0.get_mut(slot.index()) {
            *place = Some(id);
        }
    }
}

/// Writes all of `table` or nothing. Tells the days it touched.
pub(super) fn flush(
    db: &mut Connection,
    ids: &mut DeviceIds,
    table: &Table,
    names: &[(NameId, Arc<str>)],
) -> rusqlite::Result<Vec<Day>> {
    let transaction = db.transaction()?;
    let written = write(&transaction, ids, table, names).and_then(|days| {
        transaction.commit()?;
        Ok(days)
    });
    if written.is_err() {
        // What was given out in the transaction went with it.
        *ids = DeviceIds::default();
    }
    written
}

fn write(
    db: &Transaction<'_>,
    ids: &mut DeviceIds,
    table: &Table,
    names: &[(NameId, Arc<str>)],
) -> rusqlite::Result<Vec<Day>> {
    let mut touched = Vec::new();
    for (id, name) in names {
        let sql = "INSERT OR IGNORE INTO names(id, name) VALUES(?, ?)";
        db.prepare_cached(sql)?.execute(params![id, name.as_ref()])?;
    }
    for (device, days) in table.devices() {
        let id = match ids.get(device.slot) {
            Some(id) => id,
            None => ensure_device(db, device)?,
        };
        ids.set(device.slot, id);
        for of_day in days {
            add_part(db, id, of_day)?;
            if !touched.contains(&of_day.day) {
                touched.push(of_day.day);
            }
        }
        update_latest(db, id, days)?;
    }
    disk::set_meta(db, POSITION, i64::try_from(table.upto).unwrap_or(i64::MAX))?;
    Ok(touched)
}

fn ensure_device(db: &Connection, device: &Device) -> rusqlite::Result<u32> {
    if let Some(id) = disk::device(db, &device.path)? {
        return Ok(id);
    }
    let sql = "INSERT INTO devices(path, profile, latest) VALUES(?, ?, ?) RETURNING id";
    let row = params![device.path.as_ref(), device.profile.id, latest::write(&[])];
    db.prepare_cached(sql)?.query_row(row, |row| row.get(0))
}

fn add_part(db: &Connection, device: u32, of_day: &OfDay) -> rusqlite::Result<()> {
    let (first, last) = part_range(of_day.day, device);
    let sql = "SELECT id FROM parts WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1";
    let newest: Option<i64> =
        db.prepare_cached(sql)?.query_row([first, last], |row| row.get(0)).optional()?;
    let mut id = newest.map_or(first, |newest| newest + 1);
    let mut entries: Vec<Entry> = Vec::new();
    if id > last {
        // Out of numbers: joins the last one, unless that cannot be read.
        id = last;
        let sql = "SELECT block FROM parts WHERE id = ?";
        let block: Vec<u8> = db.prepare_cached(sql)?.query_row([id], |row| row.get(0))?;
        if let Err(Damaged) = block::read(&block, None, &mut entries) {
            damage::set_aside(db, Row::Part(id), &block)?;
        }
    }
    entries.extend_from_slice(&of_day.entries);
    settle(&mut entries);
    let block = block::write(&entries, Effort::Little);
    let sql = "INSERT OR REPLACE INTO parts(id, block) VALUES(?, ?)";
    db.prepare_cached(sql)?.execute(params![id, block]).map(drop)
}

/// First and last id of a device's parts of a day.
pub(super) fn part_range(day: Day, device: u32) -> (i64, i64) {
    (Row::part(day, device, 0).id(), Row::part(day, device, u16::MAX).id())
}

fn update_latest(db: &Connection, device: u32, days: &[OfDay]) -> rusqlite::Result<()> {
    let sql = "SELECT latest FROM devices WHERE id = ?";
    let stored: Vec<u8> = db.prepare_cached(sql)?.query_row([device], |row| row.get(0))?;
    // Damaged newest values mend themselves: all are measured again.
    let mut list = latest::read(&stored).unwrap_or_else(|Damaged| Vec::new());
    for of_day in days {
        latest::update_all(&mut list, of_day.day, &of_day.entries);
    }
    let sql = "UPDATE devices SET latest = ? WHERE id = ?";
    db.prepare_cached(sql)?.execute(params![latest::write(&list), device]).map(drop)
}
