//! The durable log between input and everything else: raw messages in groups, numbered from 1
//! without gaps, and readers with names that say how far they have got.
//!
//! ```text
//!  append ──▶ writer thread ──▶ journal.sqlite   groups        number · messages · checksum · lz4 block
//!             one transaction,   (WAL, FULL)     readers       name · upto
//!             one fsync                          annotations   number · what decoding decided
//!  commit, annotate, save_state: wait up to 1 s  device_state  path · the decoder's memory
//!  for the next transaction to take them along
//! ```
//! A group goes when every reader has passed it; the newest always stays, so that numbers go on.
//! `max_bytes` bounds the file; `when_full` says whether publishers wait or the oldest groups go.

mod annotation;
mod error;
mod file;
mod group;
mod pending;
mod read;
mod record;
mod space;
mod transaction;
mod trouble;
mod writer;

pub use error::{AppendError, OpenError, ReadError};
pub use group::Group;
pub use record::{Condition, Garbled, Message, Messages, Source};

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Instant,
};

use rusqlite::{Connection, OptionalExtension};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task,
};

use crate::{
    decode::Annotations,
    settings,
    telemetry::{Counters, Readiness},
};

use self::{
    pending::Shared,
    read::Reader,
    space::Limit,
    transaction::Tail,
    trouble::Trouble,
    writer::{Command, Writer},
};

/// Commands that wait for the writer at most; who sends more waits.
const QUEUE: usize = 64;

/// A handle all stages share.
#[derive(Clone)]
pub struct Journal {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    reader: Arc<Mutex<Reader>>,
    file: Arc<PathBuf>,
}

impl Journal {
    /// Opens the journal of `dir`, or makes it. A group is kept until all of `readers` passed it.
    pub fn open(
        dir: &Path,
        settings: &settings::Journal,
        readers: &[&'static str],
        counters: Counters,
        readiness: Readiness,
    ) -> Result<Self, OpenError> {
        let file = file::path(dir);
        let limit = Limit::of(settings);
        let connection = file::open(&file, &limit)?;
        let begin = |connection: &Connection| {
            let tail = Tail::load(connection)?;
            let upto = load_readers(connection, readers)?;
            // Looks at every page of it, so that damage is found now and not half-way.
            connection.query_row("SELECT count(*) FROM device_state", [], |_| Ok(()))?;
            let reader = Reader::open(&file, counters.clone())?;
            file::accept(connection)?;
            Ok((tail, upto, reader))
        };
        let (tail, upto, reader) =
            begin(&connection).map_err(|error| file::explain(&file, &error))?;
        let shared = Arc::new(Shared::new(upto, tail.last));
        let (commands, received) = mpsc::channel(QUEUE);
        let writer = Writer {
            file: file.clone(),
            limit,
            connection: Some(connection),
            tail,
            used: None,
            lazily: Instant::now(),
            shared: Arc::clone(&shared),
            trouble: Trouble::new(readiness, counters.clone()),
            counters,
        };
        start(writer, received).map_err(|error| file::no_thread(&file, &error))?;
        Ok(Self { commands, shared, reader: Arc::new(Mutex::new(reader)), file: Arc::new(file) })
    }

    /// Durable once this returns the group's number. Whoever stops waiting may find the group
    /// journaled all the same.
    pub async fn append(&self, messages: Arc<Messages>) -> Result<u64, AppendError> {
        self.ask(|done| Command::Append { messages, done }).await?
    }

    /// Groups from `from` on, about `max_bytes` of messages, at least one unless there is none.
    /// What was dropped or is damaged is left out.
    pub async fn read(&self, from: u64, max_bytes: usize) -> Result<Vec<Group>, ReadError> {
        self.read_upto(from, self.last(), max_bytes).await
    }

    /// As [`Self::read`], but nothing beyond group `upto`. An empty answer means that there is
    /// nothing to be had in all of the range.
    pub async fn read_upto(
        &self,
        from: u64,
        upto: u64,
        max_bytes: usize,
    ) -> Result<Vec<Group>, ReadError> {
        // Taken before reading, so that annotations on their way to disk are seen here or there.
        let mut notes = self.shared.notes(from);
        self.with_reader(move |reader| reader.read(from, upto, max_bytes, &mut notes)).await
    }

    /// `reader` needs nothing up to and with `upto` again. Durable with the next append, or within
    /// about a second.
    pub fn commit(&self, reader: &'static str, upto: u64) {
        self.shared.commit(reader, upto);
    }

    pub fn committed(&self, reader: &str) -> u64 {
        self.shared.committed(reader)
    }

    /// What decoding decided about `group`; on disk with the next [`Self::save_state`] that covers
    /// it, with the group as soon as it is read.
    pub fn annotate(&self, group: u64, annotations: Annotations) {
        self.shared.annotate(group, annotations);
    }

    /// The decoder's memory as of group `upto`: changed rows, annotations and the position of
    /// reader "decode" become durable together or not at all, within about a second.
    pub fn save_state(&self, rows: Vec<(String, Vec<u8>)>, upto: u64) {
        self.shared.save_state(rows, upto);
    }

    /// All rows of the decoder's memory as they were at the position of reader "decode".
    pub async fn load_state(&self) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
        self.with_reader(|reader| reader.state()).await
    }

    /// The newest durable group; 0 when there never was one.
    pub fn last(&self) -> u64 {
        *self.shared.last.borrow()
    }

    /// Follows [`Self::last`].
    pub fn watch_last(&self) -> watch::Receiver<u64> {
        self.shared.last.subscribe()
    }

    /// Makes the numbers go on behind `number` if they are not that far: for a journal that was
    /// moved away while others remember how far they were in the old one.
    pub async fn continue_after(&self, number: u64) -> Result<(), AppendError> {
        self.ask(|done| Command::ContinueAfter { number, done }).await?
    }

    /// Makes everything that waits durable.
    pub async fn flush(&self) -> Result<(), AppendError> {
        self.ask(|done| Command::Flush { done }).await?
    }

    /// Flushes and ends the writer; appends fail from here on.
    pub async fn close(&self) {
        self.ask(|done| Command::Close { done }).await.ok();
    }

    /// Returns when the writer has ended: after [`Self::close`], else by a bug.
    pub async fn ended(&self) {
        self.commands.closed().await;
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, AppendError> {
        let (done, answer) = oneshot::channel();
        self.commands.send(command(done)).await.map_err(|_| AppendError::Closed)?;
        answer.await.map_err(|_| AppendError::Closed)
    }

    async fn with_reader<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let reader = Arc::clone(&self.reader);
        let read = move || read(&mut reader.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = task::spawn_blocking(read).await;
        ended.unwrap_or_else(|error| Err(ReadError { reason: error.to_string() }))
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Journal");
        shown.field("file", &self.file).field("last", &self.last()).finish_non_exhaustive()
    }
}

fn start(writer: Writer, commands: mpsc::Receiver<Command>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let run = move || writer.run(&runtime, commands);
    thread::Builder::new().name("journal".to_owned()).spawn(run).map(drop)
}

fn load_readers(
    connection: &Connection,
    readers: &[&'static str],
) -> rusqlite::Result<BTreeMap<&'static str, u64>> {
    let mut query = connection.prepare("SELECT upto FROM readers WHERE name = ?1")?;
    let mut position = |name: &'static str| {
        let upto = query.query_row([name], |row| row.get(0)).optional()?;
        Ok((name, upto.unwrap_or(0)))
    };
    readers.iter().map(|name| position(name)).collect()
}

#[cfg(test)]
mod tests;
