//! The command line: says what to do, hands it to the library, and turns failures into one line.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use commands::{contract, validate, watch};

mod commands;

const USUAL_CONFIG: &str = "config";

/// Looks after 24-hour unattended rest stations: telemetry over MQTT, kept on disk, stored, and
/// turned into alerts.
#[derive(Debug, Parser)]
#[command(name = "waystation", version, arg_required_else_help = true)]
struct Cli {
    /// The folder with waystation.toml and stations/.
    #[arg(long, global = true, default_value = USUAL_CONFIG, value_name = "DIR")]
    config: PathBuf,

    /// How to write the log (to stderr).
    #[arg(long, global = true, default_value = "text", value_enum)]
    log_format: LogFormat,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon.
    Run,
    /// Read every file of the configuration and print all that is wrong with it; opens no socket.
    Check,
    /// Publish as every device of the registry would.
    Simulate(Simulate),
    /// Ask a device of the running daemon to do something its profile declares.
    #[command(name = "command")]
    Ask(Order),
    /// Print what the embedded store has on disk, as CSV or JSON lines: all but the newest hour,
    /// which is still in the memory of the daemon (the API's `series` has it).
    Export(Export),
    /// Try the examples and timelines of the shipped profiles, or of a folder's.
    TestProfiles {
        /// A folder of profiles of one's own.
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Write a commented profile to begin with.
    NewProfile {
        /// The new type of device: `kettle`.
        #[arg(value_name = "NAME")]
        name: String,
        /// The folder to write it to.
        #[arg(long, default_value = "profiles", value_name = "DIR")]
        dir: PathBuf,
    },
    /// Tell the running daemon what was done to a device: a maintenance record.
    Record(Record),
    /// Run the daemon with simulated stations, without a broker; Ctrl-C ends all of it.
    Demo(Demo),
    /// Say what the daemon would make of a message on stdin; 0: accepted, 1: refused.
    Validate(validate::Validate),
    /// Show live what devices send and what becomes of it.
    Watch(watch::Watch),
    /// Print the JSON Schema of what a type of device sends.
    Schema(contract::Schema),
    /// Print the AsyncAPI document of the topics, as YAML.
    #[command(name = "asyncapi")]
    AsyncApi(contract::AsyncApi),
    /// Print a page of the documentation that is made from the code.
    Docs(contract::Docs),
}

#[derive(Debug, Args)]
struct Simulate {
    /// Where to publish: a broker, or a daemon that listens.
    #[arg(long, value_name = "mqtt://HOST:PORT", required_unless_present = "write")]
    to: Option<String>,
    /// Stations in all: what the registry lacks is invented after those it has.
    #[arg(long, value_name = "N")]
    stations: Option<usize>,
    /// Invent only after stations of this district.
    #[arg(long = "in", value_name = "DISTRICT", requires = "stations")]
    district: Option<String>,
    /// Write the invented stations into this folder, as files for a daemon's config/stations, and end.
    #[arg(long, value_name = "DIR", requires = "stations", conflicts_with = "to")]
    write: Option<PathBuf>,
    /// Connections at most; where devices are more, those of a station share one.
    #[arg(long, default_value_t = 4000, value_name = "N")]
    connections: usize,
    /// The same seed and start give the same messages.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// How many times faster than real time the stations live.
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    speed: f64,
    /// What time it is in the stations at the start (ms since 1970, or RFC 3339); without it, the
    /// beginning of this hour. Messages say when they are really sent.
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// For how long (of real time) to go on; without it, until Ctrl-C.
    #[arg(long = "for", value_name = "D", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    #[arg(long, default_value = "", value_name = "NAME")]
    username: String,
    /// A file with the password of that user.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Order {
    /// The device: `putuo/shuxinwan/door-1`.
    #[arg(value_name = "PATH")]
    device: String,
    /// An operation of its profile: `unlock`.
    #[arg(value_name = "OP")]
    op: String,
    /// Arguments: `for_s=10`.
    #[arg(value_name = "KEY=VALUE")]
    args: Vec<String>,
    /// How long the command holds (`60s`, `2h`); without it, as long as the profile says.
    #[arg(long, value_name = "D")]
    expires: Option<String>,
    /// Who asks, for the record; without it, the name of this account.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Wait until it is done; fails when it was not.
    #[arg(long)]
    wait: bool,
    /// Where the daemon answers; without it, what `addresses.json` in the data directory says.
    #[arg(long, value_name = "ADDRESS")]
    web: Option<String>,
}

#[derive(Debug, Args)]
struct Export {
    /// Only this district, station or device: `putuo`, `putuo/shuxinwan`, `putuo/shuxinwan/aed-1`.
    #[arg(long, value_name = "PATH")]
    of: Option<String>,
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// From this time on (ms since 1970, or RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this time (ms since 1970, or RFC 3339).
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    #[arg(long, default_value = "csv", value_enum)]
    format: ExportFormat,
    /// Write here instead of to stdout.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExportFormat {
    Csv,
    Jsonl,
}

#[derive(Debug, Args)]
struct Record {
    /// The device: `district/station/device`.
    #[arg(value_name = "PATH")]
    path: String,
    /// `serviced`, `replaced`, `cleaned`, `checked` or `filled`.
    kind: String,
    /// What of it, such as `filter`.
    #[arg(long)]
    part: Option<String>,
    /// Who did it; without it, the name of the user.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[arg(long, default_value = "", value_name = "TEXT")]
    comment: String,
    /// When it was done (ms since 1970, or RFC 3339); without it, now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// What was found: a metric of the device's profile.
    #[arg(long, value_name = "METRIC=VALUE")]
    set: Vec<String>,
    /// Where the daemon answers; without it, as its `data_dir/addresses.json` says.
    #[arg(long, value_name = "http://HOST:PORT")]
    url: Option<String>,
}

#[derive(Debug, Args)]
struct Demo {
    /// Where the pages are.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    web: String,
    /// Where the simulated devices connect.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    mqtt: String,
    /// Where it keeps its data; without it, in a temporary folder that goes at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// How many times faster than real time the stations live.
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    speed: f64,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match commands::perform(cli) {
        Ok(code) => code,
        Err(failure) => {
            complain(&failure);
            ExitCode::FAILURE
        }
    }
}

/// One readable line, with every cause.
fn complain(failure: &anyhow::Error) {
    #[expect(clippy::print_stderr, reason = "the last words of the program")]
    {
        eprintln!("waystation: {failure:#}");
    }
}
