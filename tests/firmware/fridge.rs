//! The example fridge of each of the three, run as its user would.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use tempfile::TempDir;

use crate::support::{
    process::{Process, find, on_path},
    wait,
};

pub(crate) const LIMIT: Duration = Duration::from_mins(1);
pub(crate) const EVERY_MS: u64 = 150;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    C,
    MicroPython,
    Python,
}

/// One fridge, `d/s/fridge-1`: it counts what it measured from `first` on.
#[derive(Debug)]
pub(crate) struct Fridge {
    written: Written,
    port: u16,
    folder: TempDir,
    process: Process,
}

impl Fridge {
    pub(crate) fn start(written: Written, port: u16, first: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = launch(written, port, first, folder.path());
        Self { written, port, folder, process }
    }

    /// The power is gone.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// The power is back; it counts from `first` on.
    pub(crate) fn start_again(&mut self, first: u64) {
        self.process = launch(self.written, self.port, first, self.folder.path());
    }

    pub(crate) fn log(&mut self) -> String {
        let log = self.process.log();
        assert!(self.process.exited().is_none(), "the fridge has ended:\n{log}");
        log
    }

    /// The numbers of what it measured.
    pub(crate) fn measured(&self) -> BTreeSet<u64> {
        let log = self.process.log();
        // The last line may not be whole yet.
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let numbers = whole.lines().filter_map(|line| line.strip_prefix("measured "));
        numbers.filter_map(|number| number.parse().ok()).collect()
    }

    /// Waits until it has measured `count` more.
    pub(crate) async fn measures(&mut self, count: usize) {
        let before = self.measured().len();
        wait::until(&format!("{count} more readings"), LIMIT, || {
            self.log();
            self.measured().len() >= before + count
        })
        .await;
    }

    pub(crate) async fn says(&mut self, words: &str) {
        wait::until_said(words, LIMIT, || self.log()).await;
    }
}

fn launch(written: Written, port: u16, first: u64, folder: &Path) -> Process {
    let source = source();
    let (port, every, first) = (port.to_string(), EVERY_MS.to_string(), first.to_string());
    let there = ["127.0.0.1", &port, "d/s/fridge-1"];
    let mut command = match written {
        Written::C => {
            let mut command = Command::new(compiled());
            command.args(there).args(["--no-clock", "--every", &every, "--count-from", &first]);
            command.arg("--store").arg(folder.join("store"));
            command
        }
        Written::MicroPython => {
            let mut command = Command::new(micropython());
            command.arg(source.join("micropython/fridge.py")).args(there).args([every, first]);
            command
        }
        Written::Python => {
            let mut command = Command::new(python());
            command.arg(source.join("python/fridge.py")).args(there);
            command.arg(folder.join("store")).args([every, first]);
            command
        }
    };
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    Process::start(&mut command, &folder.join("log"))
}

pub(crate) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("devices/firmware")
}

/// Debian's, which has paho-mqtt.
pub(crate) fn python() -> PathBuf {
    find("python3", [PathBuf::from("/usr/bin/python3")])
}

pub(crate) fn micropython() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"),
        PathBuf::from,
    );
    let unpacked = cache.join("waystation-tests/micropython-trixie/micropython");
    find("micropython", on_path("micropython").into_iter().chain([unpacked]))
}

/// The fridge in C, with all warnings as errors and with sanitizers.
fn compiled() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = FOLDER.get_or_init(|| tempfile::tempdir().unwrap());
        compile(
            &["fridge.c", "posix.c", "waystation.c", "json.c"].map(PathBuf::from),
            folder.path(),
        )
    })
}

/// Compiles `files`, of the folder of the C sources or anywhere else.
pub(crate) fn compile(files: &[PathBuf], into: &Path) -> PathBuf {
    let (program, c) = (into.join("program"), source().join("c"));
    let mut command = Command::new(find("gcc", on_path("gcc")));
    command.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-g"]);
    command.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-I"]).arg(&c);
    command.args(files.iter().map(|file| c.join(file))).arg("-o").arg(&program);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}
