//! The thread that owns the writing connection: many appends, one transaction, one fsync.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OptionalExtension};
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot},
    time,
};
use tracing::debug;

use super::{
    AppendError, Messages, file,
    pending::Shared,
    space::{self, Limit},
    transaction::{self, Done, Tail},
    trouble::Trouble,
};
use crate::telemetry::Counters;

/// Appends in one transaction at most.
const BATCH: usize = 64;
/// What may wait for the next transaction waits this long at most.
const LAZY: Duration = Duration::from_secs(1);
const LAZY_MIN: Duration = Duration::from_millis(200);

pub(super) enum Command {
    Append {
        messages: Arc<Messages>,
        done: oneshot::Sender<Result<u64, AppendError>>,
    },
    Flush {
        done: oneshot::Sender<Result<(), AppendError>>,
    },
    ContinueAfter {
        number: u64,
        done: oneshot::Sender<Result<(), AppendError>>,
    },
    Close {
        done: oneshot::Sender<()>,
    },
    #[cfg(test)]
    Do {
        what: Box<dyn FnOnce(&Connection) + Send>,
        done: oneshot::Sender<()>,
    },
}

pub(super) struct Writer {
    pub file: PathBuf,
    pub limit: Limit,
    /// Gone after an error that leaves it in doubt; opened again for the next transaction.
    pub connection: Option<Connection>,
    pub tail: Tail,
    /// Bytes in use at most; `None` = not counted since something failed.
    pub used: Option<u64>,
    /// When what waits for a transaction was in one last.
    pub lazily: Instant,
    pub shared: Arc<Shared>,
    pub counters: Counters,
    pub trouble: Trouble,
}

impl Writer {
    /// Ends when closed, or when every handle is gone.
    pub(super) fn run(mut self, runtime: &Runtime, mut commands: mpsc::Receiver<Command>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut kept_house = Instant::now();
        loop {
            let received = runtime.block_on(async {
                time::timeout(LAZY, commands.recv_many(&mut batch, BATCH)).await
            });
            match received {
                Ok(0) => return self.keep_house(),
                // Closing kept house already; whoever closed may take the folder away by now.
                Ok(_) if self.obey(&mut batch) => return,
                Ok(_) | Err(_) => {}
            }
            if kept_house.elapsed() >= LAZY {
                self.keep_house();
                kept_house = Instant::now();
            }
        }
    }

    /// `true` when told to close.
    fn obey(&mut self, batch: &mut Vec<Command>) -> bool {
        let mut groups = Vec::with_capacity(batch.len());
        let mut replies = Vec::with_capacity(batch.len());
        let mut others = Vec::new();
        for command in batch.drain(..) {
            match command {
                Command::Append { messages, done } => {
                    groups.push(messages);
                    replies.push(done);
                }
                other => others.push(other),
            }
        }
        if !groups.is_empty() {
            for (reply, outcome) in replies.into_iter().zip(self.append(&groups)) {
                // Whoever gave up waiting will deliver again.
                reply.send(outcome).ok();
            }
        }
        others.into_iter().any(|command| self.obey_other(command))
    }

    fn obey_other(&mut self, command: Command) -> bool {
        match command {
            Command::Append { .. } => {}
            Command::Flush { done } => {
                done.send(self.write(&[]).map(drop)).ok();
            }
            Command::ContinueAfter { number, done } => {
                done.send(self.continue_after(number)).ok();
            }
            Command::Close { done } => {
                self.keep_house();
                self.connection = None;
                done.send(()).ok();
                return true;
            }
            #[cfg(test)]
            Command::Do { what, done } => {
                what(self.connection.as_ref().expect("open"));
                done.send(()).ok();
            }
        }
        false
    }

    fn append(&mut self, groups: &[Arc<Messages>]) -> Vec<Result<u64, AppendError>> {
        let done = match self.write(groups) {
            Ok(done) => done,
            Err(error) => return vec![Err(error); groups.len()],
        };
        self.counters.fsync(done.fsync);
        match done.appended.last() {
            Some(Err(full)) => self.trouble.full(full),
            _ if done.dropped > 0 => self.trouble.dropped(done.dropped),
            _ => self.trouble.appended(self.limit.relaxed(done.used)),
        }
        done.appended
    }

