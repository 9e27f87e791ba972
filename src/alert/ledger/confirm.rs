//! What people may say about an alert, on its way to the engine.

use std::sync::PoisonError;

use tokio::sync::{mpsc, oneshot};

use super::{Ledger, Unavailable};
use crate::alert::model::Alert;

/// A person says that it is over.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) alert: Alert,
    pub(crate) by: String,
    pub(crate) done: oneshot::Sender<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfirmError {
    #[error("no open alert has the id {id:?}")]
    Unknown { id: String },
    /// The daemon is starting or stopping: try again.
    #[error("nobody judges alerts now")]
    Away,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Ledger {
    /// Ends an open alert in the name of a person; a latched one ends in no other way. Gives the
    /// alert as it stands then, once that is on disk.
    pub async fn confirm(&self, id: &str, by: &str) -> Result<Alert, ConfirmError> {
        let unknown = || ConfirmError::Unknown { id: id.to_owned() };
        let alert = self.open_alerts().into_iter().find(|alert| alert.id == id);
        let alert = alert.ok_or_else(unknown)?;
        let (done, answer) = oneshot::channel();
        let command = Command { alert, by: by.to_owned(), done };
        self.commands.send(command).await.map_err(|_| ConfirmError::Away)?;
        match answer.await {
            Ok(true) => self.alert(id.to_owned()).await?.ok_or_else(unknown),
            Ok(false) => Err(unknown()),
            Err(_) => Err(ConfirmError::Away),
        }
    }

    /// The other end of [`Ledger::confirm`]; the engine takes it once.
    pub(crate) fn take_commands(&self) -> Option<mpsc::Receiver<Command>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
