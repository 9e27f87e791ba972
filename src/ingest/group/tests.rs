use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use tokio::{sync::oneshot, task::JoinSet};

use super::*;
use crate::{
    ingest::Held,
    journal::{Condition, Message, Source},
    reading::Timestamp,
};

/// What a test's journal took, how long an append takes, and whether it takes any.
#[derive(Default, Clone)]
struct Fake {
    groups: Arc<Mutex<Vec<Vec<Vec<u8>>>>>,
    takes: Duration,
    refuses: Arc<AtomicBool>,
}

impl Append for Fake {
    async fn append(&self, messages: Arc<Messages>) -> Result<u64, AppendError> {
        if !self.takes.is_zero() {
            sleep(self.takes).await;
        }
        if self.refuses.load(Ordering::SeqCst) {
            return Err(AppendError::Unavailable { reason: "the disk is full".to_owned() });
        }
        let mut groups = self.groups.lock().unwrap();
        groups.push(messages.iter().map(|message| message.payload.to_vec()).collect());
        Ok(u64::try_from(groups.len()).unwrap())
    }
}

impl Fake {
    fn count(&self) -> usize {
        self.groups.lock().unwrap().len()
    }

    fn payloads(&self) -> Vec<Vec<u8>> {
        self.groups.lock().unwrap().concat()
    }
}

struct Appended;

impl From<(u64, Arc<Messages>)> for Appended {
    fn from(_: (u64, Arc<Messages>)) -> Self {
        Self
    }
}

struct Rig {
    deliveries: mpsc::Sender<Delivery>,
    journal: Fake,
    groups: mpsc::Receiver<Appended>,
    stage: JoinSet<anyhow::Result<()>>,
}

fn rig(journal: Fake) -> Rig {
    let (deliveries, input) = mpsc::channel(1024);
    let (output, groups) = mpsc::channel(2);
    let mut stage = JoinSet::new();
    stage.spawn(run::<Appended>(input, journal.clone(), output, Counters::default()));
    Rig { deliveries, journal, groups, stage }
}

impl Rig {
    async fn deliver(&self, payloads: &[&[u8]]) -> oneshot::Receiver<()> {
        let mut messages = Messages::default();
        for payload in payloads {
            messages.push(&Message {
                source: Source::Listen,
                received: Timestamp(0),
                retained: false,
                condition: Condition::Whole,
                topic: b"t",
                sender: b"",
                payload,
            });
        }
        let (durable, signal) = oneshot::channel();
        let delivery = Delivery { messages, durable, held: Held::default() };
        self.deliveries.send(delivery).await.unwrap();
        signal
    }

    async fn end(mut self) -> anyhow::Result<()> {
        drop(self.deliveries);
        self.stage.join_next().await.unwrap().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_alone_is_durable_at_once() {
    let rig = rig(Fake::default());
    for _ in 0..3 {
        let start = Instant::now();
        rig.deliver(&[b"1"]).await.await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(rig.journal.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_trickle_shares_its_fsyncs_and_waits_five_milliseconds_at_most() {
    let rig = rig(Fake { takes: Duration::from_millis(1), ..Fake::default() });
    let (mut waits, longest) = (JoinSet::new(), Arc::new(Mutex::new(Duration::ZERO)));
    for _ in 0..1000 {
        let (start, longest) = (Instant::now(), Arc::clone(&longest));
        let signal = rig.deliver(&[b"1"]).await;
        waits.spawn(async move {
            signal.await.unwrap();
            let mut longest = longest.lock().unwrap();
            *longest = start.elapsed().max(*longest);
        });
        sleep(Duration::from_millis(1)).await;
    }
    waits.join_all().await;
    assert!(rig.journal.count() <= 260, "{} fsyncs in a second", rig.journal.count());
    let fsync = Duration::from_millis(2);
    assert!(*longest.lock().unwrap() <= Duration::from_millis(5) + fsync, "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_flood_does_not_wait() {
    let rig = rig(Fake::default());
    let start = Instant::now();
    for _ in 0..100 {
        rig.deliver(&[b"1".as_slice(); 100]).await.await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_sends_one_and_waits_for_its_acknowledgement_is_not_slowed_for_long() {
    let rig = rig(Fake::default());
    let start = Instant::now();
    for _ in 0..1000 {
        rig.deliver(&[b"1"]).await.await.unwrap();
    }
    assert!(start.elapsed() < Duration::from_millis(50), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_durable_while_the_journal_refuses_and_all_is_afterwards_once_and_in_order() {
    let rig = rig(Fake::default());
    rig.journal.refuses.store(true, Ordering::SeqCst);
    let mut first = rig.deliver(&[b"1", b"2"]).await;
    let mut second = rig.deliver(&[b"3"]).await;
    sleep(Duration::from_mins(1)).await;
    assert!(first.try_recv().is_err() && second.try_recv().is_err());
    rig.journal.refuses.store(false, Ordering::SeqCst);
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(rig.journal.payloads(), [b"1", b"2", b"3"]);
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_takes_nothing_holds_nothing_up() {
    let mut rig = rig(Fake::default());
    for _ in 0..10 {
        rig.deliver(&[b"1"]).await.await.unwrap();
    }
    assert_eq!(rig.journal.count(), 10);
    assert_eq!(rig.groups.len(), 2, "the rest it finds in the journal");
    rig.groups.close();
    rig.deliver(&[b"1"]).await.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_nobody_delivers_any_more_even_if_the_journal_refuses() {
    for refuses in [false, true] {
        let rig = rig(Fake::default());
        rig.journal.refuses.store(refuses, Ordering::SeqCst);
        let signal = rig.deliver(&[b"1"]).await;
        rig.end().await.unwrap();
        assert_eq!(signal.await.is_ok(), !refuses);
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_closed_is_a_failure() {
    struct Closed;
    impl Append for Closed {
        async fn append(&self, _: Arc<Messages>) -> Result<u64, AppendError> {
            Err(AppendError::Closed)
        }
    }
    let (deliveries, input) = mpsc::channel(1);
    let (groups, _) = mpsc::channel::<Appended>(1);
    let (durable, signal) = oneshot::channel();
    let messages = Messages::default();
    deliveries.try_send(Delivery { messages, durable, held: Held::default() }).unwrap();
    run(input, Closed, groups, Counters::default()).await.unwrap_err();
    assert!(signal.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_group_stays_within_its_size() {
    let rig = rig(Fake { takes: Duration::from_millis(10), ..Fake::default() });
    let body = vec![b'x'; 64 << 10];
    let mut signals = Vec::new();
    for _ in 0..100 {
        signals.push(rig.deliver(&[&body, &body]).await);
    }
    for signal in signals {
        signal.await.unwrap();
    }
    let groups = rig.journal.groups.lock().unwrap();
    let most = groups.iter().map(|group| group.concat().len()).max().unwrap();
    assert!(most <= GROUP_BYTES + (128 << 10), "{most}");
}
