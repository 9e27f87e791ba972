//! Figure 1: Mosquitto → Waystation → InfluxDB, and Telegraf in its place, by turns.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    Options,
    figure::{Figure, Goal},
    fleet::FRIDGES,
    flood::{Flood, Plan},
    perf::{self, Recording, Shares},
    support::{
        daemon::Daemon,
        influx::Influx,
        mosquitto::{Mosquitto, Options as Broker},
        wait,
    },
    telegraf::{self, Telegraf},
    usage::{Cpu, peak_mb},
};

const LIMIT: Duration = Duration::from_mins(3);
/// Time after the last message for what is done a little later (commits, flushes).
const AFTER: Duration = Duration::from_secs(1);

/// Messages under perf at least, where they are flat out: so that there are samples enough.
const PROFILED: u64 = 100_000;

/// How fast the publisher is, and what the peer's cost is divided by at least.
struct Pace {
    name: &'static str,
    rate: u64,
    messages: u64,
    goal: f64,
}

/// What one run came to.
struct Cost {
    micros: f64,
    memory: f64,
    took: Duration,
}

pub(crate) async fn measure(options: Options) -> Figure {
    let paces = [
        Pace { name: "flat out", rate: 0, messages: options.fewer(200_000), goal: 0.1 },
        Pace { name: "2000/s", rate: 2000, messages: options.fewer(40_000), goal: 0.2 },
    ];
    let mut figure = Figure::new(
        "1. CPU a message, Mosquitto → InfluxDB, against Telegraf 1.39.3",
        format!(
            "The same messages of 720 fridges over 10 connections to one Mosquitto: {} flat out, {} at \
             2000/s; Waystation and Telegraf by turns, each with an empty InfluxDB 2.9.1 and an empty \
             broker. Counted: user and system time of the process from the first message until all are \
             in InfluxDB (asked there) and 1 s more; both are up and subscribed before.",
            paces[0].messages, paces[1].messages
        ),
    );
    for _ in 0..options.runs {
        for pace in &paces {
            let ours = waystation(pace, None).await;
            let theirs = telegraf(pace).await;
            let mut add = |what: &str, unit, goal, value| {
                figure.add(&format!("{}: {what}", pace.name), unit, goal, value);
            };
            let goal = Some(Goal::AtMost(pace.goal));
            add("Waystation ÷ Telegraf", "CPU", goal, ours.micros / theirs.micros);
            for (who, cost) in [("Waystation", &ours), ("Telegraf", &theirs)] {
                add(&format!("{who}, CPU a message"), "µs", None, cost.micros);
                add(&format!("{who}, memory at most"), "MB", None, cost.memory);
                let rate = pace.messages as f64 / cost.took.as_secs_f64();
                add(&format!("{who}, messages in InfluxDB"), "1/s", None, rate);
            }
        }
    }
    for pace in &paces {
        let mut shares = None;
        let enough = if pace.rate == 0 { pace.messages.max(PROFILED) } else { pace.messages };
        waystation(&Pace { messages: enough, ..*pace }, Some(&mut shares)).await;
        let each = figure.row(&format!("{}: Waystation, CPU a message", pace.name)).median();
        figure.notes.push(perf::describe(pace.name, each, shares.as_ref()));
    }
    figure
}

/// `shares`: where the time goes, by perf, which costs some.
async fn waystation(pace: &Pace, shares: Option<&mut Option<Shares>>) -> Cost {
    let (broker, influx) = (broker().await, Influx::start().await);
    let settings = format!(
        "[subscribe]\nbroker = '{}'\n[web]\nlisten = '127.0.0.1:0'\n{}",
        broker.url(),
        influx.settings()
    );
    let mut daemon = Daemon::start(&settings, &FRIDGES.to_toml()).await;
    let pid = daemon.process().id();
    let recording = shares.as_ref().and_then(|_| Recording::start(pid, daemon.folder()));
    let cost = run(pid, "waystation", pace, &broker, &influx).await;
    if let Some(shares) = shares {
        *shares = recording.and_then(Recording::shares);
    }
    cost
}

async fn telegraf(pace: &Pace) -> Cost {
    let (broker, influx) = (broker().await, Influx::start().await);
    let peer = Telegraf::start(&broker, &influx);
    run(peer.process.id(), telegraf::CLIENT, pace, &broker, &influx).await
}

/// Logs who subscribes and nothing else: a line a packet would be most of its work.
async fn broker() -> Mosquitto {
    let lines = ["log_type none", "log_type subscribe", "log_type error"];
    let lines = lines.map(str::to_owned).to_vec();
    Mosquitto::with(Broker { lines, ..Broker::default() }).await
}

async fn run(pid: u32, client: &str, pace: &Pace, broker: &Mosquitto, influx: &Influx) -> Cost {
    let subscribed = format!("{client} 1 waystation/v1/");
    wait::until_said(&subscribed, LIMIT, || broker.log()).await;
    sleep(AFTER).await;
    let before = Cpu::of(pid);
    let began = std::time::Instant::now();
    let flood = Flood::start(Plan {
        address: format!("127.0.0.1:{}", broker.port()),
        fleet: FRIDGES,
        connections: 10,
        window: 10_000,
        rate: pace.rate,
        messages: pace.messages,
    });
    flood.finished(LIMIT).await;
    wait::until_async("all messages are in InfluxDB", LIMIT, async || {
        sleep(Duration::from_millis(300)).await;
        let count = influx.count("fridge", "temp_c").await;
        assert!(count <= pace.messages, "{count} points of {} messages", pace.messages);
        count == pace.messages
    })
    .await;
    let took = began.elapsed();
    sleep(AFTER).await;
    let micros = Cpu::of(pid).since(before).micros_each(pace.messages);
    Cost { micros, memory: peak_mb(pid), took }
}
