//! What the journal says when it cannot.

use std::path::PathBuf;

use crate::settings::ByteSize;

/// The file cannot be used; a person is needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what} ({cure})", file.display())]
pub struct OpenError {
    pub file: PathBuf,
    pub what: String,
    pub cure: String,
}

/// Nothing was kept: try again later, and acknowledge nothing meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    #[error(
        "the journal is full ({bytes} of {max_bytes} bytes, journal.max_bytes) and waits for reader {slowest:?}"
    )]
    Full { bytes: u64, max_bytes: ByteSize, slowest: &'static str },
    #[error("cannot write the journal: {reason}")]
    Unavailable { reason: String },
    /// The journal was closed, or its thread died: trying again does not help.
    #[error("the journal is closed")]
    Closed,
}

/// The journal could not be read now; try again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the journal: {reason}")]
pub struct ReadError {
    pub reason: String,
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self { reason: error.to_string() }
    }
}
