//! Figure 4: a city of 120 000 devices: start, and memory after one report of each.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use super::{
    Options,
    figure::{Figure, Goal},
    fleet::LARGE,
    flood::{Flood, Plan, greet},
    support::{daemon::Daemon, wait},
    usage::{peak_mb, resident_mb},
};

const LIMIT: Duration = Duration::from_mins(2);
const SETTINGS: &str = "[listen]\nmqtt = '127.0.0.1:0'\n[web]\nlisten = '127.0.0.1:0'\n";

pub(crate) async fn measure(options: Options) -> Figure {
    let mut figure = Figure::new(
        "4. 120 000 devices (10 000 stations of 12)",
        "From exec to the PUBACK of the first message, on an empty data directory and again on the \
         one with a report of each device; memory 2 s after the store took one report of each.",
    );
    let stations = LARGE.to_toml();
    for _ in 0..options.runs {
        let mut daemon = Daemon::prepare(SETTINGS, &stations);
        let goal = Some(Goal::AtMost(2.0));
        let first = start(&mut daemon).await;
        figure.add("start to first message handled", "s", goal, first.as_secs_f64());
        let pid = daemon.process().id();
        figure.add("memory after the start", "MB", None, resident_mb(pid));
        report_of_each(&daemon).await;
        let goal = Some(Goal::AtMost(150.0));
        figure.add("memory after one report of each", "MB", goal, resident_mb(pid));
        figure.add("memory at most", "MB", None, peak_mb(pid));
        daemon.stop(Duration::from_secs(20)).await;
        let again = start(&mut daemon).await;
        figure.add("start again to first message handled", "s", None, again.as_secs_f64());
    }
    figure
}

async fn start(daemon: &mut Daemon) -> Duration {
    let began = Instant::now();
    daemon.start_again().await;
    first_message(&daemon.mqtt());
    began.elapsed()
}

fn first_message(address: &str) {
    let mut socket = greet(address, "first").unwrap();
    let mut packet = Vec::new();
    LARGE.template(0).write(1, 0, 1, &mut packet);
    socket.write_all(&packet).unwrap();
    let mut puback = [0; 4];
    socket.read_exact(&mut puback).unwrap();
    assert_eq!(puback, [0x40, 2, 0, 1], "PUBACK");
}

async fn report_of_each(daemon: &Daemon) {
    let messages = u64::from(LARGE.devices());
    let address = daemon.mqtt();
    let plan = Plan { address, fleet: LARGE, connections: 1, window: 5000, rate: 0, messages };
    Flood::start(plan).finished(LIMIT).await;
    wait::until_async("the store has a report of each", LIMIT, async || {
        daemon.figure("waystation_readings_stored_total").await as u64 >= messages
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
}
