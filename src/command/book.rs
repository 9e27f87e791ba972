//! The tables of commands and settings in `state.sqlite`.

use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};
use serde_json::{Map, Value};

use super::model::{Command, Config};
use crate::reading::Timestamp;

pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS commands (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    device TEXT NOT NULL,
    state TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS commands_device ON commands (device, number);
CREATE INDEX IF NOT EXISTS commands_open ON commands (number) WHERE state IN ('waiting', 'sent');
CREATE TABLE IF NOT EXISTS configs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    device TEXT NOT NULL,
    revision INTEGER NOT NULL,
    settings TEXT NOT NULL,
    asker TEXT NOT NULL,
    since INTEGER NOT NULL,
    UNIQUE (device, revision)
) STRICT;
CREATE TABLE IF NOT EXISTS configs_reported (
    device TEXT PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// A new command, and its number.
pub(super) fn add(connection: &Connection, command: &Command) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO commands (id, device, state, body) VALUES (?, ?, ?, ?)";
    let row = params![command.id, command.device, command.state.as_str(), json(command)?];
    connection.prepare_cached(sql)?.execute(row)?;
    Ok(connection.last_insert_rowid())
}

pub(super) fn save(connection: &Connection, command: &Command) -> rusqlite::Result<()> {
    let sql = "UPDATE commands SET state = ?, body = ? WHERE id = ?";
    let row = params![command.state.as_str(), json(command)?, command.id];
    connection.prepare_cached(sql)?.execute(row).map(drop)
}

/// Commands behind `number` that wait or are on their way, in the order they were asked for.
pub(super) fn open_after(
    connection: &Connection,
    number: i64,
) -> rusqlite::Result<Vec<(i64, Command)>> {
    let sql = "SELECT number, body FROM commands \
               WHERE state IN ('waiting', 'sent') AND number > ? ORDER BY number";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map([number], |row| Ok((row.get(0)?, command(row, 1)?)))?;
    rows.collect()
}

/// How many commands of a device wait or are on their way.
pub(super) fn open_of(connection: &Connection, device: &str) -> rusqlite::Result<u32> {
    let sql = "SELECT count(*) FROM commands WHERE state IN ('waiting', 'sent') AND device = ?";
    connection.prepare_cached(sql)?.query_row([device], |row| row.get(0))
}

pub(super) fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<Command>> {
    let sql = "SELECT body FROM commands WHERE id = ?";
    connection.prepare_cached(sql)?.query_row([id], |row| command(row, 0)).optional()
}

/// The newest first.
pub(super) fn of_device(
    connection: &Connection,
    device: &str,
    limit: u32,
) -> rusqlite::Result<Vec<Command>> {
    let sql = "SELECT body FROM commands WHERE device = ? ORDER BY number DESC LIMIT ?";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map(params![device, limit], |row| command(row, 0))?;
    rows.collect()
}

/// The settings that are wanted now.
pub(super) fn config(connection: &Connection, device: &str) -> rusqlite::Result<Option<Config>> {
    let sql = format!("{CONFIG} WHERE configs.device = ? ORDER BY configs.revision DESC LIMIT 1");
    connection.prepare_cached(&sql)?.query_row([device], read_config).optional()
}

/// Every device's newest settings with a number behind `number`, and the last number.
pub(super) fn configs_after(
    connection: &Connection,
    number: i64,
) -> rusqlite::Result<(Vec<Config>, i64)> {
    let sql = format!(
        "{CONFIG} WHERE configs.number > ? AND configs.revision = \
         (SELECT max(newest.revision) FROM configs AS newest WHERE newest.device = configs.device)"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let configs = select.query_map([number], read_config)?.collect::<rusqlite::Result<_>>()?;
    let last = "SELECT coalesce(max(number), 0) FROM configs";
    Ok((configs, connection.query_row(last, [], |row| row.get(0))?))
}

pub(super) fn add_config(connection: &Connection, config: &Config) -> rusqlite::Result<()> {
    let sql =
        "INSERT INTO configs (device, revision, settings, asker, since) VALUES (?, ?, ?, ?, ?)";
    let Config { device, revision, settings, by, since, .. } = config;
    let row = params![device, signed(*revision), json(settings)?, by, since.0];
    connection.prepare_cached(sql)?.execute(row).map(drop)
}

pub(super) fn save_report(
    connection: &Connection,
    device: &str,
    revision: u64,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO configs_reported (device, revision) VALUES (?, ?)";
    connection.prepare_cached(sql)?.execute(params![device, signed(revision)]).map(drop)
}

const CONFIG: &str = "SELECT configs.device, configs.revision, settings, asker, since, \
    configs_reported.revision FROM configs \
    LEFT JOIN configs_reported ON configs_reported.device = configs.device";

fn read_config(row: &Row<'_>) -> rusqlite::Result<Config> {
    let settings: Map<String, Value> =
        serde_json::from_str(&row.get::<_, String>(2)?).map_err(garbled)?;
    let number = |column| row.get::<_, Option<i64>>(column);
    let revision = number(1)?.map_or(0, unsigned);
    let reported = number(5)?.map(unsigned);
    Ok(Config {
        device: row.get(0)?,
        revision,
        settings,
        by: row.get(3)?,
        since: Timestamp(row.get(4)?),
        reported,
        pending: reported != Some(revision),
    })
}

fn command(row: &Row<'_>, column: usize) -> rusqlite::Result<Command> {
    serde_json::from_str(&row.get::<_, String>(column)?).map_err(garbled)
}

fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

fn unsigned(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or(0)
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn garbled(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
}
