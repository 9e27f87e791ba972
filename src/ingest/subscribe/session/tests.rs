use rumqttc::mqttbytes::{
    Error,
    v4::{self, PingResp, SubAck},
};
use tokio::{
    io::{AsyncReadExt, DuplexStream, duplex},
    sync::mpsc,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    clock::Clock,
    ingest::{Limits, subscribe::downward},
    journal::Condition,
    reading::Timestamp,
    settings::{self, ByteSize},
    telemetry::{Counters, Readiness},
};

const TOPIC: &str = "waystation/v1/d/s/x/telemetry";
const GRANTED: SubscribeReasonCode = SubscribeReasonCode::Success(QoS::AtLeastOnce);

/// The broker's side of a session, and the queue behind ours.
struct Bench {
    broker: DuplexStream,
    input: BytesMut,
    deliveries: mpsc::Receiver<Delivery>,
    downward: downward::Downward,
    readiness: Readiness,
    stop: CancellationToken,
    session: JoinSet<Result<End, String>>,
}

impl Bench {
    /// A session without a subscription yet, one delivery of room behind it.
    fn new(ingest: &settings::Ingest) -> Self {
        let (deliveries_in, deliveries) = mpsc::channel(1);
        let counters = Counters::default();
        let (downward, outbound) = downward::downward(Clock::system(), counters.clone());
        let (readiness, stop) = (Readiness::default(), CancellationToken::new());
        let broker: super::super::Broker = "mqtt://b".parse().unwrap();
        let mut client = Client {
            report: super::super::Report::new(readiness.clone(), "mqtt://b:1883"),
            broker,
            settings: settings::Subscribe::default(),
            limits: Limits::new(ingest, "waystation/v1"),
            deliveries: deliveries_in,
            downward: outbound,
            clock: Clock::manual(Timestamp(1_767_225_600_000)).0,
            counters,
            stop: stop.clone(),
            backoff: super::super::Backoff::default(),
            refused: None,
            paused: super::super::Paused::default(),
        };
        let (ours, broker) = duplex(256 << 10);
        let mut session = JoinSet::new();
        session.spawn(async move {
            let frames = Frames::new(client.limits.max_message);
            Session::new(&mut client, ours, frames).hold().await.map_err(|loss| loss.to_string())
        });
        Self { broker, input: BytesMut::new(), deliveries, downward, readiness, stop, session }
    }

    /// The same, the subscription granted.
    async fn subscribed() -> Self {
        let mut bench = Self::new(&settings::Ingest::default());
        bench.answer_subscribe(vec![GRANTED; 5]).await;
        bench
    }

    async fn answer_subscribe(&mut self, codes: Vec<SubscribeReasonCode>) {
        let Packet::Subscribe(subscribe) = self.next().await else { panic!("no SUBSCRIBE") };
        assert_eq!(subscribe.filters.len(), 5);
        let mut bytes = BytesMut::new();
        SubAck::new(subscribe.pkid, codes).write(&mut bytes).unwrap();
        self.send(&bytes).await;
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.broker.write_all(bytes).await.unwrap();
    }

    async fn publish(&mut self, id: u16) {
        self.send(&publish(TOPIC, QoS::AtLeastOnce, id, b"{}")).await;
    }

    /// The next packet the broker gets.
    async fn next(&mut self) -> Packet {
        loop {
            match Packet::read(&mut self.input, 1 << 20) {
                Err(Error::InsufficientBytes(_)) => {
                    assert!(self.broker.read_buf(&mut self.input).await.unwrap() > 0, "closed");
                }
                packet => return packet.unwrap(),
            }
        }
    }

    /// The next packet, pings answered and passed over.
    async fn next_but_pings(&mut self) -> Packet {
        loop {
            match self.next().await {
                Packet::PingReq => self.pong().await,
                packet => return packet,
            }
        }
    }

    async fn pong(&mut self) {
        let mut bytes = BytesMut::new();
        PingResp.write(&mut bytes).unwrap();
        self.send(&bytes).await;
    }

    async fn acknowledged(&mut self) -> u16 {
        match self.next_but_pings().await {
            Packet::PubAck(ack) => ack.pkid,
            other => panic!("{other:?}"),
        }
    }

    /// Whether the broker has been sent nothing by now but pings.
    async fn is_quiet(&mut self) -> bool {
        let next = std::pin::pin!(self.next());
        matches!(timeout(Duration::from_secs(1), next).await, Err(_) | Ok(Packet::PingReq))
    }

    async fn ended(&mut self) -> Result<End, String> {
        self.session.join_next().await.unwrap().unwrap()
    }
}

fn publish(topic: &str, qos: QoS, id: u16, payload: &[u8]) -> BytesMut {
    let mut packet = v4::Publish::new(topic, qos, payload);
    packet.pkid = id;
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes).unwrap();
    bytes
}

