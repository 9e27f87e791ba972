//! Parts to days: what several flushes left of a device's day becomes one block, with summaries.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{
    block,
    damage::{self, DamageLog},
    disk::{Row, device_of_part},
    entry::{Day, Entry, settle},
    flush::part_range,
    hours,
    ints::Effort,
};

/// Devices folded in one transaction.
const STEP: usize = 64;

/// Parts larger than this together stay as they are: a device that sends this much is read slowly.
const BLOCK_MAX: usize = 32 << 20;

/// Folds the next devices of `day` behind `after`; tells the last one done, `None` at the end.
pub(super) fn step(
    db: &mut Connection,
    damage: &DamageLog,
    day: Day,
    after: Option<u32>,
) -> rusqlite::Result<Option<u32>> {
    let transaction = db.transaction()?;
    let mut done = after;
    for _ in 0..STEP {
        let Some(device) = next_device(&transaction, day, done)? else {
            transaction.commit()?;
            return Ok(None);
        };
        fold(&transaction, damage, day, device)?;
        done = Some(device);
    }
    transaction.commit()?;
    Ok(done)
}

fn next_device(db: &Connection, day: Day, after: Option<u32>) -> rusqlite::Result<Option<u32>> {
    let from = part_range(day, after.map_or(0, |after| after + 1)).0;
    let to = part_range(day, 0x7fff_ffff).1;
    let sql = "SELECT id FROM parts WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1";
    let id = db.prepare_cached(sql)?.query_row([from, to], |row| row.get(0)).optional()?;
    Ok(id.map(device_of_part))
}

fn fold(db: &Transaction<'_>, damage: &DamageLog, day: Day, device: u32) -> rusqlite::Result<()> {
    let mut blocks = Vec::new();
    blocks.extend(folded_before(db, day, device)?);
    blocks.extend(parts(db, day, device)?);
    if blocks.iter().map(|(_, block)| block.len()).sum::<usize>() > BLOCK_MAX {
        return Ok(());
    }
    let mut entries: Vec<Entry> = Vec::new();
    for (row, block) in &blocks {
        if let Err(damaged) = block::read(block, None, &mut entries) {
            damage.report(*row, &damaged);
            damage::set_aside(db, *row, block)?;
        }
    }
    settle(&mut entries);
    write(db, day, device, &entries)?;
    let (first, last) = part_range(day, device);
    let sql = "DELETE FROM parts WHERE id BETWEEN ? AND ?";
    db.prepare_cached(sql)?.execute([first, last]).map(drop)
}

/// Where the file itself is damaged here this fails, so that nothing takes the unread row's place.
fn folded_before(
    db: &Connection,
    day: Day,
    device: u32,
) -> rusqlite::Result<Option<(Row, Vec<u8>)>> {
    let row = Row::day(day, device);
    let sql = "SELECT block FROM days WHERE id = ?";
    let block = db.prepare_cached(sql)?.query_row([row.id()], |row| row.get(0)).optional()?;
    Ok(block.map(|block| (row, block)))
}

/// A device's parts of a day, oldest first.
pub(super) fn parts(
    db: &Connection,
    day: Day,
    device: u32,
) -> rusqlite::Result<Vec<(Row, Vec<u8>)>> {
    let (first, last) = part_range(day, device);
    let sql = "SELECT id, block FROM parts WHERE id BETWEEN ? AND ? ORDER BY id";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([first, last], |row| Ok((Row::Part(row.get(0)?), row.get(1)?)));
    rows?.collect()
}

fn write(db: &Connection, day: Day, device: u32, entries: &[Entry]) -> rusqlite::Result<()> {
    let block = block::write(entries, Effort::Much);
    let sql = "INSERT OR REPLACE INTO days(id, block) VALUES(?, ?)";
    db.prepare_cached(sql)?.execute(params![Row::day(day, device).id(), block])?;
    for of_metric in entries.chunk_by(|a, b| a.metric == b.metric) {
        let Some(first) = of_metric.first() else { continue };
        let id = Row::hours(day, first.metric, device).id();
        if let Some(summaries) = hours::write(of_metric) {
            let sql = "INSERT OR REPLACE INTO hours(id, block) VALUES(?, ?)";
            db.prepare_cached(sql)?.execute(params![id, summaries])?;
        } else {
            db.prepare_cached("DELETE FROM hours WHERE id = ?")?.execute([id])?;
        }
    }
    Ok(())
}
