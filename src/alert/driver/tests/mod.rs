//! The whole stage on paused time, with a clock in the test's hand and a ledger on disk.

mod people;

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{advance, timeout},
};

use super::*;
use crate::{
    alert::{Transition, testing::*},
    clock::Hand,
    rule::Rule,
};

/// Groups as a test hands them over. Each time it is asked for one, all before is done with.
struct Queue {
    groups: mpsc::Receiver<Arc<Decoded>>,
    committed: Arc<AtomicU64>,
    lag: Arc<AtomicU64>,
    taken: u64,
    done: watch::Sender<Done>,
}

/// How often the stage came round, and how many groups it is done with.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    rounds: u64,
    groups: u64,
}

impl Groups for Queue {
    async fn next(&mut self) -> Option<Arc<Decoded>> {
        let groups = self.taken;
        self.done.send_modify(|done| *done = Done { rounds: done.rounds + 1, groups });
        let group = self.groups.recv().await?;
        self.taken += 1;
        Some(group)
    }

    fn commit(&self, upto: u64) {
        self.committed.store(upto, Ordering::SeqCst);
    }

    fn lag(&self) -> u64 {
        self.lag.load(Ordering::SeqCst)
    }
}

/// The stage and all that it is joined to.
struct House {
    dir: tempfile::TempDir,
    hand: Hand,
    clock: Clock,
    ledger: Ledger,
    wake: Arc<Notify>,
    groups: mpsc::Sender<Arc<Decoded>>,
    committed: Arc<AtomicU64>,
    lag: Arc<AtomicU64>,
    registry: watch::Sender<Arc<Registry>>,
    input: watch::Sender<Input>,
    done: watch::Receiver<Done>,
    sent: AtomicU64,
    stage: JoinHandle<anyhow::Result<()>>,
}

impl House {
    fn build(rules: &[Rule]) -> Self {
        let (clock, hand) = Clock::manual(minute(0.0));
        Self::build_in(tempfile::tempdir().unwrap(), rules, clock, hand)
    }

    fn build_in(dir: tempfile::TempDir, rules: &[Rule], clock: Clock, hand: Hand) -> Self {
        let wake = Arc::new(Notify::new());
        let ledger = Ledger::open(dir.path(), vec!["log".into()], Arc::clone(&wake)).unwrap();
        let (groups, received) = mpsc::channel(64);
        let (committed, lag) = (Arc::default(), Arc::default());
        let (doing, done) = watch::channel(Done::default());
        let queue = Queue {
            taken: 0,
            done: doing,
            groups: received,
            committed: Arc::clone(&committed),
            lag: Arc::clone(&lag),
        };
        let registry = watch::Sender::new(town(rules, 3));
        let input = watch::Sender::new(Input::Up);
        #[expect(clippy::disallowed_methods, reason = "the test joins it")]
        let stage = tokio::spawn(run(
            queue,
            ledger.clone(),
            registry.subscribe(),
            settings::Alert { startup_grace: Duration::ZERO, ..settings::Alert::default() },
            clock.clone(),
            input.subscribe(),
            Live::new(minute(0.0)),
            Counters::default(),
            Readiness::default(),
        ));
        Self {
            dir,
            hand,
            clock,
            ledger,
            wake,
            groups,
            committed,
            lag,
            registry,
            input,
            done,
            sent: AtomicU64::new(0),
            stage,
        }
    }

    /// Lets minutes pass, on every clock, in steps that the stage would nearly take itself.
    async fn minutes(&self, minutes: u32) {
        for _ in 0..minutes * 6 {
            let before = self.rounds().await;
            self.hand.set(self.clock.now() + Duration::from_secs(10));
            advance(Duration::from_secs(10)).await;
            self.until(|done| done.rounds > before + 1).await;
        }
    }

    async fn hand_over(&self, group: Group) {
        self.groups.send(Arc::new(group.0)).await.unwrap();
        let sent = self.sent.fetch_add(1, Ordering::SeqCst) + 1;
        self.until(|done| done.groups == sent).await;
    }

    async fn hear(&self, input: Input) {
        let before = self.rounds().await;
        self.input.send_replace(input);
        self.until(|done| done.rounds > before + 1).await;
    }

    async fn reload(&self, rules: &[Rule]) {
        let before = self.rounds().await;
        self.registry.send_replace(town(rules, 3));
        self.until(|done| done.rounds > before + 1).await;
    }

    /// The round the stage is in. Two later, it has looked at what was changed meanwhile.
    async fn rounds(&self) -> u64 {
        self.until(|done| done.rounds > 0).await.rounds
    }

    async fn until(&self, enough: impl Fn(&Done) -> bool) -> Done {
        *self.done.clone().wait_for(|done| enough(done)).await.unwrap()
    }

    async fn told(&self) -> Vec<String> {
        let line = |(_, Transition { kind, at, alert }): (i64, Transition)| {
            let kind = kind.as_str();
            let at = (at.0 - minute(0.0).0) / 60_000;
            format!("{at} {kind} {} {}", alert.rule, alert.device)
        };
        self.ledger.transitions(0, 1000).await.unwrap().into_iter().map(line).collect()
    }

    /// Stops the stage as the daemon does: its input ends.
    async fn stop(self) -> (tempfile::TempDir, Clock, Hand, u64) {
        let Self { dir, hand, clock, groups, committed, stage, .. } = self;
        drop(groups);
        timeout(MINUTE, stage).await.unwrap().unwrap().unwrap();
        (dir, clock, hand, committed.load(Ordering::SeqCst))
    }
}