#[tokio::test(start_paused = true)]
async fn nothing_is_acknowledged_before_it_is_on_disk() {
    let mut bench = Bench::subscribed().await;
    bench.publish(7).await;
    let first = bench.deliveries.recv().await.unwrap();
    bench.publish(8).await;
    let second = bench.deliveries.recv().await.unwrap();
    second.durable.send(()).unwrap();
    assert!(bench.is_quiet().await, "8 is on disk, but 7 came before it");
    first.durable.send(()).unwrap();
    assert_eq!((bench.acknowledged().await, bench.acknowledged().await), (7, 8));
    let messages: Vec<_> = first.messages.iter().collect();
    assert_eq!((messages[0].topic, messages[0].payload), (TOPIC.as_bytes(), &b"{}"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_message_without_an_identifier_is_taken_and_answered_with_nothing() {
    let mut bench = Bench::subscribed().await;
    bench.send(&publish(TOPIC, QoS::AtMostOnce, 0, b"{}")).await;
    let delivery = bench.deliveries.recv().await.unwrap();
    assert_eq!(delivery.messages.len(), 1);
    delivery.durable.send(()).ok();
    assert!(bench.is_quiet().await);
}

#[tokio::test(start_paused = true)]
async fn while_the_disk_is_stuck_nothing_is_read_and_pings_go_on() {
    let mut bench = Bench::subscribed().await;
    let mut flood = BytesMut::new();
    for id in 1..=20_000 {
        flood.extend_from_slice(&publish(TOPIC, QoS::AtLeastOnce, id, &[b'x'; 100]));
    }
    // Nobody takes deliveries: at some point the broker cannot write either.
    let stuck = timeout(Duration::from_secs(5), bench.send(&flood)).await;
    assert!(stuck.is_err(), "all of {} bytes were read", flood.len());
    let begun = Instant::now();
    for _ in 0..40 {
        assert!(matches!(bench.next().await, Packet::PingReq));
    }
    assert!(begun.elapsed() >= Duration::from_mins(9), "{:?}", begun.elapsed());
    assert!(bench.deliveries.try_recv().is_ok(), "the session still stands");
}

#[tokio::test(start_paused = true)]
async fn memory_for_what_is_not_on_disk_is_waited_for() {
    let ingest = settings::Ingest { max_in_flight: ByteSize(150), ..settings::Ingest::default() };
    let mut bench = Bench::new(&ingest);
    bench.answer_subscribe(vec![GRANTED; 5]).await;
    bench.publish(1).await;
    bench.publish(2).await;
    let first = bench.deliveries.recv().await.unwrap();
    for id in 3..9 {
        bench.publish(id).await;
    }
    let more = async {
        loop {
            let delivery = bench.deliveries.recv().await.unwrap();
            assert!(delivery.messages.as_bytes().len() <= 400);
            std::mem::forget(delivery);
        }
    };
    assert!(timeout(Duration::from_secs(5), more).await.is_err(), "memory holds the rest back");
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_answers_pings_is_kept_and_one_that_does_not_is_given_up() {
    let mut bench = Bench::subscribed().await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_mins(10) {
        assert!(matches!(bench.next().await, Packet::PingReq));
        bench.pong().await;
    }
    assert!(bench.session.try_join_next().is_none());
    let silent_since = Instant::now();
    assert_eq!(bench.ended().await, Err("it has been silent for 30s".to_owned()));
    assert!(silent_since.elapsed() <= Duration::from_secs(45), "{:?}", silent_since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_takes_nothing_is_given_up() {
    let mut bench = Bench::subscribed().await;
    // Acknowledgements fill the wire, and nobody empties it.
    let taken = async {
        for id in (1..=u16::MAX).cycle() {
            bench.broker.write_all(&publish(TOPIC, QoS::AtLeastOnce, id, b"{}")).await.unwrap();
            let Some(delivery) = bench.deliveries.recv().await else { return };
            delivery.durable.send(()).ok();
        }
    };
    timeout(Duration::from_mins(1), taken).await.ok();
    assert_eq!(bench.ended().await, Err("it has been silent for 30s".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_message_with_qos_2_ends_the_session() {
    let mut bench = Bench::subscribed().await;
    bench.send(&publish(TOPIC, QoS::ExactlyOnce, 3, b"{}")).await;
    assert!(bench.ended().await.unwrap_err().contains("QoS 2"));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_or_forbidden_is_kept_and_acknowledged() {
    let mut bench = Bench::subscribed().await;
    bench.send(&publish(TOPIC, QoS::AtLeastOnce, 1, &vec![b'x'; 1 << 20])).await;
    bench.send(&[0x32, 7, 0, 2, 0xff, 0xfe, 0, 2, b'y']).await;
    bench.publish(3).await;
    let mut conditions = Vec::new();
    while conditions.len() < 3 {
        let delivery = bench.deliveries.recv().await.unwrap();
        conditions.extend(delivery.messages.iter().map(|message| message.condition));
        delivery.durable.send(()).unwrap();
    }
    let expected = [Condition::Oversized { size: 1 << 20 }, Condition::Malformed, Condition::Whole];
    assert_eq!(conditions, expected);
    for id in 1..=3 {
        assert_eq!(bench.acknowledged().await, id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_over_its_budget_is_acknowledged_and_counted_in_the_journal() {
    let ingest =
        settings::Ingest { device_rate: 1.0, device_burst: 1, ..settings::Ingest::default() };
    let mut bench = Bench::new(&ingest);
    bench.answer_subscribe(vec![GRANTED; 5]).await;
    bench.publish(1).await;
    let passed = bench.deliveries.recv().await.unwrap();
    bench.publish(2).await;
    let limited = bench.deliveries.recv().await.unwrap();
    let conditions: Vec<_> = limited.messages.iter().map(|message| message.condition).collect();
    assert_eq!(conditions, [Condition::OverBudget { dropped: 1 }]);
    bench.publish(3).await;
    assert!(bench.is_quiet().await, "3 has nothing to wait for but its turn");
    passed.durable.send(()).unwrap();
    limited.durable.send(()).unwrap();
    for id in 1..=3 {
        assert_eq!(bench.acknowledged().await, id);
    }
}

#[tokio::test(start_paused = true)]
async fn readiness_waits_for_the_subscription() {
    let mut bench = Bench::new(&settings::Ingest::default());
    assert!(bench.is_quiet_until_subscribe().await);
    assert!(bench.readiness.troubles()["subscribe"].contains("not yet connected"));
    bench.grant_last(GRANTED).await;
    assert!(bench.readiness.troubles().is_empty(), "{:?}", bench.readiness.troubles());
}

#[tokio::test(start_paused = true)]
async fn a_refused_subscription_is_shown_and_asked_for_again_until_it_is_granted() {
    let mut bench = Bench::new(&settings::Ingest::default());
    bench
        .answer_subscribe(vec![GRANTED, SubscribeReasonCode::Failure, GRANTED, GRANTED, GRANTED])
        .await;
    assert!(bench.is_quiet().await);
    let trouble = bench.readiness.troubles()["subscribe"].clone();
    assert!(
        trouble.contains("refuses the subscription to waystation/v1/+/+/+/event:"),
        "{trouble}"
    );
    let Packet::Subscribe(again) = bench.next_but_pings().await else { panic!("no SUBSCRIBE") };
    assert_eq!(again.filters.len(), 5);
    bench.grant_last(GRANTED).await;
    assert!(bench.readiness.troubles().is_empty());
}

#[tokio::test(start_paused = true)]
async fn messages_down_go_out_through_the_session() {
    let mut bench = Bench::subscribed().await;
    let topic = "waystation/v1/d/s/x/rejected";
    bench.downward.publish(topic, "why", false, QoS::AtMostOnce);
    let Packet::Publish(publish) = bench.next().await else { panic!("no PUBLISH") };
    assert_eq!(publish.topic, "waystation/v1/d/s/x/rejected");
    assert_eq!((&publish.payload[..], publish.qos), (&b"why"[..], QoS::AtMostOnce));
}

#[tokio::test(start_paused = true)]
async fn a_stop_acknowledges_what_reaches_the_disk_in_time_and_says_good_bye() {
    let mut bench = Bench::subscribed().await;
    bench.publish(1).await;
    let first = bench.deliveries.recv().await.unwrap();
    bench.publish(2).await;
    let second = bench.deliveries.recv().await.unwrap();
    bench.stop.cancel();
    first.durable.send(()).unwrap();
    assert_eq!(bench.acknowledged().await, 1);
    assert!(matches!(bench.next().await, Packet::Disconnect));
    assert_eq!(bench.ended().await, Ok(End::Stopped));
    assert!(second.durable.send(()).is_err(), "its acknowledgement died with the connection");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_takes_its_acknowledgements_with_it() {
    let mut bench = Bench::subscribed().await;
    bench.publish(1).await;
    let delivery = bench.deliveries.recv().await.unwrap();
    bench.broker.shutdown().await.unwrap();
    assert_eq!(bench.ended().await, Err("the connection was closed".to_owned()));
    assert!(delivery.durable.is_closed());
}

impl Bench {
    async fn is_quiet_until_subscribe(&mut self) -> bool {
        matches!(self.next().await, Packet::Subscribe(_)) && self.is_quiet().await
    }

    /// Grants the SUBSCRIBE that was read last and lets the session take note.
    async fn grant_last(&mut self, code: SubscribeReasonCode) {
        let mut bytes = BytesMut::new();
        SubAck::new(SUBSCRIBE_ID, vec![code; 5]).write(&mut bytes).unwrap();
        self.send(&bytes).await;
        assert!(self.is_quiet().await);
    }
}