    /// One transaction; when it fails nothing of it happened.
    fn write(&mut self, groups: &[Arc<Messages>]) -> Result<Done, AppendError> {
        let used = self.used.take();
        let lazy = self.shared.take(self.is_lazy_due(used, groups));
        let written = self.connected().and_then(|(connection, limit, tail)| {
            let groups = groups.iter().map(AsRef::as_ref);
            transaction::run(connection, limit, tail, used, &lazy, groups)
        });
        match written {
            Ok(done) => {
                self.shared.written(&lazy);
                self.tail = done.tail;
                self.used = Some(done.used);
                if lazy.is_due() {
                    self.lazily = Instant::now();
                }
                let last = done.tail.last;
                self.shared.last.send_if_modified(|before| std::mem::replace(before, last) != last);
                self.counters.journal_bytes(done.used);
                Ok(done)
            }
            Err(error) => {
                self.shared.put_back(lazy);
                Err(self.failed(&error))
            }
        }
    }

    /// Appends come two hundred times a second; what may wait need not make each of them dearer. Where
    /// room is short it must not wait: passed groups can go only with it.
    fn is_lazy_due(&self, used: Option<u64>, groups: &[Arc<Messages>]) -> bool {
        let bytes =
            |group: &Arc<Messages>| u64::try_from(group.as_bytes().len()).unwrap_or(u64::MAX);
        let more = groups.iter().map(|group| space::taken_by(bytes(group)));
        let used = used.map(|used| more.fold(used, u64::saturating_add));
        groups.is_empty()
            || self.lazily.elapsed() >= LAZY_MIN
            || used.is_none_or(|used| !self.limit.relaxed(used))
    }

    fn failed(&mut self, error: &rusqlite::Error) -> AppendError {
        let keeps = matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy)
        );
        let reason = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => format!("no room left for {}", self.file.display()),
            Some(ErrorCode::DatabaseCorrupt) => file::explain(&self.file, error).to_string(),
            _ => format!("{}: {error}", self.file.display()),
        };
        if !keeps {
            self.connection = None;
        }
        self.trouble.unavailable(&reason);
        AppendError::Unavailable { reason }
    }

    /// After an I/O error nobody knows what a connection holds: start from what is on disk.
    fn connected(&mut self) -> rusqlite::Result<(&Connection, &Limit, Tail)> {
        if self.connection.is_none() {
            let connection = file::reopen(&self.file, &self.limit)?;
            let tail = Tail::load(&connection)?;
            if tail.last < self.tail.last {
                return Err(file::replaced());
            }
            self.tail = tail;
            self.connection = Some(connection);
        }
        let connection = self.connection.as_ref().ok_or(rusqlite::Error::InvalidQuery)?;
        Ok((connection, &self.limit, self.tail))
    }

    /// What nobody waits for: commits, trimming, figures, free space.
    fn keep_house(&mut self) {
        let passed = self.shared.readers().into_values().min().unwrap_or(u64::MAX);
        let trims = self.tail.first > 0 && passed.min(self.tail.last) > self.tail.first;
        if (self.shared.has_changes() || trims || self.trouble.any())
            && let Ok(done) = self.write(&[])
        {
            self.trouble.wrote(self.limit.relaxed(done.used));
        }
        let Some(connection) = &self.connection else { return };
        let used = self.limit.used(connection);
        self.used = used.as_ref().ok().copied();
        let measured = used
            .map(|used| self.counters.journal_bytes(used))
            .and_then(|()| self.measure_readers(connection))
            .and_then(|()| space::give_back(connection));
        if let Err(error) = measured {
            // Not a trouble of its own: if writing suffers too, the next append says so.
            debug!("cannot measure the journal: {error}");
        }
    }

    fn measure_readers(&self, connection: &Connection) -> rusqlite::Result<()> {
        for (reader, upto) in self.shared.readers() {
            let behind = self.tail.total.saturating_sub(total_upto(connection, upto)?);
            self.counters.reader_behind(reader, behind);
        }
        Ok(())
    }

    fn continue_after(&mut self, number: u64) -> Result<(), AppendError> {
        if number <= self.tail.last {
            return Ok(());
        }
        let leapt = self
            .connected()
            .and_then(|(connection, _, tail)| transaction::leap(connection, tail, number));
        match leapt {
            Ok(tail) => {
                self.shared.leap(self.tail.last, number);
                self.tail = tail;
                self.write(&[]).map(drop)
            }
            Err(error) => Err(self.failed(&error)),
        }
    }
}

/// Messages journaled up to and with group `upto`, which may be gone.
fn total_upto(connection: &Connection, upto: u64) -> rusqlite::Result<u64> {
    let at = "SELECT total FROM groups WHERE number <= ?1 ORDER BY number DESC LIMIT 1";
    let at = connection.prepare_cached(at)?.query_row([upto], |row| row.get(0)).optional()?;
    if let Some(total) = at {
        return Ok(total);
    }
    let before = "SELECT total - messages FROM groups ORDER BY number LIMIT 1";
    let before = connection.prepare_cached(before)?.query_row([], |row| row.get(0)).optional()?;
    Ok(before.unwrap_or(0))
}
