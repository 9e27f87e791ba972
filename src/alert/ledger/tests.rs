//! What is on disk is what was told, whenever we die.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    alert::{Checkpoint, Engine, Handling, Happening, Kind, Outcome, testing::*},
    notify::outbox,
    rule::{Condition, Rule, Silence, Summed},
};

fn open(dir: &Path) -> Ledger {
    Ledger::open(dir, vec!["log".into(), "hook".into()], Arc::new(Notify::new())).unwrap()
}

fn rules() -> Vec<Rule> {
    let cold = Condition::Below { metric: symbol("t"), limit: 0.0, clear: 1.0 };
    vec![
        Rule { hold: MINUTE * 3, clear_after: MINUTE * 2, ..rule("warm", warm()) },
        Rule { readings: 2, ..rule("cold", cold) },
        Rule { unless: Some(is("defrost", true)), ..rule("door", is("door", true)) },
        Rule { on_backfill: true, ..rule("late", is("door", false)) },
    ]
}

/// Three fridges that look at each other, and their station.
fn a_town() -> Arc<crate::registry::Registry> {
    let opened = Summed::Times(symbol("fridge.door"));
    let mut beside = rules();
    beside.extend([
        rule("other", is("fridge.defrost", true)),
        rule("opened", Condition::SumOver { what: opened, limit: 2.0, within: MINUTE * 9 }),
        rule("hours", Condition::OlderThan { metric: symbol("record.checked"), than: MINUTE * 40 }),
        rule("silent", silent()),
    ]);
    let fridge = profile("fridge", "t=number door=state defrost=state", beside);
    let absent = Condition::AbsentFor { metric: None, within: Silence::Fixed(MINUTE * 7) };
    let own = profile("station", "occupancy=number", vec![rule("away", absent)]);
    Arc::new(station(&[&fridge, &fridge, &fridge, &own]))
}

/// One group as the property test writes it: minutes since the one before, then readings.
type Script = Vec<(u32, Vec<(u32, u8, bool)>)>;

fn groups(script: &Script) -> Vec<(f64, Group)> {
    let mut now = 0;
    let numbered = (1..).zip(script).map(|(number, (pause, readings))| {
        now += pause;
        let at = f64::from(now);
        let metrics = [
            "t=9",
            "t=7.5",
            "t=4",
            "t=-1",
            "door=true",
            "door=false",
            "defrost=true",
            "defrost=false t=9",
        ];
        let group = readings.iter().fold(Group::new(number), |group, (device, what, late)| {
            let metrics = metrics[usize::from(*what)];
            if *late {
                group.late(*device, at, at - 60.0, metrics)
            } else {
                group.reading(*device, at, metrics)
            }
        });
        (at, group)
    });
    numbered.collect()
}

/// The engine and its ledger, as the driver joins them, dying where it is told to.
struct Life {
    engine: Engine,
    ledger: Ledger,
}

impl Life {
    async fn begin(dir: &Path) -> Self {
        let ledger = open(dir);
        let mut engine = Engine::new(a_town(), minute(0.0), Duration::ZERO);
        engine.restore(ledger.restore().await.unwrap());
        Self { engine, ledger }
    }

    async fn record(&mut self, outcome: Outcome) {
        let rows = self.engine.rows(&outcome.devices);
        self.ledger.record(outcome.happenings, rows).await.unwrap();
    }

    async fn judge(&mut self, (at, group): &(f64, Group)) {
        let outcome = self.engine.apply(&group.0, minute(*at));
        self.record(outcome).await;
        let outcome = self.engine.tick(minute(*at));
        self.record(outcome).await;
    }

    /// Judges what it has not judged yet.
    async fn go_on(&mut self, groups: &[(f64, Group)]) {
        for group in groups {
            if group.1.0.group > self.engine.position() {
                self.judge(group).await;
            }
        }
    }

    async fn checkpoint(&mut self, whole: bool) {
        let (position, now) = (self.engine.position(), self.engine.now());
        let slots = self.engine.take_dirty();
        let half = if whole { slots.len() } else { slots.len() / 2 };
        let rows = self.engine.rows(&slots[..half]);
        self.ledger.save(rows).await.unwrap();
        if whole {
            let base = self.engine.base();
            self.ledger.checkpoint(Checkpoint { position, now, base }).await.unwrap();
        }
    }
}

