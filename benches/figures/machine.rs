//! The machine it was measured on, and whether others were using it.

use std::{fs, process::Command, time::Duration};

use tokio::time::{Instant, sleep};

/// Others may use this share of all cores while we measure.
const CALM: f64 = 0.08;
const CALM_LIMIT: Duration = Duration::from_secs(150);

/// The lines at the head of the results.
pub(crate) fn describe() -> Vec<String> {
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let memory = memory.trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) * 1024.0 / 1e9;
    let kernel = read("/proc/sys/kernel/osrelease");
    let (date, rustc) = (said("date", &["-u", "+%Y-%m-%d"]), said("rustc", &["--version"]));
    let commit = said("git", &["rev-parse", "--short", "HEAD"]);
    let mosquitto = said("dpkg-query", &["-W", "-f", "${Version}", "mosquitto"]);
    vec![
        format!("- machine: {cpu}, {cores} cores, {memory:.0} GB, Linux {kernel}"),
        format!("- date: {date}; commit {commit}; {rustc}, release build"),
        format!(
            "- Mosquitto {mosquitto}, InfluxDB 2.9.1, Telegraf 1.39.3; all on this one machine"
        ),
    ]
}

/// Waits until others leave the machine alone, but not for ever; the share of it they use.
pub(crate) async fn calm() -> f64 {
    let deadline = Instant::now() + CALM_LIMIT;
    loop {
        let before = Ticks::now();
        sleep(Duration::from_secs(2)).await;
        let busy = Ticks::now().busy_since(before);
        if busy <= CALM || Instant::now() >= deadline {
            return busy;
        }
    }
}

/// What all cores did so far.
#[derive(Debug, Clone, Copy)]
struct Ticks {
    idle: u64,
    all: u64,
}

impl Ticks {
    fn now() -> Self {
        let stat = read("/proc/stat");
        let line = stat.lines().next().unwrap_or_default();
        let ticks: Vec<u64> =
            line.split_whitespace().skip(1).take(8).filter_map(|word| word.parse().ok()).collect();
        // Idle, and waiting for the disk.
        Self { idle: ticks.iter().skip(3).take(2).sum(), all: ticks.iter().sum() }
    }

    fn busy_since(self, before: Self) -> f64 {
        let (idle, all) = (self.idle - before.idle, self.all - before.all);
        1.0 - idle as f64 / all.max(1) as f64
    }
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = read(file);
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn read(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default().trim().to_owned()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| format!("({program} unknown)"))
}
