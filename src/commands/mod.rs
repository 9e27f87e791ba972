//! What each command does with the library.

pub(crate) mod contract;
pub(crate) mod validate;
pub(crate) mod watch;
mod order;
mod record;

use std::{
    fs::{self, File},
    io::{self, BufWriter, IsTerminal, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::{runtime, signal::unix};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;
use waystation::{
    check::{self, Loaded},
    clock::Clock,
    daemon,
    problem::Problem,
    reading::Timestamp,
    registry, rehearse, simulate,
    store::embedded,
    telemetry::logs,
};

use crate::{Cli, Command, Demo, Export, ExportFormat, LogFormat, Simulate};

pub(crate) fn perform(cli: Cli) -> anyhow::Result<ExitCode> {
    let log = match cli.log_format {
        LogFormat::Text => logs::Format::Text,
        LogFormat::Json => logs::Format::Json,
    };
    match cli.command {
        Command::TestProfiles { dir } => return Ok(test_profiles(dir.as_deref())),
        Command::NewProfile { name, dir } => {
            let path = rehearse::write_skeleton(&dir, &name)?;
            say(&format!(
                "wrote {}; try it: waystation test-profiles {}",
                path.display(),
                dir.display()
            ));
        }
        Command::Check => return Ok(check_files(&cli.config)),
        Command::Run => {
            logs::start(log, LevelFilter::INFO);
            run(&cli.config)?;
        }
        Command::Simulate(how) => {
            logs::start(log, LevelFilter::INFO);
            simulate(&cli.config, &how)?;
        }
        Command::Ask(asked) => return order::order(&cli.config, &asked),
        Command::Export(what) => export(&cli.config, &what)?,
        Command::Validate(ask) => return Ok(validate::validate(&cli.config, &ask)),
        Command::Watch(ask) => return watch::watch(&cli.config, &ask),
        Command::Schema(ask) => return contract::schema(&cli.config, &ask),
        Command::AsyncApi(ask) => return contract::asyncapi(&cli.config, &ask),
        Command::Docs(ask) => return Ok(contract::docs(&ask)),
        Command::Record(work) => record::record(&cli.config, &work)?,
        Command::Demo(how) => {
            logs::start(log, LevelFilter::INFO);
            demo(&cli.config, &how)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn check_files(config: &Path) -> ExitCode {
    match check::check(config, std::env::vars()) {
        Ok(loaded) => {
            say(&format!(
                "all well: {} districts, {} stations, {} devices, {} profiles",
                loaded.registry.districts.len(),
                loaded.registry.stations.len(),
                loaded.registry.reporting().count(),
                loaded.catalog.iter().count()
            ));
            ExitCode::SUCCESS
        }
        Err(problems) => {
            for problem in &problems {
                say(&problem.to_string());
            }
            ExitCode::FAILURE
        }
    }
}

fn test_profiles(dir: Option<&Path>) -> ExitCode {
    match rehearse::rehearse_files(dir) {
        Ok(report) => {
            say(&report.to_string());
            if report.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(problems) => {
            for problem in &problems {
                say(&problem.to_string());
            }
            ExitCode::FAILURE
        }
    }
}

fn run(config: &Path) -> anyhow::Result<()> {
    let loaded = load(config)?;
    let stop = CancellationToken::new();
    runtime()?.block_on(async {
        let stopped = stop_on_signal(&stop)?;
        outlive_large_files()?;
        let daemon = daemon::run(loaded, config.to_owned(), Clock::system(), stop, |_| {});
        tokio::join!(daemon, stopped).0
    })
}

fn simulate(config: &Path, how: &Simulate) -> anyhow::Result<()> {
    let mut loaded = load(config)?;
    if let Some(total) = how.stations {
        let files = simulate::read(config)?;
        let invented = simulate::invent(&files, total, how.seed, how.district.as_deref())?;
        if let Some(dir) = &how.write {
            return simulate::write(dir, &invented);
        }
        loaded.registry = with_invented(config, &loaded, invented)?;
    }
    let to = how.to.as_deref().unwrap_or_default();
    let mut target = simulate::Target::parse(to, &loaded.settings.subscribe.prefix)?;
    target.username.clone_from(&how.username);
    if let Some(file) = &how.password_file {
        let text = fs::read_to_string(file)
            .with_context(|| format!("cannot read --password-file {}", file.display()))?;
        text.trim_end().clone_into(&mut target.password);
    }
    let mut plan = plan(how.seed, how.speed, how.connections)?;
    plan.start = how.start.as_deref().map(moment).transpose().context("--start")?;
    let stop = CancellationToken::new();
    runtime()?.block_on(async {
        let stopped = stop_on_signal(&stop)?;
        let timed = end_after(how.duration, &stop);
        let bar = progress();
        let show = |tally: &simulate::Tally| bar.set_message(tally.says());
        let lived = async {
            let clock = Clock::system();
            let lived =
                simulate::run(&loaded.registry, plan, target, &clock, stop.clone(), show).await;
            stop.cancel();
            lived
        };
        let (lived, (), ()) = tokio::join!(lived, stopped, timed);
        bar.finish_and_clear();
        say(&lived?.says());
        Ok(())
    })
}

fn with_invented(
    config: &Path,
    loaded: &Loaded,
    invented: Vec<simulate::Invented>,
) -> anyhow::Result<registry::Registry> {
    let more: Vec<_> = invented.into_iter().map(|file| (file.name, file.text)).collect();
    registry::load_with(config, &more, &loaded.catalog, None).map_err(|found| explain(&found))
}

/// Each costs the one process two file descriptors, of which a newcomer may have 1024.
const DEMO_CONNECTIONS: usize = 300;

/// The daemon and its devices in one process: what a newcomer sees first.
fn demo(config: &Path, how: &Demo) -> anyhow::Result<()> {
    let mut loaded = load(config)?;
    let temporary = tempfile::Builder::new().prefix("waystation-demo-").tempdir()?;
    let settings = &mut loaded.settings;
    settings.data_dir = how.data.clone().unwrap_or_else(|| temporary.path().to_owned());
    settings.web.listen.clone_from(&how.web);
    settings.listen.mqtt.clone_from(&how.mqtt);
    settings.subscribe.broker.clear();
    settings.store.kind = waystation::settings::StoreKind::Embedded;
    let registry = loaded.registry.clone();
    let prefix = settings.subscribe.prefix.clone();
    let mut plan = plan(how.seed, how.speed, DEMO_CONNECTIONS)?;
    plan.staged = vec![
        (Duration::from_secs(5), "fridge", "door_left_open"),
        (Duration::from_secs(15), "aed", "cabinet_opened"),
    ];
    let stop = CancellationToken::new();
    runtime()?.block_on(async {
        let stopped = stop_on_signal(&stop)?;
        let (announce, announced) = tokio::sync::oneshot::channel();
        let started = move |addresses: &daemon::Addresses| {
            announce.send(addresses.clone()).ok();
        };
        let devices = async {
            let Ok(addresses) = announced.await else { return Ok(()) };
            let web = addresses.web.as_deref().unwrap_or("nowhere");
            say(&format!(
                "\n  Waystation is at  http://{web}\n  {} simulated devices of {} stations report to it; Ctrl-C ends all of it\n",
                registry.reporting().count(),
                registry.stations.len()
            ));
            let mqtt = addresses.mqtt.context("the daemon does not listen to devices")?;
            let target = simulate::Target::parse(&format!("mqtt://{mqtt}"), &prefix)?;
            let clock = Clock::system();
            let lived =
                simulate::run(&registry, plan, target, &clock, stop.clone(), |_| {}).await;
            stop.cancel();
            lived.map(|_| ())
        };
        let daemon =
            daemon::run(loaded, config.to_owned(), Clock::system(), stop.clone(), started);
        let (daemon, devices, ()) = tokio::join!(daemon, devices, stopped);
        daemon.and(devices)
    })
}

fn export(config: &Path, what: &Export) -> anyhow::Result<()> {
    let loaded = load(config)?;
    let time = |text: &Option<String>, name: &str| match text {
        Some(text) => moment(text).with_context(|| format!("--{name}")).map(Some),
        None => Ok(None),
    };
    let mut of = what.of.as_deref().unwrap_or_default().split('/').map(str::to_owned);
    let mut level = || of.next().filter(|level| !level.is_empty());
    let filter = embedded::Filter {
        district: level(),
        station: level(),
        device: level(),
        metric: what.metric.clone(),
        from: time(&what.from, "from")?.unwrap_or(Timestamp::MIN),
        to: time(&what.to, "to")?.unwrap_or(Timestamp(i64::MAX)),
    };
    let format = match what.format {
        ExportFormat::Csv => embedded::Format::Csv,
        ExportFormat::Jsonl => embedded::Format::JsonLines,
    };
    let mut out: Box<dyn Write> = match &what.output {
        Some(path) => {
            let file =
                File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(io::stdout().lock())),
    };
    let bar = embedded::progress_bar();
    let exported = embedded::export(&loaded.settings.data_dir, &filter, format, &mut out, &bar)?;
    out.flush()?;
    bar.finish_and_clear();
    if what.output.is_some() {
        say(&format!("{} points", exported.points));
    }
    if exported.damaged_rows > 0 {
        bail!("{} damaged rows of the store are missing from the export", exported.damaged_rows);
    }
    Ok(())
}

/// Milliseconds since 1970, or RFC 3339.
fn moment(text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(millis) = text.parse() {
        return Ok(Timestamp(millis));
    }
    let time: jiff::Timestamp = text.parse().with_context(|| {
        format!("expected ms since 1970 or a time such as 2026-01-31T08:00:00Z, found {text:?}")
    })?;
    Ok(Timestamp(time.as_millisecond()))
}

fn load(config: &Path) -> anyhow::Result<Loaded> {
    check::check(config, std::env::vars()).map_err(|problems| explain(&problems))
}

fn explain(problems: &[Problem]) -> anyhow::Error {
    let lines: Vec<String> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    anyhow::anyhow!("{} problems in the configuration:{}", problems.len(), lines.concat())
}

fn plan(seed: u64, pace: f64, connections: usize) -> anyhow::Result<simulate::Plan> {
    if !(pace.is_finite() && pace > 0.0) {
        bail!("--speed must be above 0, found {pace}");
    }
    Ok(simulate::Plan { seed, speed: pace, connections, start: None, staged: Vec::new() })
}

fn runtime() -> anyhow::Result<runtime::Runtime> {
    runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

/// A file beyond the limit of its size (`ulimit -f`, `LimitFSIZE=`) is a write that fails, like on a
/// full disk, and no reason to die. A handler, once there, stays.
fn outlive_large_files() -> anyhow::Result<()> {
    const SIGXFSZ: i32 = 25;
    drop(unix::signal(unix::SignalKind::from_raw(SIGXFSZ))?);
    Ok(())
}

/// SIGINT and SIGTERM stop the program; what must still be done then has its own limits.
fn stop_on_signal(stop: &CancellationToken) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let mut terminate = unix::signal(unix::SignalKind::terminate())?;
    let mut interrupt = unix::signal(unix::SignalKind::interrupt())?;
    let stop = stop.clone();
    Ok(async move {
        let signalled = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        if stop.run_until_cancelled(signalled).await.is_some() {
            stop.cancel();
        }
    })
}

async fn end_after(duration: Option<Duration>, stop: &CancellationToken) {
    match duration {
        Some(duration) => {
            stop.run_until_cancelled(tokio::time::sleep(duration)).await;
            stop.cancel();
        }
        None => stop.cancelled().await,
    }
}

/// A line that moves on a terminal, and nothing elsewhere.
fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise}  {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// What is beside the point of the output, for whoever sits there.
fn note(line: &str) {
    writeln!(io::stderr(), "{line}").ok();
}

fn say(line: &str) {
    // A reader that went away (`| head`) is no failure of ours.
    writeln!(io::stdout(), "{line}").ok();
}
