//! The default store: compressed blocks in one `SQLite` file, the last hour in memory.
//!
//! ```text
//! groups ─▶ memory ──flush──▶ parts ──fold──▶ days + hours ──sweep──▶ (gone)
//!           ≤ 65 min          one a device    one a device and day; summaries of each hour
//! ```
//! A point is known by device, metric and time: written twice it is there once, and the last one
//! written wins. Reading takes memory first, then the disk, newest last. The on-disk format stands
//! at the head of `disk`, `block`, `hours`, `numbers` and `ints`.
//!
//! Why days: an hour of one metric is 60 points, for which the row and the head of a compressed
//! chunk cost more than the points themselves. Why by device: its metrics share their times.

mod ints;
mod numbers;
mod entry;
mod block;
mod hours;
mod latest;
mod names;
mod memory;
mod disk;
mod damage;
mod flush;
mod fold;
mod sweep;
mod tidy;
mod source;
mod answer;
mod questions;
mod keeper;
mod stage;
mod export;
#[cfg(test)]
mod tests;

pub use disk::OpenError;
pub use export::{ExportError, Exported, Filter, Format, export, progress_bar};
pub use stage::{Feed, Limits, run};

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::AtomicU64,
    },
};

use rusqlite::Connection;

use crate::data_dir::leave_as_it_is;
use damage::DamageLog;
use flush::DeviceIds;
use memory::Memory;
use names::Names;
use questions::Readers;

/// The store. A handle: clones are the same store.
#[derive(Debug, Clone)]
pub struct Embedded(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    memory: RwLock<Memory>,
    writer: Mutex<Writer>,
    readers: Readers,
    damage: DamageLog,
    position: u64,
    /// The last group in memory.
    taken: AtomicU64,
}

#[derive(Debug)]
struct Writer {
    db: Connection,
    ids: DeviceIds,
}

impl Embedded {
    /// Opens the store of `dir`, or begins one. One that is damaged is left as it is.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let file = dir.join(disk::FILE);
        let fault = |error: rusqlite::Error| disk::open_error(&file, &error);
        let db = disk::open(&file)?;
        let stored = disk::meta(&db, flush::POSITION).map_err(fault)?.unwrap_or(0);
        let position = u64::try_from(stored).unwrap_or(0);
        let names = Names::saved(disk::names(&db).map_err(fault)?);
        disk::walk(&db).and_then(|()| leave_as_it_is(&db, false)).map_err(fault)?;
        Ok(Self(Arc::new(Inner {
            memory: RwLock::new(Memory::new(names)),
            writer: Mutex::new(Writer { db, ids: DeviceIds::default() }),
            readers: Readers::new(file.clone()),
            damage: DamageLog::default(),
            file,
            position,
            taken: AtomicU64::new(position),
        })))
    }

    /// The last group of the journal that was wholly on disk when the store was opened.
    pub fn position(&self) -> u64 {
        self.0.position
    }

    /// Rows found damaged since the start.
    pub fn damaged_rows(&self) -> usize {
        self.0.damage.count()
    }

    pub fn file(&self) -> &Path {
        &self.0.file
    }
}

impl Inner {
    fn memory(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory_mut(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
