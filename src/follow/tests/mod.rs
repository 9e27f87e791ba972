//! Followers against a real journal and a decoder whose memory is easy to check.

mod laws;
mod stops;

use std::sync::Mutex;

use tempfile::TempDir;
use tokio::{task::JoinSet, time::timeout};

use super::*;
use crate::{
    journal::{Condition, Message, Source},
    reading::Timestamp,
    settings,
    telemetry::Readiness,
};

/// Remembers how many messages it ever saw, and notes it beside each group.
#[derive(Debug, Default)]
struct Counting {
    seen: u32,
}

impl Decode for Counting {
    fn decode(
        &mut self,
        group: u64,
        messages: &Messages,
        registry: &Arc<Registry>,
    ) -> (Decoded, Annotations) {
        let annotations = Annotations { repeats: vec![self.seen], ..Annotations::default() };
        self.seen += messages.len();
        (again(group, messages, registry, &annotations), annotations)
    }

    fn changed_state(&mut self, _: &Registry) -> Vec<(String, Vec<u8>)> {
        vec![("seen".to_owned(), self.seen.to_le_bytes().to_vec())]
    }

    fn restore(&mut self, rows: Vec<(String, Vec<u8>)>, _: &Registry) {
        for (_, seen) in rows {
            self.seen = u32::from_le_bytes(seen.try_into().unwrap());
        }
    }
}

fn again(group: u64, messages: &Messages, _: &Arc<Registry>, known: &Annotations) -> Decoded {
    let repeats = known.repeats.first().copied().unwrap_or(u32::MAX);
    Decoded { group, messages: messages.len(), repeats, ..Decoded::default() }
}

/// A journal, and everything that runs on it.
struct Bench {
    dir: TempDir,
    stages: JoinSet<anyhow::Result<()>>,
    /// Keeps the registry's channel open.
    _registry: watch::Sender<Arc<Registry>>,
    registry: watch::Receiver<Arc<Registry>>,
}

/// One life of the process.
struct Life {
    journal: Journal,
    appended: mpsc::Sender<Appended>,
    fanout: Option<Fanout>,
    coming: Option<mpsc::Receiver<Appended>>,
}

impl Bench {
    fn new() -> Self {
        let (sender, registry) = watch::channel(Arc::new(Registry::default()));
        let dir = tempfile::tempdir().unwrap();
        Self { dir, stages: JoinSet::new(), _registry: sender, registry }
    }

    fn live(&self, queue: usize) -> Life {
        let journal = Journal::open(
            self.dir.path(),
            &settings::Journal::default(),
            &[DECODE, "store", "alert"],
            Counters::default(),
            Readiness::default(),
        );
        let journal = journal.unwrap();
        let fanout = Fanout::new(journal.clone(), self.registry.clone(), again);
        let (appended, coming) = mpsc::channel(queue);
        Life { journal, appended, fanout: Some(fanout), coming: Some(coming) }
    }

    /// Starts decoding; followers were made before.
    fn decode(&mut self, life: &mut Life) {
        self.stages.spawn(run(
            life.coming.take().unwrap(),
            life.journal.clone(),
            Counting::default(),
            self.registry.clone(),
            life.fanout.take().unwrap(),
            Counters::default(),
        ));
    }
}

impl Life {
    fn follower(&mut self, reader: &'static str, position: u64, queue: usize) -> Follower {
        self.fanout.as_mut().unwrap().follower(reader, position, queue)
    }

    /// Appends a group of `count` messages; `deliver`: and sends it to the decoding stage.
    async fn append(&self, count: u32, deliver: bool) {
        let messages = messages(count);
        let number = self.journal.append(Arc::clone(&messages)).await.unwrap();
        if deliver {
            self.appended.try_send(Appended { number, messages }).ok();
        }
    }
}

fn messages(count: u32) -> Arc<Messages> {
    let mut messages = Messages::default();
    for _ in 0..count {
        messages.push(&Message {
            source: Source::Listen,
            received: Timestamp(0),
            retained: false,
            condition: Condition::Whole,
            topic: b"a/b/c/telemetry",
            sender: b"",
            payload: b"{}",
        });
    }
    Arc::new(messages)
}

/// What of a group must be the same for everybody: its number, its messages, those before it.
type Seen = (u64, u32, u32);

fn seen(decoded: &Decoded) -> Seen {
    (decoded.group, decoded.messages, decoded.repeats)
}

/// What decoding groups of these sizes comes to.
fn expected(sizes: &[u32]) -> Vec<Seen> {
    let mut before = 0;
    let groups = (1..).zip(sizes).map(|(group, count)| {
        let seen = (group, *count, before);
        before += count;
        seen
    });
    groups.collect()
}

/// Fails instead of hanging.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_mins(1), what).await.expect("it should have come by now")
}

async fn take(follower: &mut Follower, upto: u64) -> Vec<Seen> {
    let mut all = Vec::new();
    while follower.position() < upto {
        all.push(seen(&soon(follower.next()).await.expect("open")));
    }
    all
}
