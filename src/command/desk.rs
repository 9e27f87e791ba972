//! Where people ask, and what they are shown: a handle all share.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, TransactionBehavior};
use serde_json::{Map, Value};
use tokio::{sync::Notify, task};

use super::{
    book,
    model::{Command, Config},
    order::{Order, Refused, check_settings, name},
};
use crate::{
    data_dir::{StateError, open_state},
    reading::Timestamp,
    registry::Device,
};

/// Commands of one device that wait or are on their way, at most.
const OPEN_MAX: u32 = 32;

#[derive(Debug, Clone)]
pub struct Desk {
    connection: Arc<Mutex<Connection>>,
    rung: Arc<Notify>,
}

/// Why something was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("{OPEN_MAX} commands wait for this device already")]
    TooMany,
    /// Try again later.
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
}

/// The file could not be written or read now; try again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the file of commands does not answer: {reason}")]
pub struct Unavailable {
    pub reason: String,
}

impl Desk {
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let connection = Arc::new(Mutex::new(open_state(dir, book::TABLES)?));
        Ok(Self { connection, rung: Arc::default() })
    }

    /// Takes a command: it is on disk when this returns.
    pub async fn ask(
        &self,
        device: &Device,
        order: Order,
        now: Timestamp,
    ) -> Result<Command, AskError> {
        let command = order.check(&device.path, &device.profile, new_id(now), now)?;
        let added = self.with(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if book::open_of(&transaction, &command.device)? >= OPEN_MAX {
                return Ok(None);
            }
            book::add(&transaction, &command)?;
            transaction.commit()?;
            Ok(Some(command))
        });
        let command = added.await?.ok_or(AskError::TooMany)?;
        self.rung.notify_one();
        Ok(command)
    }

    /// Commands of a device, the newest first.
    pub async fn history(&self, device: &str, limit: u32) -> Result<Vec<Command>, Unavailable> {
        let device = device.to_owned();
        self.with(move |connection| book::of_device(connection, &device, limit)).await
    }

    pub async fn find(&self, id: &str) -> Result<Option<Command>, Unavailable> {
        let id = id.to_owned();
        self.with(move |connection| book::find(connection, &id)).await
    }

    /// Takes what the settings of a device should be. The same once more is the same revision.
    pub async fn wish(
        &self,
        device: &Device,
        settings: Map<String, Value>,
        by: &str,
        since: Timestamp,
    ) -> Result<Config, AskError> {
        let by = name(by)?;
        let settings = check_settings(settings, &device.profile)?;
        let path = device.path.to_string();
        let added = self.with(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let last = book::config(&transaction, &path)?;
            if let Some(same) = last.as_ref().filter(|last| last.settings == settings) {
                return Ok(same.clone());
            }
            let (revision, reported) = last.map_or((1, None), |l| (l.revision + 1, l.reported));
            let device = path;
            let config = Config { device, revision, settings, by, since, reported, pending: true };
            book::add_config(&transaction, &config)?;
            transaction.commit()?;
            Ok(config)
        });
        let config = added.await?;
        self.rung.notify_one();
        Ok(config)
    }

    /// What the settings of a device should be, if anybody ever said so.
    pub async fn config(&self, device: &str) -> Result<Option<Config>, Unavailable> {
        let device = device.to_owned();
        self.with(move |connection| book::config(connection, &device)).await
    }

    /// Waits until something was asked for.
    pub(super) async fn rung(&self) {
        self.rung.notified().await;
    }

    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let connection = Arc::clone(&self.connection);
        let done = task::spawn_blocking(move || {
            work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        Ok(done.await??)
    }
}

/// Never given twice, also not after the file was moved away: a device may remember it.
fn new_id(now: Timestamp) -> String {
    format!("{:011x}-{:08x}", now.0, rand::random::<u32>())
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

impl From<Unavailable> for String {
    fn from(unavailable: Unavailable) -> Self {
        unavailable.to_string()
    }
}
