//! What people say, of an alert or of their work: by way of the engine, where it must know.

use std::sync::PoisonError;

use tokio::sync::{mpsc, oneshot};

use super::{Ledger, Unavailable};
use crate::alert::{
    model::{Acknowledgement, Alert, Handling},
    record::Record,
};

/// Something a person said, on its way to the engine.
#[derive(Debug)]
pub(crate) enum Command {
    /// It is over; answered with whether it was open.
    Confirm { alert: Box<Alert>, by: String, done: oneshot::Sender<bool> },
    /// Work was done; answered once that is on disk, with whether its device is known.
    Enter { record: Box<Record>, done: oneshot::Sender<bool> },
}

/// Why what a person said came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SayError {
    #[error("no open alert has the id {id:?}")]
    UnknownAlert { id: String },
    #[error("no device {path:?} is registered")]
    UnknownDevice { path: String },
    /// The daemon is starting or stopping: try again.
    #[error("nobody judges alerts now")]
    Away,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Ledger {
    /// Ends an open alert in the name of a person; a latched one ends in no other way. Gives the
    /// alert as it stands then, once that is on disk.
    pub async fn confirm(&self, id: &str, by: &str) -> Result<Alert, SayError> {
        let unknown = || SayError::UnknownAlert { id: id.to_owned() };
        let alert = Box::new(self.open_alert(id).ok_or_else(unknown)?);
        let (done, answer) = oneshot::channel();
        let confirmed = self.say(Command::Confirm { alert, by: by.to_owned(), done }, answer);
        if !confirmed.await? {
            return Err(unknown());
        }
        self.alert(id.to_owned()).await?.ok_or_else(unknown)
    }

    /// Keeps an open alert quiet until the acknowledgement runs out. Gives it as it stands then.
    pub async fn acknowledge(
        &self,
        id: &str,
        acknowledgement: Acknowledgement,
    ) -> Result<Alert, SayError> {
        let id = id.to_owned();
        let said = Handling::Acknowledged { id: id.clone(), acknowledgement };
        let transition = self.handle(vec![said]).await?.pop();
        transition.map(|known| known.alert).ok_or(SayError::UnknownAlert { id })
    }

    /// Writes down work that was done, and lets rules know of it.
    pub async fn enter(&self, record: Record) -> Result<(), SayError> {
        let unknown = SayError::UnknownDevice { path: record.path.clone() };
        let (done, answer) = oneshot::channel();
        let known = self.say(Command::Enter { record: Box::new(record), done }, answer).await?;
        if known { Ok(()) } else { Err(unknown) }
    }

    async fn say(
        &self,
        command: Command,
        answer: oneshot::Receiver<bool>,
    ) -> Result<bool, SayError> {
        self.commands.send(command).await.map_err(|_| SayError::Away)?;
        answer.await.map_err(|_| SayError::Away)
    }

    /// Where [`Command`]s arrive; the engine takes it once.
    pub(crate) fn take_commands(&self) -> Option<mpsc::Receiver<Command>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
