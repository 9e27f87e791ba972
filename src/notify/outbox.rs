//! Notices that wait to be sent: a table beside the alerts, so that a transition and its notices
//! are written in one transaction.
//!
//! ```text
//! waiting ─▶ sent          the target confirmed it
//!    │ └───▶ set_aside     the target will never take it, or it is too old; kept for a person
//!    └─ a failure: attempts + 1, due later
//! ```

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, Transaction, params};
use tokio::task;

use crate::reading::Timestamp;

/// The file of alerts, in `data_dir`.
pub const FILE: &str = "alerts.sqlite";

/// Sent notices are kept this long, so that a replay does not put them there again.
const KEEP_SENT: Duration = Duration::from_hours(24 * 30);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS outbox (
        id        TEXT NOT NULL,
        channel   TEXT NOT NULL,
        alert     TEXT NOT NULL,
        kind      TEXT NOT NULL,
        at        INTEGER NOT NULL,
        body      TEXT NOT NULL,
        state     TEXT NOT NULL DEFAULT 'waiting',
        attempts  INTEGER NOT NULL DEFAULT 0,
        due       INTEGER NOT NULL DEFAULT 0,
        reason    TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (id, channel)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox (channel, at) WHERE state = 'waiting';
    CREATE INDEX IF NOT EXISTS outbox_sent ON outbox (channel, at) WHERE state = 'sent';
    CREATE INDEX IF NOT EXISTS outbox_alert ON outbox (alert, channel);
";

/// What waits on channel `?1` for nothing but its time: the end of an alert waits for its beginning.
const NEXT_OF_ALERT: &str = "
    channel = ?1 AND state = 'waiting' AND NOT EXISTS (
        SELECT 1 FROM outbox AS before WHERE before.alert = notice.alert
        AND before.channel = ?1 AND before.state = 'waiting'
        AND (before.at, before.kind) < (notice.at, notice.kind))";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Firing,
    Resolved,
}

impl Kind {
    /// As in the body's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "alert.firing",
            Self::Resolved => "alert.resolved",
        }
    }
}

/// One message about one alert, for one channel.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// The same for the same transition of the same alert, however often it is replayed.
    pub id: &'a str,
    pub alert: &'a str,
    pub kind: Kind,
    pub channel: &'a str,
    pub at: Timestamp,
    /// The JSON a webhook gets.
    pub body: &'a str,
    /// It says again what a notice before it said.
    pub again: bool,
}

/// A notice to be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub id: String,
    pub alert: String,
    pub at: Timestamp,
    pub body: String,
    pub attempts: u32,
}

/// How the outbox of one channel stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    pub waiting: u64,
    pub set_aside: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("the outbox in {FILE} does not answer: {0}")]
pub struct OutboxError(String);

impl From<rusqlite::Error> for OutboxError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<task::JoinError> for OutboxError {
    fn from(ended: task::JoinError) -> Self {
        Self(ended.to_string())
    }
}

/// Makes the table if it is not there.
pub fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(SCHEMA)
}

/// Puts a notice there, once for its id and channel; `false` when it was there already, or when it
/// would tell the end of something whose beginning nobody on this channel was told, or say again
/// what still waits to be said.
pub fn put(transaction: &Transaction<'_>, notice: &Notice<'_>) -> rusqlite::Result<bool> {
    if notice.kind == Kind::Resolved && !was_told(transaction, notice)? {
        return Ok(false);
    }
    if notice.again && still_waits(transaction, notice)? {
        return Ok(false);
    }
    let mut insert = transaction.prepare_cached(
        "INSERT OR IGNORE INTO outbox (id, channel, alert, kind, at, body) VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    let Notice { id, alert, kind, channel, at, body, .. } = notice;
    Ok(insert.execute(params![id, channel, alert, kind.as_str(), at.0, body])? > 0)
}

fn was_told(transaction: &Transaction<'_>, notice: &Notice<'_>) -> rusqlite::Result<bool> {
    let mut told = transaction.prepare_cached(
        "SELECT 1 FROM outbox WHERE alert = ? AND channel = ? AND kind = ? \
         AND state != 'set_aside' LIMIT 1",
    )?;
    told.exists(params![notice.alert, notice.channel, Kind::Firing.as_str()])
}

fn still_waits(transaction: &Transaction<'_>, notice: &Notice<'_>) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM outbox WHERE alert = ? AND channel = ? AND state = 'waiting' LIMIT 1";
    transaction.prepare_cached(sql)?.exists(params![notice.alert, notice.channel])
}

/// A connection of its own to the file of alerts.
#[derive(Debug, Clone)]
pub struct Outbox(Arc<Mutex<Connection>>);