fn door() -> Rule {
    rule("door", is("door", true))
}

#[tokio::test(start_paused = true)]
async fn a_reading_becomes_an_alert_and_a_restart_repeats_nothing() {
    let house = House::build(&[door()]);
    let woken = house.wake.notified();
    house.hand_over(Group::new(1).reading(0, 0.0, "door=true")).await;
    timeout(Duration::from_secs(1), woken).await.expect("notify is woken");
    assert_eq!(house.told().await, ["0 firing door d0"]);
    let (dir, clock, hand, committed) = house.stop().await;
    assert_eq!(committed, 1, "the end saves everything");

    let house = House::build_in(dir, &[door()], clock, hand);
    house.hand_over(Group::new(1).reading(0, 0.0, "door=true")).await;
    house.hand_over(Group::new(2).reading(0, 0.0, "door=true")).await;
    house.hand_over(Group::new(3).reading(0, 0.0, "door=false")).await;
    assert_eq!(house.told().await, ["0 firing door d0", "0 resolved door d0"]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn checkpoints_follow_by_themselves() {
    let house = House::build(&[door()]);
    for number in 1..5 {
        house.hand_over(Group::new(number).reading(0, 0.0, "door=false")).await;
    }
    assert_eq!(house.committed.load(Ordering::SeqCst), 0, "nothing happened: no fsync");
    house.minutes(1).await;
    assert_eq!(house.committed.load(Ordering::SeqCst), 4);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn timers_ring_without_readings_and_silence_is_told() {
    let open = Rule { hold: MINUTE * 5, ..door() };
    let house = House::build(&[open, rule("silent", silent())]);
    house.hand_over(Group::new(1).reading(0, 0.0, "door=true")).await;
    house.minutes(12).await;
    let mut told = house.told().await;
    told.sort_unstable();
    let expected =
        ["10 firing silent d0", "10 firing silent d1", "10 firing silent d2", "5 firing door d0"];
    assert_eq!(told, expected);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_lies_in_the_journal_unread_is_no_silence() {
    let house = House::build(&[rule("silent", silent())]);
    house.lag.store(7, Ordering::SeqCst);
    house.minutes(30).await;
    assert_eq!(house.told().await, [""; 0]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_input_that_is_lost_mutes_silence() {
    let house = House::build(&[rule("silent", silent())]);
    house.minutes(1).await;
    house.hear(Input::Down { since: minute(1.0) }).await;
    house.minutes(30).await;
    house.hear(Input::Up).await;
    house.minutes(9).await;
    assert_eq!(house.told().await, [""; 0]);
    house.minutes(3).await;
    assert_eq!(house.told().await.len(), 3);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_clock_jumps_an_hour_forward_and_back_without_a_storm() {
    let open = Rule { hold: MINUTE * 5, ..door() };
    let house = House::build(&[open, rule("silent", silent())]);
    let mut number = 0;
    let mut report = |clock: &Clock, door| {
        number += 1;
        let at = f64::from(i32::try_from((clock.now().0 - minute(0.0).0) / 1000).unwrap()) / 60.0;
        let group = Group::new(number).reading(0, at, door).reading(1, at, "door=false");
        group.reading(2, at, "door=false")
    };
    for jump in [60, -60] {
        house.hand_over(report(&house.clock, "door=true")).await;
        house.minutes(2).await;
        house.hand.set(house.clock.now().plus_millis(jump * 60_000));
        // As the group that finds it out, or as time that passes.
        house.hand_over(report(&house.clock, "door=true")).await;
        house.minutes(2).await;
        house.hand_over(report(&house.clock, "door=false")).await;
        house.minutes(1).await;
    }
    assert_eq!(house.told().await, [""; 0]);
    house.hand_over(report(&house.clock, "door=true")).await;
    house.minutes(3).await;
    house.hand.set(house.clock.now().plus_millis(3_600_000));
    house.minutes(3).await;
    assert_eq!(house.told().await.len(), 1, "what was left of the timer stayed");
    let (dir, clock, hand, _) = house.stop().await;

    // The clock is set back while nobody looks.
    hand.set(clock.now().plus_millis(-3_600_000));
    let house = House::build_in(dir, &[door(), rule("silent", silent())], clock, hand);
    house.minutes(5).await;
    assert_eq!(house.told().await.len(), 1);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_person_ends_what_is_latched_and_a_reload_what_is_gone() {
    let latched = Rule { latched: true, ..door() };
    let house = House::build(&[latched, rule("other", is("other", true))]);
    house.hand_over(Group::new(1).reading(0, 0.0, "door=true other=true")).await;
    house.hand_over(Group::new(2).reading(0, 0.0, "door=false")).await;
    let open = house.ledger.open_alerts();
    assert_eq!(open.len(), 2);
    let id = &open.iter().find(|alert| alert.rule == "door").unwrap().id;
    let ended = house.ledger.confirm(id, "Li").await.unwrap();
    assert_eq!(ended.reason, Some(Reason::Confirmed { by: "Li".into() }));
    assert!(house.ledger.confirm(id, "Li").await.is_err(), "it is over");
    house.reload(&[door()]).await;
    assert_eq!(house.told().await.last().unwrap(), "0 resolved other d0");
    assert!(house.ledger.open_alerts().is_empty());
    house.stop().await;
}
