//! One device's samples, day by day, from disk and memory together.

use rusqlite::{Connection, ErrorCode};

use super::{
    block,
    damage::{self, DamageLog},
    disk::Row,
    entry::{Day, Entry, NameId, settle},
    fold,
    hours::{self, Hour},
};

/// What is in memory of a device; taken before the disk is read, so that nothing falls between.
pub(super) type Recent = Vec<(Day, Vec<Entry>)>;

/// A device to be read.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) db: &'a Connection,
    pub(super) damage: &'a DamageLog,
    /// `None` when it is not on disk yet.
    pub(super) device: Option<u32>,
    pub(super) recent: Recent,
}

impl Source<'_> {
    /// Entries of a day in order of metric and time; of one metric, or of all.
    pub(super) fn entries(&self, day: Day, metric: Option<NameId>) -> rusqlite::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        if let Some(device) = self.device {
            let row = Row::day(day, device);
            let folded = damage::block(self.db, row, self.damage)?;
            let folded = folded.map(|block| (row, block));
            for (row, block) in folded.into_iter().chain(self.parts(day, device)?) {
                if let Err(damaged) = block::read(&block, metric, &mut entries) {
                    self.damage.report(row, &damaged);
                }
            }
        }
        let recent = self.recent.iter().filter(|(of, _)| *of == day).flat_map(|(_, all)| all);
        entries.extend(recent.filter(|entry| metric.is_none_or(|metric| entry.metric == metric)));
        settle(&mut entries);
        Ok(entries)
    }

    /// Summaries of a day; `None` where they are not the whole truth and the entries must be asked.
    pub(super) fn hours(&self, day: Day, metric: NameId) -> rusqlite::Result<Option<Vec<Hour>>> {
        let Some(device) = self.device else { return Ok(None) };
        if self.recent.iter().any(|(of, _)| *of == day) || self.has_parts(day, device)? {
            return Ok(None);
        }
        let row = Row::hours(day, metric, device);
        let Some(block) = damage::block(self.db, row, self.damage)? else { return Ok(None) };
        match hours::read(&block) {
            Ok(hours) => Ok(Some(hours)),
            Err(damaged) => {
                self.damage.report(row, &damaged);
                Ok(None)
            }
        }
    }

    fn has_parts(&self, day: Day, device: u32) -> rusqlite::Result<bool> {
        let (first, last) = super::flush::part_range(day, device);
        let sql = "SELECT 1 FROM parts WHERE id BETWEEN ? AND ? LIMIT 1";
        self.db.prepare_cached(sql)?.exists([first, last])
    }

    fn parts(&self, day: Day, device: u32) -> rusqlite::Result<Vec<(Row, Vec<u8>)>> {
        match fold::parts(self.db, day, device) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
                self.damage.report(Row::part(day, device, 0), &error);
                Ok(Vec::new())
            }
            parts => parts,
        }
    }
}
