//! The questions of [`crate::store`], answered off the runtime's threads.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use rusqlite::{Connection, OptionalExtension};
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{
    Embedded, Inner,
    answer::{self, Wanted, unavailable},
    disk,
    entry::{Day, Entry, NameId},
    latest::{self, Newest},
    source::{Recent, Source},
};
use crate::store::{self, HourlyQuery, Latest, Of, QuestionError, Series, SeriesQuery, Window};

/// Questions answered at once; the rest wait.
const AT_ONCE: usize = 4;

/// Connections for reading, kept between questions.
#[derive(Debug)]
pub(super) struct Readers {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file, idle: Mutex::default(), permits: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Asks within one transaction, so that a flush or a fold happens before or after.
    fn with<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, QuestionError>,
    ) -> Result<T, QuestionError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut db = match idle {
            Some(db) => db,
            None => disk::open_to_read(&self.file)
                .map_err(|error| QuestionError::Unavailable { reason: error.to_string() })?,
        };
        let transaction = db.transaction().map_err(|error| unavailable(&error))?;
        let answer = ask(&transaction)?;
        drop(transaction);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
        Ok(answer)
    }
}

impl Embedded {
    pub async fn windows(&self, query: SeriesQuery) -> Result<Series, QuestionError> {
        query.check()?;
        self.ask(move |inner| inner.windows(&query)).await
    }

    pub async fn hourly(&self, query: HourlyQuery) -> Result<Vec<Vec<Window>>, QuestionError> {
        query.check()?;
        self.ask(move |inner| inner.hourly(&query)).await
    }

    pub async fn latest(&self, path: String) -> Result<Vec<Latest>, QuestionError> {
        self.ask(move |inner| inner.latest(&path)).await
    }

    pub async fn latest_of(&self, devices: Vec<Of>) -> Result<Vec<store::Newest>, QuestionError> {
        self.ask(move |inner| {
            let mut all = Vec::new();
            for Of { path, .. } in devices {
                let told = |latest| store::Newest { path: path.clone(), latest };
                all.extend(inner.latest(&path)?.into_iter().map(told));
            }
            Ok(all)
        })
        .await
    }

    /// The last group that is in memory or on disk.
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Ordering::Acquire)
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Inner) -> Result<T, QuestionError> + Send + 'static,
    ) -> Result<T, QuestionError> {
        let inner = Arc::clone(&self.0);
        let permit = Arc::clone(&inner.readers.permits).acquire_owned().await;
        let answer = spawn_blocking(move || {
            let answer = question(&inner);
            drop(permit);
            answer
        });
        answer.await.map_err(|error| QuestionError::Unavailable { reason: error.to_string() })?
    }
}

impl Inner {
    pub(super) fn windows(&self, query: &SeriesQuery) -> Result<Series, QuestionError> {
        let (metric, recent) = self.recent(&query.path, &query.metric);
        let empty = if query.window.is_some() {
            Series::Windows(Vec::new())
        } else {
            Series::Points(Vec::new())
        };
        let Some(metric) = metric else { return Ok(empty) };
        let wanted = Wanted { metric, from: query.from, to: query.to };
        self.readers.with(|db| {
            let source = self.source(db, &query.path, recent)?;
            let Some(span) = span(db, [&source])? else { return Ok(empty) };
            let (days, words) = (wanted.days(span), |id| self.word(id));
            match query.window {
                None => answer::points(&source, wanted, days, &words).map(Series::Points),
                Some(window) => {
                    answer::windows(&source, wanted, days, window, &words).map(Series::Windows)
                }
            }
        })
    }