impl Outbox {
    pub fn open(data_dir: &Path) -> Result<Self, OutboxError> {
        let connection = Connection::open(data_dir.join(FILE))?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        create(&connection)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// The oldest notices that are due, at most one of an alert: its end waits for its beginning.
    pub async fn due(
        &self,
        channel: &str,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<Waiting>, OutboxError> {
        let channel = channel.to_owned();
        self.with(move |connection| due(connection, &channel, now, most)).await
    }

    /// When the next one is due, if any waits.
    pub async fn next_due(&self, channel: &str) -> Result<Option<Timestamp>, OutboxError> {
        let channel = channel.to_owned();
        self.with(move |connection| {
            let sql = format!("SELECT min(due) FROM outbox AS notice WHERE {NEXT_OF_ALERT}");
            let due = connection.query_row(&sql, [channel], |row| row.get::<_, Option<i64>>(0));
            Ok(due?.map(Timestamp))
        })
        .await
    }

    /// The target confirmed it.
    pub async fn sent(&self, id: &str, channel: &str, now: Timestamp) -> Result<(), OutboxError> {
        let (id, channel) = (id.to_owned(), channel.to_owned());
        self.with(move |connection| {
            let sql = "UPDATE outbox SET state = 'sent', attempts = attempts + 1, reason = '' \
                       WHERE id = ? AND channel = ?";
            connection.execute(sql, params![id, channel])?;
            let old = "DELETE FROM outbox WHERE channel = ? AND state = 'sent' AND at < ?";
            connection.execute(old, params![channel, (now - KEEP_SENT).0])?;
            Ok(())
        })
        .await
    }

    /// It did not get there; try again at `due`.
    pub async fn failed(
        &self,
        id: &str,
        channel: &str,
        due: Timestamp,
        reason: &str,
    ) -> Result<(), OutboxError> {
        let (id, channel, reason) = (id.to_owned(), channel.to_owned(), reason.to_owned());
        self.with(move |connection| {
            let sql = "UPDATE outbox SET attempts = attempts + 1, due = ?, reason = ? \
                       WHERE id = ? AND channel = ?";
            connection.execute(sql, params![due.0, reason, id, channel]).map(drop)
        })
        .await
    }

    /// The target takes notices again: none needs to wait any longer.
    pub async fn hurry(&self, channel: &str) -> Result<(), OutboxError> {
        let channel = channel.to_owned();
        self.with(move |connection| {
            let sql = "UPDATE outbox SET due = 0 WHERE channel = ? AND state = 'waiting'";
            connection.execute(sql, [channel]).map(drop)
        })
        .await
    }

    /// It will never be sent, nor what else waits of its alert; kept for a person to look at.
    pub async fn set_aside(
        &self,
        id: &str,
        channel: &str,
        reason: &str,
    ) -> Result<(), OutboxError> {
        let (id, channel, reason) = (id.to_owned(), channel.to_owned(), reason.to_owned());
        self.with(move |connection| {
            let sql = "UPDATE outbox SET state = 'set_aside', attempts = attempts + (id = ?1), \
                       reason = ?3 WHERE channel = ?2 AND state = 'waiting' \
                       AND alert = (SELECT alert FROM outbox WHERE id = ?1 AND channel = ?2)";
            connection.execute(sql, params![id, channel, reason]).map(drop)
        })
        .await
    }

    /// Sets aside all that waits on a channel and is older than `at`; how many those were.
    pub async fn set_aside_older(
        &self,
        channel: &str,
        at: Timestamp,
        reason: &str,
    ) -> Result<usize, OutboxError> {
        let (channel, reason) = (channel.to_owned(), reason.to_owned());
        self.with(move |connection| {
            let sql = "UPDATE outbox SET state = 'set_aside', reason = ?3 \
                       WHERE channel = ?1 AND state = 'waiting' AND at < ?2";
            connection.execute(sql, params![channel, at.0, reason])
        })
        .await
    }

    /// Channels for which something waits.
    pub async fn channels_waited_for(&self) -> Result<Vec<String>, OutboxError> {
        self.with(|connection| {
            let sql = "SELECT DISTINCT channel FROM outbox WHERE state = 'waiting'";
            let mut select = connection.prepare(sql)?;
            select.query_map([], |row| row.get(0))?.collect()
        })
        .await
    }

    pub async fn standing(&self, channel: &str) -> Result<Standing, OutboxError> {
        let channel = channel.to_owned();
        self.with(move |connection| {
            let sql = "SELECT count(*) FILTER (WHERE state = 'waiting'), \
                       count(*) FILTER (WHERE state = 'set_aside') FROM outbox WHERE channel = ?";
            let count = |row: &rusqlite::Row<'_>, column| {
                row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0))
            };
            connection.query_row(sql, [channel], |row| {
                Ok(Standing { waiting: count(row, 0)?, set_aside: count(row, 1)? })
            })
        })
        .await
    }

    /// Notices that wait, over all channels, and since when the oldest does.
    pub async fn waiting(&self) -> Result<(u64, Option<Timestamp>), OutboxError> {
        self.with(|connection| {
            let sql = "SELECT count(*), min(at) FROM outbox WHERE state = 'waiting'";
            connection.query_row(sql, [], |row| {
                let count: i64 = row.get(0)?;
                let oldest: Option<i64> = row.get(1)?;
                Ok((u64::try_from(count).unwrap_or(0), oldest.map(Timestamp)))
            })
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, OutboxError> {
        let connection = Arc::clone(&self.0);
        let done = task::spawn_blocking(move || {
            work(&connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        Ok(done.await??)
    }
}

fn due(
    connection: &Connection,
    channel: &str,
    now: Timestamp,
    most: u32,
) -> rusqlite::Result<Vec<Waiting>> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT id, alert, at, body, attempts FROM outbox AS notice \
         WHERE {NEXT_OF_ALERT} AND due <= ?2 ORDER BY at LIMIT ?3",
    ))?;
    let rows = select.query_map(params![channel, now.0, most], |row| {
        Ok(Waiting {
            id: row.get(0)?,
            alert: row.get(1)?,
            at: Timestamp(row.get(2)?),
            body: row.get(3)?,
            attempts: row.get(4)?,
        })
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice<'a>(id: &'a str, alert: &'a str, kind: Kind, at: i64) -> Notice<'a> {
        Notice { id, alert, kind, channel: "hook", at: Timestamp(at), body: "{}", again: false }
    }

    fn put_all(folder: &Path, notices: &[Notice<'_>]) -> Vec<bool> {
        let mut connection = Connection::open(folder.join(FILE)).unwrap();
        create(&connection).unwrap();
        let transaction = connection.transaction().unwrap();
        let put = notices.iter().map(|notice| put(&transaction, notice).unwrap()).collect();
        transaction.commit().unwrap();
        put
    }

    #[tokio::test]
    async fn a_notice_is_put_once_and_its_end_only_behind_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let firing = notice("a.firing", "a", Kind::Firing, 1);
        let resolved = notice("a.resolved", "a", Kind::Resolved, 1);
        let unheard = notice("b.resolved", "b", Kind::Resolved, 2);
        assert_eq!(
            put_all(folder.path(), &[firing, firing, resolved, unheard]),
            [true, false, true, false]
        );

        let outbox = Outbox::open(folder.path()).unwrap();
        let due = |now| outbox.due("hook", Timestamp(now), 10);
        let ids = |waiting: Vec<Waiting>| waiting.into_iter().map(|w| w.id).collect::<Vec<_>>();
        assert_eq!(ids(due(5).await.unwrap()), ["a.firing"]);
        outbox.failed("a.firing", "hook", Timestamp(9), "503").await.unwrap();
        assert_eq!(ids(due(5).await.unwrap()), [""; 0], "the end waits with the beginning");
        outbox.sent("a.firing", "hook", Timestamp(9)).await.unwrap();
        assert_eq!(ids(due(9).await.unwrap()), ["a.resolved"]);
        outbox.set_aside("a.resolved", "hook", "410").await.unwrap();
        assert_eq!(outbox.standing("hook").await.unwrap(), Standing { waiting: 0, set_aside: 1 });
        assert_eq!(put_all(folder.path(), &[firing, resolved]), [false, false], "a replay");
    }

    #[tokio::test]
    async fn whoever_waits_for_its_beginning_is_not_what_is_due_next() {
        let folder = tempfile::tempdir().unwrap();
        let firing = notice("a.firing", "a", Kind::Firing, 1);
        let resolved = notice("a.resolved", "a", Kind::Resolved, 2);
        put_all(folder.path(), &[firing, resolved]);
        let outbox = Outbox::open(folder.path()).unwrap();
        outbox.failed("a.firing", "hook", Timestamp(900), "503").await.unwrap();
        assert_eq!(outbox.next_due("hook").await.unwrap(), Some(Timestamp(900)));
        outbox.hurry("hook").await.unwrap();
        assert_eq!(outbox.next_due("hook").await.unwrap(), Some(Timestamp(0)));
    }

    #[tokio::test]
    async fn of_an_alert_whose_beginning_was_given_up_the_end_is_not_told_either() {
        let folder = tempfile::tempdir().unwrap();
        let firing = |id, alert| notice(id, alert, Kind::Firing, 1);
        let resolved = |id, alert| notice(id, alert, Kind::Resolved, 2);
        put_all(folder.path(), &[firing("a.f", "a"), resolved("a.r", "a"), firing("b.f", "b")]);
        let outbox = Outbox::open(folder.path()).unwrap();
        outbox.set_aside("a.f", "hook", "nobody there").await.unwrap();
        outbox.set_aside("b.f", "hook", "nobody there").await.unwrap();
        assert_eq!(outbox.due("hook", Timestamp(9), 9).await.unwrap(), []);
        assert_eq!(put_all(folder.path(), &[resolved("b.r", "b")]), [false]);
    }
}
