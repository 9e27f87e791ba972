//! Figure 2: what a message costs on its way through `listen`, journal, decode, alert and the
//! embedded store.

use std::{thread, time::Duration};

use tokio::time::sleep;

use super::{
    Options,
    figure::{Figure, Goal},
    fleet::FRIDGES,
    flood::{Flood, Plan},
    perf::{self, Recording, Shares},
    stages,
    support::{daemon::Daemon, wait},
    usage::{Cpu, peak_mb},
};

const LIMIT: Duration = Duration::from_mins(2);
/// Messages under perf at least, so that there are samples enough.
const PROFILED: u64 = 500_000;
/// Seldom: the page of figures costs time, too.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const WINDOW: u64 = 20_000;
const SETTINGS: &str = "[listen]\nmqtt = '127.0.0.1:0'\n[web]\nlisten = '127.0.0.1:0'\n\
                        [ingest]\ndevice_rate = 1e6\ndevice_burst = 4000000\n";

pub(crate) async fn measure(options: Options) -> Figure {
    let messages = options.fewer(1_000_000);
    let mut figure = Figure::new(
        "2. `listen`, flat out, embedded store",
        format!(
            "{messages} messages of 720 fridges (two metrics, `boot`, `seq`, `at`) straight to the \
             daemon, at most {WINDOW} without their PUBACK; CPU is user and system time of the whole \
             daemon from the first message until the last is stored, judged, and its judgement saved."
        ),
    );
    for connections in [1, 100] {
        for _ in 0..options.runs {
            run(&mut figure, connections, messages).await;
        }
        let shares = profile(connections, messages.max(PROFILED)).await;
        let each = figure.row(&cpu_row(connections)).median();
        let name = format!("{connections} connection(s)");
        figure.notes.push(perf::describe(&name, each, shares.as_ref()));
    }
    // On a thread of its own: the stages bring their own runtimes.
    thread::scope(|scope| scope.spawn(|| stages::measure(&mut figure, options)).join()).unwrap();
    figure
}

async fn run(figure: &mut Figure, connections: u32, messages: u64) {
    let mut daemon = Daemon::start(SETTINGS, &FRIDGES.to_toml()).await;
    let pid = daemon.process().id();
    let (cpu, took) = flood(&daemon, pid, connections, messages).await;
    let each = cpu.micros_each(messages);
    let name = |what: &str| format!("{connections} connection(s): {what}");
    let goal = Some(Goal::AtLeast(300_000.0));
    figure.add(&name("messages a core of ours"), "1/s", goal, 1e6 / each);
    figure.add(&cpu_row(connections), "µs", Some(Goal::AtMost(1e6 / 300_000.0)), each);
    let kernel = cpu.system.as_secs_f64() * 1e6 / messages as f64;
    figure.add(&name("of it in the kernel"), "µs", None, kernel);
    let rate = messages as f64 / took.as_secs_f64();
    figure.add(&name("messages acknowledged, publisher on the same cores"), "1/s", None, rate);
    figure.add(&name("memory at most"), "MB", None, peak_mb(pid));
    daemon.stop(Duration::from_secs(20)).await;
}

/// Publishes, and waits until the store has all.
async fn flood(daemon: &Daemon, pid: u32, connections: u32, messages: u64) -> (Cpu, Duration) {
    let plan = Plan {
        address: daemon.mqtt(),
        fleet: FRIDGES,
        connections,
        window: WINDOW,
        rate: 0,
        messages,
    };
    let before = Cpu::of(pid);
    let flood = Flood::start(plan);
    let took = flood.finished(LIMIT).await;
    wait::until_async("store and alert have taken all", LIMIT, async || {
        sleep(LOOK_EVERY).await;
        let stored = daemon.figure("waystation_readings_stored_total").await as u64;
        let alert = "waystation_reader_behind_messages{reader=\"alert\"}";
        stored >= messages && daemon.figure(alert).await < 1.0
    })
    .await;
    (Cpu::of(pid).since(before), took)
}

/// One more run, under perf, which costs time of its own.
async fn profile(connections: u32, messages: u64) -> Option<Shares> {
    let mut daemon = Daemon::start(SETTINGS, &FRIDGES.to_toml()).await;
    let pid = daemon.process().id();
    let recording = Recording::start(pid, daemon.folder())?;
    flood(&daemon, pid, connections, messages).await;
    recording.shares()
}

fn cpu_row(connections: u32) -> String {
    format!("{connections} connection(s): CPU a message")
}
