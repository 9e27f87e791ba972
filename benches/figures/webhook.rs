//! Figure 3: from a fridge's message to the request at the webhook's target.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{Read, Write},
    net::TcpStream,
    sync::mpsc::Receiver,
    thread,
    time::{Duration, Instant},
};

use rand::Rng;

use super::{
    Options,
    figure::{Figure, Goal, quantile},
    fleet::{FRIDGES, Template},
    flood::{Flood, Plan, greet},
    support::{daemon::Daemon, wait},
    target::{self, Arrival},
};

const BACKGROUND: u64 = 2000;
/// Fridges that are warm and cold by turns.
const PROBES: u32 = 40;
/// Between two of their messages, about; no multiple of any time the daemon waits.
const EVERY: Duration = Duration::from_micros(23_700);
const RULE: &str = "too_warm";
const LIMIT: Duration = Duration::from_secs(30);

/// A device and whether its alert began (else it ended).
type Expected = (String, bool);

pub(crate) async fn measure(options: Options) -> Figure {
    let transitions = options.fewer(1000);
    let mut figure = Figure::new(
        "3. Publish → webhook, at 2000 messages/s",
        format!(
            "{transitions} messages a run that raise or clear an alert (`too_warm` without its \
             times), one every {} ms, beside 2000 messages/s of 720 other fridges; from just before \
             the PUBLISH is written until the whole request is at its target.",
            EVERY.as_millis()
        ),
    );
    for _ in 0..options.runs {
        let mut delays = run(transitions).await;
        delays.sort_by(f64::total_cmp);
        figure.add("p50", "ms", None, quantile(&delays, 0.5));
        figure.add("p99", "ms", Some(Goal::AtMost(50.0)), quantile(&delays, 0.99));
        figure.add("longest", "ms", None, quantile(&delays, 1.0));
    }
    figure
}

async fn run(transitions: u64) -> Vec<f64> {
    let (url, arrived) = target::listen();
    let settings = format!(
        "[listen]\nmqtt = '127.0.0.1:0'\n[web]\nlisten = '127.0.0.1:0'\n\
         [[notify.webhooks]]\nurl = '{url}'\nsecret = 'a secret of the benchmark'\n"
    );
    let mut daemon = Daemon::start(&settings, &format!("{}{}", FRIDGES.to_toml(), probes())).await;
    let background = Flood::start(Plan {
        address: daemon.mqtt(),
        fleet: FRIDGES,
        connections: 10,
        window: 10_000,
        rate: BACKGROUND,
        messages: u64::MAX,
    });
    let enough = "the background flows";
    wait::until(enough, LIMIT, || background.acknowledged() > BACKGROUND).await;
    let socket = greet(&daemon.mqtt(), "probes").unwrap();
    let probing = tokio::task::spawn_blocking(move || {
        let sent = publish(socket, transitions);
        delays(sent, &arrived)
    });
    let delays = probing.await.unwrap();
    daemon.stop(Duration::from_secs(20)).await;
    delays
}

/// One station more, whose fridges alert at once and forget at once.
fn probes() -> String {
    let mut text = format!(
        "[[stations]]\nid = \"probes\"\nname = {{ en = \"Probes\", zh = \"测\" }}\n\
         rules.fridge.{RULE} = {{ for = \"0s\", clear_after = \"0s\" }}\n\
         rules.fridge.warming_fast = {{ enabled = false }}\ndevices = [\n"
    );
    for probe in 0..PROBES {
        writeln!(text, "  {{ id = \"probe-{probe}\", profile = \"fridge\" }},").unwrap();
    }
    text + "]\n"
}

/// Publishes as the probes by turns; when each message was written.
fn publish(mut socket: TcpStream, transitions: u64) -> HashMap<Expected, Vec<Instant>> {
    let mut sent: HashMap<Expected, Vec<Instant>> = HashMap::new();
    let mut packet = Vec::new();
    let mut puback = [0; 4];
    for number in 0..transitions {
        let jitter = rand::rng().random_range(0.5..1.5);
        thread::sleep(EVERY.mul_f64(jitter));
        let (probe, round) = (number % u64::from(PROBES), number / u64::from(PROBES));
        let warm = round.is_multiple_of(2);
        let payload = if warm { r#"{"temp_c":9.5}"# } else { r#"{"temp_c":4.5}"# };
        let path = format!("bench/probes/probe-{probe}");
        packet.clear();
        let template = Template::new(&format!("waystation/v1/{path}/telemetry"), payload);
        template.write(1, 0, 0, &mut packet);
        sent.entry((path, warm)).or_default().push(Instant::now());
        socket.write_all(&packet).unwrap();
        socket.read_exact(&mut puback).unwrap();
    }
    sent
}

/// Milliseconds from each message to its request. Those of one device come in order.
fn delays(sent: HashMap<Expected, Vec<Instant>>, arrived: &Receiver<Arrival>) -> Vec<f64> {
    let mut open: usize = sent.values().map(Vec::len).sum();
    let mut sent: HashMap<_, _> =
        sent.into_iter().map(|(expected, moments)| (expected, moments.into_iter())).collect();
    let mut delays = Vec::with_capacity(open);
    while open > 0 {
        let arrival = arrived.recv_timeout(LIMIT);
        let arrival = arrival.unwrap_or_else(|_| panic!("{open} webhooks never came"));
        let text = |path: &str| arrival.body.pointer(path).and_then(|value| value.as_str());
        if text("/alert/rule") != Some(RULE) {
            continue;
        }
        let device = format!("bench/probes/{}", text("/alert/device").unwrap());
        let warm = text("/type") == Some("alert.firing");
        let moment = sent.get_mut(&(device, warm)).and_then(Iterator::next);
        let moment = moment.expect("a webhook of something that was published");
        delays.push(arrival.at.duration_since(moment).as_secs_f64() * 1e3);
        open -= 1;
    }
    delays
}
