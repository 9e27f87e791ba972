//! The session with a real Mosquitto: what breaks, what is said, and that nothing is lost by it.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use support::{
    mosquitto::{Mosquitto, Options, plugin},
    proxy::{Direction, Proxy},
    publisher::{Plan, Publisher},
    wait,
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use waystation::{
    clock::Clock,
    ingest::{Delivery, Limits, subscribe},
    journal::Condition,
    settings,
    telemetry::{Counters, Readiness},
};

const LIMIT: Duration = Duration::from_secs(30);

/// The stage under test, before a disk that takes its time.
struct Stage {
    readiness: Readiness,
    counters: Counters,
    stop: CancellationToken,
    disk: Arc<Mutex<Disk>>,
    tasks: JoinSet<()>,
}

/// What is on disk: the numbers in the payloads, and all conditions but the usual.
#[derive(Debug, Default)]
struct Disk {
    numbers: BTreeSet<u64>,
    conditions: Vec<Condition>,
}

impl Stage {
    fn start(settings: settings::Subscribe) -> Self {
        Self::start_on(Arc::default(), settings)
    }

    fn start_on(disk: Arc<Mutex<Disk>>, settings: settings::Subscribe) -> Self {
        let (deliveries, queue) = mpsc::channel(64);
        let (readiness, counters) = (Readiness::default(), Counters::default());
        let stop = CancellationToken::new();
        let limits = Limits::new(
            &settings::Ingest { device_rate: 1e6, ..Default::default() },
            "waystation/v1",
        );
        let (_, outbound) = subscribe::downward(Clock::system(), counters.clone());
        let mut tasks = JoinSet::new();
        // Nobody is well before the stage has said anything.
        readiness.trouble("subscribe", "not yet started");
        tasks.spawn(write(queue, Arc::clone(&disk)));
        let stage = subscribe::run(
            settings,
            limits,
            deliveries,
            outbound,
            Clock::system(),
            counters.clone(),
            readiness.clone(),
            stop.clone(),
        );
        tasks.spawn(async move { stage.await.unwrap() });
        Self { readiness, counters, stop, disk, tasks }
    }

    fn trouble(&self) -> String {
        self.readiness.troubles().remove("subscribe").unwrap_or_default()
    }

    async fn well(&self) {
        wait::until("the session is up", LIMIT, || self.trouble().is_empty()).await;
    }

    async fn says(&self, words: &str) {
        wait::until_said(words, LIMIT, || self.trouble()).await;
    }

    fn has(&self, numbers: &BTreeSet<u64>) -> bool {
        self.disk.lock().unwrap().numbers.is_superset(numbers)
    }

