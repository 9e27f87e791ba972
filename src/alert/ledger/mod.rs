//! What must outlive the process: open alerts, every transition, the notices it causes, the work
//! that was done, and what rules remember of each device.
//!
//! A transition, its notices and the state of its device are one transaction. A device's row says
//! up to which group it has everything in it, so a replay after a crash can neither repeat what was
//! recorded nor forget what was not. All other rows follow every few seconds (a checkpoint).

mod change;
mod file;
mod prune;
mod read;
mod records;
mod say;
mod write;

pub use file::OpenError;
pub(super) use say::Command;
pub use say::SayError;
pub use write::{Checkpoint, Row};

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use rusqlite::Connection;
use tokio::{
    sync::{Notify, mpsc},
    task,
};

use super::model::Alert;
use crate::notify::outbox;

/// Commands of people that may wait for the engine.
const COMMANDS: usize = 64;

/// A handle all share.
#[derive(Debug, Clone)]
pub struct Ledger {
    writer: Arc<Mutex<Connection>>,
    reader: Arc<Mutex<Connection>>,
    /// Alerts that people know of, by id: asked for often, and few.
    open: Arc<RwLock<BTreeMap<String, Alert>>>,
    channels: Arc<[String]>,
    wake: Arc<Notify>,
    commands: mpsc::Sender<Command>,
    received: Arc<Mutex<Option<mpsc::Receiver<Command>>>>,
}

/// The ledger could not be written or read now; try again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger of alerts does not answer: {reason}")]
pub struct Unavailable {
    pub reason: String,
}

impl Ledger {
    /// `channels`: whom every transition makes a notice for. `wake`: rung when there are new ones.
    pub fn open(dir: &Path, channels: Vec<String>, wake: Arc<Notify>) -> Result<Self, OpenError> {
        let writer = file::open(dir)?;
        let reader = file::open_for_reading(dir)?;
        let open = read::open_alerts(&reader)
            .map_err(|error| file::explain(&dir.join(outbox::FILE), &error))?;
        let (commands, received) = mpsc::channel(COMMANDS);
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
            reader: Arc::new(Mutex::new(reader)),
            open: Arc::new(RwLock::new(open)),
            channels: channels.into(),
            wake,
            commands,
            received: Arc::new(Mutex::new(Some(received))),
        })
    }

    /// Alerts that people know of and that did not end, oldest id first.
    pub fn open_alerts(&self) -> Vec<Alert> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// One of them.
    pub fn open_alert(&self, id: &str) -> Option<Alert> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// What `look` finds among open alerts, without copying them; keep it short.
    pub fn among_open<T>(&self, look: impl FnMut(&Alert) -> Option<T>) -> Vec<T> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.values().filter_map(look).collect()
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        on(Arc::clone(&self.writer), work).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        on(Arc::clone(&self.reader), work).await
    }
}

async fn on<T: Send + 'static>(
    connection: Arc<Mutex<Connection>>,
    work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, Unavailable> {
    let done = task::spawn_blocking(move || {
        work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
    });
    Ok(done.await??)
}

impl From<rusqlite::Error> for Unavailable {
    fn from(error: rusqlite::Error) -> Self {
        Self { reason: error.to_string() }
    }
}

impl From<task::JoinError> for Unavailable {
    fn from(ended: task::JoinError) -> Self {
        Self { reason: ended.to_string() }
    }
}

/// JSON in a column that is not what this version writes.
fn garbled(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
}

#[cfg(test)]
mod tests;
