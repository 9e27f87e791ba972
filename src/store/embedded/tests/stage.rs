//! The stage, fed by hand, its clock in the test's hand.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::mpsc;

use super::*;
use crate::{
    clock::{Clock, Hand},
    store::embedded::{Feed, entry::DAY, run},
};

const START: i64 = 20_000 * DAY;

struct Hose {
    groups: mpsc::Receiver<Arc<Decoded>>,
    committed: Arc<AtomicU64>,
}

impl Feed for Hose {
    async fn next(&mut self) -> Option<Arc<Decoded>> {
        self.groups.recv().await
    }

    fn commit(&self, upto: u64) {
        self.committed.fetch_max(upto, Ordering::SeqCst);
    }
}

struct Running {
    groups: mpsc::Sender<Arc<Decoded>>,
    committed: Arc<AtomicU64>,
    hand: Hand,
    store: Embedded,
    readiness: Readiness,
    stage: Mutex<tokio::task::JoinSet<anyhow::Result<()>>>,
}

fn start(dir: &Path, limits: Limits) -> Running {
    let (groups, receiver) = mpsc::channel(10);
    let committed = Arc::new(AtomicU64::new(0));
    let feed = Hose { groups: receiver, committed: Arc::clone(&committed) };
    let (clock, hand) = Clock::manual(Timestamp(START));
    let store = Embedded::open(dir).unwrap();
    let readiness = Readiness::default();
    let mut stage = tokio::task::JoinSet::new();
    stage.spawn(run(feed, store.clone(), limits, clock, Counters::default(), readiness.clone()));
    Running { groups, committed, hand, store, readiness, stage: Mutex::new(stage) }
}

impl Running {
    async fn send(&self, group: Arc<Decoded>) {
        self.groups.send(group).await.unwrap();
    }

    /// Waits until `there` is true, at most ten seconds of the machine's own time.
    async fn until(&self, what: &str, there: impl Fn(&Self) -> bool) {
        let began = std::time::Instant::now();
        while !there(self) {
            assert!(began.elapsed() < Duration::from_secs(10), "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn until_committed(&self, upto: u64) {
        let there = |running: &Self| running.committed.load(Ordering::SeqCst) >= upto;
        self.until(&format!("group {upto} is committed"), there).await;
    }

    async fn until_count(&self, count: usize) {
        let began = std::time::Instant::now();
        while self.count().await < count {
            assert!(began.elapsed() < Duration::from_secs(10), "waited in vain for {count} points");
        }
    }

    async fn count(&self) -> usize {
        let query = query(0, "temp_c", 0, i64::MAX, None);
        match self.store.windows(query).await.unwrap() {
            Series::Points(points) => points.len(),
            Series::Windows(windows) => windows.len(),
        }
    }

    async fn stop(self) {
        drop(self.groups);
        let mut stage = self.stage.into_inner().unwrap();
        stage.join_next().await.unwrap().unwrap().unwrap();
    }
}

fn one(number: u64, registry: &Arc<Registry>) -> Arc<Decoded> {
    let at = START + i64::try_from(number).unwrap() * 1000;
    group(number, registry, &[(0, "temp_c", at, Value::Number(4.1))])
}

#[tokio::test]
async fn nothing_is_committed_before_it_is_on_disk_and_age_brings_it_there() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), LIMITS);
    let registry = registry();
    running.send(one(1, &registry)).await;
    running.send(one(2, &registry)).await;
    running.until_count(2).await;
    assert_eq!(running.committed.load(Ordering::SeqCst), 0);
    running.hand.set(Timestamp(START) + LIMITS.age);
    running.until_committed(2).await;
    assert_eq!(running.count().await, 2);
    running.stop().await;
}

#[tokio::test]
async fn stopping_flushes_and_a_restart_goes_on_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry();
    let running = start(dir.path(), LIMITS);
    for number in 1..=5 {
        running.send(one(number, &registry)).await;
    }
    let committed = Arc::clone(&running.committed);
    running.stop().await;
    assert_eq!(committed.load(Ordering::SeqCst), 5);

    let running = start(dir.path(), LIMITS);
    running.until_committed(5).await;
    for number in 3..=7 {
        running.send(one(number, &registry)).await;
    }
    running.until_count(7).await;
    running.stop().await;
}

#[tokio::test]
async fn many_samples_go_to_disk_before_their_time() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), Limits { samples: 3, ..LIMITS });
    let registry = registry();
    for number in 1..=10 {
        running.send(one(number, &registry)).await;
    }
    running.until_committed(9).await;
    assert_eq!(running.count().await, 10);
    running.stop().await;
}

#[tokio::test]
async fn a_reloaded_registry_gets_a_table_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), LIMITS);
    running.send(one(1, &registry())).await;
    running.send(one(2, &registry())).await;
    running.until_committed(1).await;
    running.until_count(2).await;
    running.stop().await;
}

#[tokio::test]
async fn a_disk_that_refuses_is_said_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), Limits { samples: 2, ..LIMITS });
    let registry = registry();
    running.send(one(1, &registry)).await;
    running.until_count(1).await;
    let db = rusqlite::Connection::open(running.store.file()).unwrap();
    db.execute_batch("ALTER TABLE parts RENAME TO hidden").unwrap();
    running.send(one(2, &registry)).await;
    running.until("the trouble is said", |r| r.readiness.troubles().contains_key("store")).await;
    assert_eq!(running.committed.load(Ordering::SeqCst), 0);

    db.execute_batch("ALTER TABLE hidden RENAME TO parts").unwrap();
    running.hand.set(Timestamp(START).plus_millis(60_000));
    running.until_committed(2).await;
    assert_eq!(running.count().await, 2);
    running.until("all is well", |r| r.readiness.troubles().is_empty()).await;
    running.stop().await;
}

#[tokio::test]
async fn a_day_that_is_over_is_folded_and_an_old_one_goes() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), LIMITS);
    running.send(one(1, &registry())).await;
    running.until_count(1).await;
    running.hand.set(Timestamp(START).plus_millis(DAY) + Duration::from_mins(80));
    let rows = |running: &Running, table: &str| -> i64 {
        let db = rusqlite::Connection::open(running.store.file()).unwrap();
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    running.until("the day is folded", |r| rows(r, "days") == 1 && rows(r, "parts") == 0).await;
    assert_eq!(running.count().await, 1);
    running.hand.set(Timestamp(START).plus_millis(40 * DAY));
    running.until("the day is gone", |r| rows(r, "days") == 0).await;
    running.stop().await;
}