    async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

/// Writes each delivery three milliseconds after it came. What its connection no longer waits for
/// is thrown away: acknowledged all the same, it would be lost, and a test would see it.
async fn write(mut queue: mpsc::Receiver<Delivery>, disk: Arc<Mutex<Disk>>) {
    while let Some(delivery) = queue.recv().await {
        sleep_until(Instant::now() + Duration::from_millis(3)).await;
        if delivery.durable.is_closed() {
            continue;
        }
        for message in delivery.messages.iter() {
            let mut disk = disk.lock().unwrap();
            match message.condition {
                Condition::Whole => {
                    let text = String::from_utf8_lossy(message.payload);
                    disk.numbers.insert(text.parse().unwrap());
                }
                other => disk.conditions.push(other),
            }
        }
        delivery.durable.send(()).ok();
    }
}

fn settings(broker: String) -> settings::Subscribe {
    settings::Subscribe { broker, keep_alive: Duration::from_secs(4), ..Default::default() }
}

fn plan(broker: &Mosquitto, client_id: &str) -> Plan {
    Plan::new(format!("127.0.0.1:{}", broker.port()), client_id)
}

/// Message `n` carries its number.
fn numbered(number: u64) -> (String, Vec<u8>) {
    (format!("waystation/v1/d/s/x-{}/telemetry", number % 97), number.to_string().into_bytes())
}

/// Publishes `count` messages from `from` on; they are all acknowledged by the broker.
async fn publish(broker: &Mosquitto, from: u64, count: u64) -> BTreeSet<u64> {
    let make = move |number| numbered(from + number);
    let plan = Plan { count, ..plan(broker, "device") };
    Publisher::start(plan, Arc::new(make)).finished(LIMIT).await;
    (from..from + count).collect()
}

#[tokio::test]
async fn a_broker_that_was_killed_and_forgot_us_is_subscribed_to_again() {
    let mut broker = Mosquitto::start().await;
    let stage = Stage::start(settings(broker.url()));
    stage.well().await;
    let before = publish(&broker, 0, 500).await;
    wait::until("the first messages", LIMIT, || stage.has(&before)).await;

    broker.forget();
    stage.says("no session with the broker").await;
    stage.says("cannot reach it").await;
    broker.restart().await;
    stage.well().await;
    let after = publish(&broker, 500, 500).await;
    wait::until("messages after the session was gone", LIMIT, || stage.has(&after)).await;
    stage.stop().await;
}

#[tokio::test]
async fn a_broker_that_restarts_keeps_what_it_acknowledged_and_we_get_all_of_it() {
    let mut broker = Mosquitto::start().await;
    let stage = Stage::start(settings(broker.url()));
    stage.well().await;
    let publisher = Publisher::start(Plan { rate: 3000, ..plan(&broker, "d") }, Arc::new(numbered));
    for _ in 0..3 {
        let before = publisher.acknowledged_count();
        wait::until("it flows", LIMIT, || publisher.acknowledged_count() > before + 300).await;
        broker.stop().await;
        broker.restart().await;
    }
    let acknowledged = publisher.stop().await;
    assert!(acknowledged.len() > 900, "{} messages", acknowledged.len());
    wait::until("all that the broker acknowledged", LIMIT, || stage.has(&acknowledged)).await;
    stage.stop().await;
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_a_packet_acknowledges_nothing_wrongly() {
    let broker = Mosquitto::start().await;
    let proxy = Proxy::start(broker.port()).await;
    let settings = settings(broker.url_at(proxy.port()));
    let mut stage = Stage::start(settings.clone());
    stage.well().await;
    let publisher = Publisher::start(Plan { rate: 4000, ..plan(&broker, "d") }, Arc::new(numbered));
    // Odd sizes tear packets: a PUBLISH has about 45 bytes, a PUBACK four.
    for (to_client, to_server) in [(1003, 7), (20_011, 333), (6001, 2), (40_009, 1501), (90_001, 1)]
    {
        cut(&proxy, Direction::ToClient, to_client).await;
        cut(&proxy, Direction::ToServer, to_server).await;
        // Anew, as the same client: more cuts of one session look like a fight over its id.
        let disk = Arc::clone(&stage.disk);
        stage.stop().await;
        stage = Stage::start_on(disk, settings.clone());
    }
    let acknowledged = publisher.stop().await;
    wait::until("all that the broker acknowledged", LIMIT, || stage.has(&acknowledged)).await;
    assert!(acknowledged.len() > 1000, "{} messages", acknowledged.len());
    assert!(proxy.connections() > 10, "{} connections", proxy.connections());
    stage.stop().await;
}

async fn cut(proxy: &Proxy, direction: Direction, bytes: u32) {
    proxy.cut_after(direction, bytes);
    wait::until("the cut", LIMIT, || proxy.has_cut(direction)).await;
}

#[tokio::test]
async fn a_broker_that_has_gone_without_a_word_is_noticed() {
    let broker = Mosquitto::start().await;
    let proxy = Proxy::start(broker.port()).await;
    let keep_alive = Duration::from_secs(1);
    let settings = settings::Subscribe { keep_alive, ..settings(broker.url_at(proxy.port())) };
    let stage = Stage::start(settings);
    stage.well().await;
    proxy.stall();
    stage.says("silent for 1s").await;
    let sent = publish(&broker, 0, 100).await;
    proxy.cut();
    proxy.pass();
    wait::until("messages after the silence", LIMIT, || stage.has(&sent)).await;
    stage.well().await;
    stage.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_said_and_a_mended_password_file_heals_it() {
    let users = vec![("waystation", "right"), ("device", "secret")];
    let broker = Mosquitto::with(Options { users, ..Options::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let password_file = folder.path().join("password");
    fs::write(&password_file, "wrong\n").unwrap();
    let stage = Stage::start(settings::Subscribe {
        username: "waystation".to_owned(),
        password_file: Some(password_file.clone()),
        ..settings(broker.url())
    });
    stage.says("refuses the connection: not authorised; see subscribe.username").await;
    fs::write(&password_file, "right\n").unwrap();
    stage.well().await;
    stage.stop().await;
}

#[tokio::test]
async fn a_refused_subscription_is_said() {
    // The rules of `acl_file` let everybody subscribe to everything and then deliver nothing; the
    // plugin is how a Mosquitto says no.
    let rules = r#"{"defaultACLAccess": {
        "publishClientSend": true, "publishClientReceive": true, "subscribe": false, "unsubscribe": true}}"#;
    let broker = Mosquitto::with(Options {
        lines: vec![
            format!("plugin {}", plugin("mosquitto_dynamic_security.so").display()),
            "plugin_opt_config_file {folder}/rules.json".to_owned(),
        ],
        files: vec![("rules.json", rules.to_owned())],
        ..Options::default()
    })
    .await;
    let stage = Stage::start(settings(broker.url()));
    stage.says("refuses the subscription to waystation/v1/+/+/+/telemetry").await;
    stage.stop().await;
}

#[tokio::test]
async fn another_client_with_our_client_id_is_recognised_and_not_fought_for_ever() {
    let broker = Mosquitto::start().await;
    let proxy = Proxy::start(broker.port()).await;
    let stage = Stage::start(settings(broker.url_at(proxy.port())));
    stage.well().await;
    // A client that comes back as soon as it is thrown out, as most do.
    let rival =
        Publisher::start(Plan { rate: 1, ..plan(&broker, "waystation") }, Arc::new(numbered));
    stage.says("another client uses client id \"waystation\"").await;
    let connections = proxy.connections();
    assert!(connections <= 5, "{connections} connections before it was recognised");
    let later = Instant::now() + Duration::from_secs(5);
    sleep_until(later).await;
    assert_eq!(proxy.connections(), connections, "it goes on fighting");
    assert!(stage.trouble().contains("another client"));
    rival.stop().await;
    stage.stop().await;
}

#[tokio::test]
async fn tls_needs_a_certificate_we_trust() {
    let broker = Mosquitto::with(Options { tls: true, ..Options::default() }).await;
    let stranger = Stage::start(settings(broker.url()));
    stranger.says("set subscribe.ca_file").await;
    stranger.stop().await;

    let ca_file = Some(broker.ca_file());
    let stage = Stage::start(settings::Subscribe { ca_file, ..settings(broker.url()) });
    stage.well().await;
    stage.stop().await;
}

#[tokio::test]
async fn a_message_of_a_mebibyte_is_refused_once_and_the_next_is_taken() {
    let broker = Mosquitto::start().await;
    let stage = Stage::start(settings(broker.url()));
    stage.well().await;
    let make = |number| {
        let (topic, payload) = numbered(number);
        (topic, if number == 3 { vec![b'7'; 1 << 20] } else { payload })
    };
    let plan = Plan { count: 10, ..plan(&broker, "device") };
    Publisher::start(plan, Arc::new(make)).finished(LIMIT).await;
    let expected = (0..10).filter(|number| *number != 3).collect();
    wait::until("the others", LIMIT, || stage.has(&expected)).await;
    let refused = stage.disk.lock().unwrap().conditions.clone();
    assert_eq!(refused, [Condition::Oversized { size: 1 << 20 }]);
    let page = stage.counters.render().unwrap();
    wait::until("all acknowledged", LIMIT, || {
        stage.counters.render().unwrap().contains("acknowledged_total{source=\"subscribe\"} 10")
    })
    .await;
    assert!(page.contains("received_total{source=\"subscribe\"} 10"), "{page}");
    stage.stop().await;
}
