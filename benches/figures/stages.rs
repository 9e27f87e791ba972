//! What each stage costs alone: the messages of figure 2 through its functions, on one thread.
//! Processor time, but for the journal, which has a thread of its own.

use std::{
    collections::VecDeque,
    hint::black_box,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use waystation::{
    alert::Engine,
    check,
    clock::Clock,
    decode::{Decoded, Decoder},
    ingest::{
        Batch, Budgets, Origin,
        frame::{Frame, Frames},
    },
    journal::{Journal, Messages, Source},
    registry::Registry,
    settings,
    store::embedded::{self, Embedded, Feed, Limits},
    telemetry::{Counters, Readiness},
};

use super::{Options, figure::Figure, fleet::FRIDGES, usage::ThreadTime};

/// Messages in one group of the journal, about as a flood makes them.
const GROUP: u64 = 4000;

pub(crate) fn measure(figure: &mut Figure, options: Options) {
    let registry = registry();
    for _ in 0..options.runs {
        let costs = Costs::of(&registry, options.fewer(400_000) / GROUP);
        let mut add = |what: &str, cost: Duration| {
            let each = cost.as_secs_f64() * 1e6 / costs.messages as f64;
            figure.add(&format!("stage alone: {what}"), "µs", None, each);
        };
        add("receive (frames to a batch, budget)", costs.receive);
        add("journal (append and fsync, elapsed)", costs.journal);
        add("decode", costs.decode);
        add("alert", costs.alert);
        add("store (embedded, without flushing)", costs.store);
    }
}

#[derive(Debug, Default)]
struct Costs {
    messages: u64,
    receive: Duration,
    journal: Duration,
    decode: Duration,
    alert: Duration,
    store: Duration,
}

impl Costs {
    fn of(registry: &Arc<Registry>, groups: u64) -> Self {
        let mut costs = Self { messages: groups * GROUP, ..Self::default() };
        let received = costs.receive(groups);
        costs.journal(&received);
        let decoded = costs.decode(&received, registry);
        costs.alert(&decoded, registry);
        costs.store(&decoded);
        costs
    }

    fn receive(&mut self, groups: u64) -> Vec<Arc<Messages>> {
        let devices = u64::from(FRIDGES.devices());
        let templates: Vec<_> = (0..FRIDGES.devices()).map(|one| FRIDGES.template(one)).collect();
        let budgets = Budgets::new(1e6, 4_000_000, "waystation/v1");
        let now = Clock::system().now();
        let mut frames = Frames::new(64 << 10);
        let group = |group: u64| {
            let mut wire = Vec::new();
            for number in group * GROUP..(group + 1) * GROUP {
                let at = now.0 + i64::try_from(number / devices).unwrap();
                templates[(number % devices) as usize].write(1, number / devices, at, &mut wire);
            }
            let from = Origin { source: Source::Listen, sender: b"publisher-0", now };
            let began = ThreadTime::now();
            frames.feed(&wire);
            let messages = Messages::with_capacity(frames.waiting() * 5 / 4);
            let mut batch = Batch { messages, ..Batch::default() };
            while let Ok(Some(Frame::Publish(publish))) = frames.next() {
                batch.publish(&publish, false, from, &budgets);
            }
            self.receive += began.elapsed();
            assert_eq!(u64::from(batch.messages.len()), GROUP);
            Arc::new(batch.messages)
        };
        (0..groups).map(group).collect()
    }

    fn journal(&mut self, groups: &[Arc<Messages>]) {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings::Journal::default();
        let (counters, readiness) = (Counters::default(), Readiness::default());
        let journal =
            Journal::open(dir.path(), &settings, &["store"], counters, readiness).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let began = Instant::now();
            for messages in groups {
                journal.append(Arc::clone(messages)).await.unwrap();
            }
            self.journal += began.elapsed();
            journal.close().await;
        });
    }

    fn decode(&mut self, groups: &[Arc<Messages>], registry: &Arc<Registry>) -> Vec<Arc<Decoded>> {
        let mut decoder = Decoder::default();
        let mut decode = |(number, messages): (u64, &Arc<Messages>)| {
            let began = ThreadTime::now();
            let (outcome, _) = decoder.decode(number, messages, registry);
            self.decode += began.elapsed();
            assert_eq!(outcome.readings.len() as u64, GROUP, "{:?}", outcome.rejections.first());
            Arc::new(outcome)
        };
        (1..).zip(groups).map(&mut decode).collect()
    }

    fn alert(&mut self, groups: &[Arc<Decoded>], registry: &Arc<Registry>) {
        let now = Clock::system().now();
        let mut engine = Engine::new(Arc::clone(registry), now, Duration::from_mins(2));
        let began = ThreadTime::now();
        for decoded in groups {
            black_box(engine.apply(decoded, decoded.received));
        }
        self.alert += began.elapsed();
    }

    fn store(&mut self, groups: &[Arc<Decoded>]) {
        let dir = tempfile::tempdir().unwrap();
        self.store += store(dir.path(), groups);
    }
}

/// The stage as it is, up to the end of its input.
fn store(dir: &Path, groups: &[Arc<Decoded>]) -> Duration {
    let store = Embedded::open(dir).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = ThreadTime::now();
    let taken = Arc::new(std::sync::Mutex::new(Duration::ZERO));
    let feed = Groups { left: groups.iter().cloned().collect(), began, taken: Arc::clone(&taken) };
    let limits = Limits { samples: usize::MAX, ..Limits::of(&settings::Settings::default()) };
    let (counters, readiness) = (Counters::default(), Readiness::default());
    let stage = embedded::run(feed, store, limits, Clock::system(), counters, readiness);
    runtime.block_on(stage).unwrap();
    *taken.lock().unwrap()
}

/// Feeds the store, and notes when it came back for more than there is.
struct Groups {
    left: VecDeque<Arc<Decoded>>,
    began: ThreadTime,
    taken: Arc<std::sync::Mutex<Duration>>,
}

impl Feed for Groups {
    async fn next(&mut self) -> Option<Arc<Decoded>> {
        let next = self.left.pop_front();
        if next.is_none() {
            *self.taken.lock().unwrap() = self.began.elapsed();
        }
        next
    }

    fn commit(&self, _: u64) {}
}

fn registry() -> Arc<Registry> {
    let config = tempfile::tempdir().unwrap();
    std::fs::create_dir(config.path().join("stations")).unwrap();
    std::fs::write(config.path().join("waystation.toml"), "").unwrap();
    std::fs::write(config.path().join("stations/bench.toml"), FRIDGES.to_toml()).unwrap();
    let loaded = check::check(config.path(), std::iter::empty()).unwrap();
    Arc::new(loaded.registry)
}