type Seen = (BTreeSet<String>, BTreeSet<String>, BTreeSet<String>);

/// What others may see: alerts, transitions, notices.
async fn seen(ledger: &Ledger) -> Seen {
    let line = |alert: &crate::alert::Alert| serde_json::to_string(alert).unwrap();
    let alerts = ledger.alerts(10_000).await.unwrap().iter().map(line).collect();
    let transitions = ledger.transitions(0, 100_000).await.unwrap();
    let transitions =
        transitions.iter().map(|(_, t)| format!("{:?} {} {}", t.kind, t.at.0, line(&t.alert)));
    let notices = ledger.read(|connection| {
        let mut select = connection.prepare("SELECT id || channel || body FROM outbox")?;
        select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()
    });
    (alerts, transitions.collect(), notices.await.unwrap())
}

async fn without_a_crash(groups: &[(f64, Group)]) -> Seen {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(dir.path()).await;
    for group in groups {
        life.judge(group).await;
    }
    seen(&life.ledger).await
}

/// Dies as often as `deaths` has places, behind the group each names; a checkpoint, whole or cut
/// short, stands before some. What follows a death may lie before the place it died at.
async fn with_crashes(groups: &[(f64, Group)], deaths: &[(usize, Option<bool>)]) -> Seen {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(dir.path()).await;
    for (at, checkpoint) in deaths {
        let known = (*at).min(groups.len());
        life.go_on(&groups[..known]).await;
        match checkpoint {
            Some(whole) => life.checkpoint(*whole).await,
            // What was judged since the last checkpoint and changed nothing people see is lost.
            None => life.go_on(&groups[..groups.len().min(known + 1)]).await,
        }
        life = Life::begin(dir.path()).await;
    }
    life.go_on(groups).await;
    seen(&life.ledger).await
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_crash_at_any_point_neither_repeats_nor_forgets(
        script in proptest::collection::vec(
            (0u32..9, proptest::collection::vec((0u32..3, 0u8..8, prop::bool::weighted(0.1)), 1..4)),
            1..40,
        ),
        deaths in proptest::collection::vec((1usize..40, any::<Option<bool>>()), 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let groups = groups(&script);
        let whole = runtime.block_on(without_a_crash(&groups));
        let broken = runtime.block_on(with_crashes(&groups, &deaths));
        prop_assert!(whole == broken, "{:#?}", differences(&whole, &broken));
    }
}

fn differences(a: &Seen, b: &Seen) -> Vec<String> {
    let transitions = a.1.symmetric_difference(&b.1);
    transitions.map(|line| line.chars().take(160).collect()).collect()
}

fn alert(engine: &mut Engine) -> Outcome {
    engine.apply(&Group::new(1).reading(0, 1.0, "door=true").0, minute(1.0))
}

#[tokio::test]
async fn a_transition_makes_a_notice_for_each_channel_and_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let mut engine = Engine::new(town(&rules(), 1), minute(0.0), Duration::ZERO);
    let raised = ledger.record(alert(&mut engine).happenings, Vec::new()).await.unwrap();
    assert_eq!(raised.len(), 1);
    let id = raised[0].alert.id.clone();
    assert_eq!(ledger.open_alerts(), [raised[0].alert.clone()]);
    let end = Happening::Resolved { id: id.clone(), at: minute(0.5), reason: None };
    let ended = ledger.record(vec![end.clone()], Vec::new()).await.unwrap();
    assert_eq!(
        (ended[0].kind, ended[0].at),
        (Kind::Resolved, minute(1.0)),
        "never before it began"
    );
    assert!(ledger.record(vec![end], Vec::new()).await.unwrap().is_empty(), "told once");
    assert!(ledger.open_alerts().is_empty());
    let numbers: Vec<_> = ledger.transitions(1, 10).await.unwrap();
    assert_eq!(
        numbers.iter().map(|(number, t)| (*number, t.kind)).collect::<Vec<_>>(),
        [(2, Kind::Resolved)]
    );
    assert_eq!(ledger.alert(id).await.unwrap().unwrap().ended, Some(minute(1.0)));

    let outbox = crate::notify::Outbox::open(dir.path()).unwrap();
    let notices = outbox.due("hook", minute(2.0), 10).await.unwrap();
    let body: serde_json::Value = serde_json::from_str(&notices[0].body).unwrap();
    let expected = serde_json::json!({
        "type": "alert.firing", "at": minute(1.0).0,
        "alert": {
            "id": raised[0].alert.id, "rule": "door", "severity": "major", "state": "firing",
            "district": "putuo", "station": "s1", "device": "d0",
            "since": minute(1.0).0, "value": true,
            "says": { "en": "Fridge at – °C", "zh": "冰箱温度 – °C" },
            "do": { "en": "Look at it.", "zh": "查看。" },
            "bring": ["thermometer"], "told": minute(1.0).0,
        },
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_said_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(outbox::FILE);
    let refused = || {
        let refused = Ledger::open(dir.path(), Vec::new(), Arc::new(Notify::new())).unwrap_err();
        assert_eq!(refused.file, file);
        refused.to_string()
    };
    std::fs::write(&file, "these are not the alerts you are looking for").unwrap();
    assert!(refused().contains("move it"), "{}", refused());
    assert_eq!(std::fs::read(&file).unwrap().len(), 44);
    std::fs::remove_file(&file).unwrap();

    let other = Connection::open(&file).unwrap();
    other.execute_batch("CREATE TABLE mine (a)").unwrap();
    drop(other);
    assert!(refused().contains("not a ledger"), "{}", refused());
    std::fs::remove_file(&file).unwrap();

    drop(open(dir.path()));
    let newer = Connection::open(&file).unwrap();
    newer.execute_batch("PRAGMA user_version = 9").unwrap();
    drop(newer);
    assert!(refused().contains("newer program"), "{}", refused());
}

#[tokio::test]
async fn a_damaged_page_is_found_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let rows = (0..500).map(|n| (format!("d/s/{n}").into(), vec![7; 300])).collect();
    ledger.save(rows).await.unwrap();
    ledger
        .write(|connection| connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"))
        .await
        .unwrap();
    drop(ledger);
    let file = dir.path().join(outbox::FILE);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xA5);
    std::fs::write(&file, &bytes).unwrap();
    let refused = Ledger::open(dir.path(), Vec::new(), Arc::new(Notify::new())).unwrap_err();
    assert!(refused.to_string().contains("move it away"), "{refused}");
    assert_eq!(std::fs::read(&file).unwrap(), bytes, "nothing was changed");
}

#[tokio::test]
async fn the_furthest_group_may_lie_beyond_the_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(dir.path()).await;
    life.judge(&(0.1, Group::new(4).reading(0, 0.1, "t=4"))).await;
    life.checkpoint(true).await;
    assert_eq!((life.ledger.position().unwrap(), life.ledger.furthest().unwrap()), (4, 4));
    life.judge(&(0.2, Group::new(9).reading(0, 0.2, "door=true"))).await;
    assert_eq!((life.ledger.position().unwrap(), life.ledger.furthest().unwrap()), (4, 9));
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let mut engine = Engine::new(town(&rules(), 1), minute(0.0), Duration::ZERO);
    let raised = ledger.record(alert(&mut engine).happenings, Vec::new()).await.unwrap();
    let id = raised[0].alert.id.clone();
    drop(ledger);
    let file = Connection::open(dir.path().join(outbox::FILE)).unwrap();
    file.execute_batch(
        "DROP TABLE records; DROP INDEX transitions_at; DROP INDEX alerts_ended;
         ALTER TABLE transitions RENAME TO now;
         CREATE TABLE transitions (number INTEGER PRIMARY KEY AUTOINCREMENT, alert TEXT NOT NULL,
             kind TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL, UNIQUE (alert, kind)) STRICT;
         INSERT INTO transitions SELECT 7, alert, kind, at, body FROM now;
         DROP TABLE now;
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(file);

    let ledger = open(dir.path());
    let known = ledger.transitions(0, 10).await.unwrap();
    assert_eq!((known.len(), known[0].0, known[0].1.kind), (1, 7, Kind::Firing));
    for at in [2.0, 4.0] {
        let again = Handling::Repeated { id: id.clone(), at: minute(at) };
        assert_eq!(ledger.handle(vec![again]).await.unwrap().len(), 1);
    }
    let numbers: Vec<_> = ledger.transitions(7, 10).await.unwrap();
    assert_eq!(numbers.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [8, 9]);
    assert_eq!(ledger.records(None, 10, 0).await.unwrap(), []);
    drop(ledger);
    assert_eq!(open(dir.path()).open_alerts()[0].repeats, 2);
}
