//! One group as it lies on disk: compressed, with a checksum over all of it.

use std::sync::Arc;

use rusqlite::Row;

use super::{Messages, annotation};
use crate::{decode::Annotations, reading::Timestamp};

/// Messages that became durable together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub number: u64,
    pub messages: Arc<Messages>,
    /// Empty until the group was decoded for the first time.
    pub annotations: Annotations,
}

/// The columns of a group.
#[derive(Debug)]
pub(super) struct Stored {
    pub number: u64,
    pub messages: u32,
    /// When its first message was received.
    pub received: i64,
    pub raw_len: u64,
    pub crc: u32,
    pub block: Vec<u8>,
}

/// Why a group cannot be given back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    #[error("its checksum is wrong")]
    Checksum,
    #[error("its block does not unpack")]
    Block,
    #[error("{0}")]
    Messages(#[from] super::Garbled),
    #[error("{0}")]
    Row(String),
}

impl Stored {
    pub(super) fn pack(number: u64, messages: &Messages) -> Self {
        let raw = messages.as_bytes();
        let mut stored = Self {
            number,
            messages: messages.len(),
            received: messages.iter().next().map_or(0, |first| first.received.0),
            raw_len: u64::try_from(raw.len()).unwrap_or(u64::MAX),
            crc: 0,
            block: lz4_flex::block::compress(raw),
        };
        stored.crc = stored.checksum();
        stored
    }

    pub(super) fn unpack(self) -> Result<Messages, Damage> {
        if self.checksum() != self.crc {
            return Err(Damage::Checksum);
        }
        let raw_len = usize::try_from(self.raw_len).map_err(|_| Damage::Block)?;
        let raw = lz4_flex::block::decompress(&self.block, raw_len).map_err(|_| Damage::Block)?;
        Ok(Messages::from_bytes(raw, self.messages)?)
    }

    /// The order of columns is that of the query in `read`.
    pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get(0)?,
            messages: row.get(1)?,
            received: row.get(2)?,
            raw_len: row.get(3)?,
            crc: row.get(4)?,
            block: row.get(5)?,
        })
    }

    fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.number.to_le_bytes());
        hasher.update(&self.messages.to_le_bytes());
        hasher.update(&self.received.to_le_bytes());
        hasher.update(&self.raw_len.to_le_bytes());
        hasher.update(&self.block);
        hasher.finalize()
    }
}

impl Group {
    /// What was received first.
    pub fn received(&self) -> Option<Timestamp> {
        self.messages.iter().next().map(|first| first.received)
    }

    pub(super) fn read(stored: Stored, notes: Option<&[u8]>) -> Result<Self, Damage> {
        let number = stored.number;
        let messages = Arc::new(stored.unpack()?);
        let annotations = match notes {
            None => Annotations::default(),
            Some(bytes) => annotation::read(bytes)
                .ok_or_else(|| Damage::Row("its annotations cannot be read".to_owned()))?,
        };
        Ok(Self { number, messages, annotations })
    }
}