    pub(super) fn hourly(&self, query: &HourlyQuery) -> Result<Vec<Vec<Window>>, QuestionError> {
        let nothing = || query.paths.iter().map(|_| Vec::new()).collect();
        let (metric, recent) = self.recent_of_each(&query.paths, &query.metric);
        let Some(metric) = metric else { return Ok(nothing()) };
        let wanted = Wanted { metric, from: query.from, to: query.to };
        self.readers.with(|db| {
            let sources = query.paths.iter().zip(recent);
            let sources: Result<Vec<Source<'_>>, _> =
                sources.map(|(path, recent)| self.source(db, path, recent)).collect();
            let sources = sources?;
            let Some(span) = span(db, &sources)? else { return Ok(nothing()) };
            let hour = std::time::Duration::from_hours(1);
            let words = |id| self.word(id);
            let each = sources.iter();
            each.map(|source| answer::windows(source, wanted, wanted.days(span), hour, &words))
                .collect()
        })
    }

    pub(super) fn latest(&self, path: &str) -> Result<Vec<Latest>, QuestionError> {
        let recent: Recent = {
            let memory = self.memory();
            memory.recent(path).map(|of_day| (of_day.day, of_day.entries.clone())).collect()
        };
        let mut list = self.readers.with(|db| stored_latest(db, path))?;
        for (day, entries) in recent {
            latest::update_all(&mut list, day, &entries);
        }
        let words = |id| self.word(id);
        let told = |newest: Newest| Latest {
            metric: self.word(newest.metric),
            value: answer::datum(newest.kind, newest.value, &words),
            at: newest.at,
        };
        Ok(list.into_iter().map(told).collect())
    }

    /// The metric's number, and what memory has of it.
    fn recent(&self, path: &str, metric: &str) -> (Option<NameId>, Recent) {
        let memory = self.memory();
        let metric = memory.names.find(metric);
        (metric, metric.map(|metric| of_metric(&memory, path, metric)).unwrap_or_default())
    }

    fn recent_of_each(&self, paths: &[String], metric: &str) -> (Option<NameId>, Vec<Recent>) {
        let memory = self.memory();
        let Some(metric) = memory.names.find(metric) else { return (None, Vec::new()) };
        let recent = paths.iter().map(|path| of_metric(&memory, path, metric)).collect();
        (Some(metric), recent)
    }

    fn source<'a>(
        &'a self,
        db: &'a Connection,
        path: &str,
        recent: Recent,
    ) -> Result<Source<'a>, QuestionError> {
        let device = disk::device(db, path).map_err(|error| unavailable(&error))?;
        Ok(Source { db, damage: &self.damage, device, recent })
    }

    fn word(&self, id: NameId) -> Arc<str> {
        self.memory().names.get(id).map_or_else(|| "?".into(), Arc::clone)
    }
}

fn stored_latest(db: &Connection, path: &str) -> Result<Vec<Newest>, QuestionError> {
    let sql = "SELECT latest FROM devices WHERE path = ?";
    let mut row = db.prepare_cached(sql).map_err(|error| unavailable(&error))?;
    let stored: Option<Vec<u8>> =
        row.query_row([path], |row| row.get(0)).optional().map_err(|error| unavailable(&error))?;
    Ok(stored.and_then(|stored| latest::read(&stored).ok()).unwrap_or_default())
}

fn of_metric(memory: &super::Memory, path: &str, metric: NameId) -> Recent {
    let of_day = |of_day: &super::memory::OfDay| {
        let wanted = of_day.entries.iter().filter(|entry| entry.metric == metric);
        (of_day.day, wanted.copied().collect::<Vec<Entry>>())
    };
    memory.recent(path).map(of_day).filter(|(_, entries)| !entries.is_empty()).collect()
}

/// The first and the last day of which there is anything, on disk or in memory.
fn span<'a>(
    db: &Connection,
    sources: impl IntoIterator<Item = &'a Source<'a>>,
) -> Result<Option<(Day, Day)>, QuestionError> {
    let disk = disk::span(db).map_err(|error| unavailable(&error))?;
    let recent = sources.into_iter().flat_map(|source| &source.recent);
    let recent = recent.map(|(day, _)| (*day, *day));
    Ok(disk.into_iter().chain(recent).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))))
}
