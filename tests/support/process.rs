//! A server process that never outlives its test, and whose log is at hand when one fails.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use tokio::{net::TcpStream, time::Instant};

use super::wait;

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    exited: Option<ExitStatus>,
}

impl Process {
    /// Starts `command`, both of its outputs appended to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { child, log: log.to_owned(), exited: None }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.exited = self.exited.or_else(|| self.child.try_wait().unwrap());
        self.exited
    }

    /// SIGKILL: no chance to tidy up.
    pub fn kill(&mut self) {
        if self.exited().is_none() {
            self.child.kill().unwrap();
            self.exited = Some(self.child.wait().unwrap());
        }
    }

    /// SIGTERM: asks it to end.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id();
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
        assert!(sent.unwrap().success(), "cannot signal process {pid}");
    }

    /// Waits for it to end by itself.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        while self.exited().is_none() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.exited().unwrap_or_else(|| panic!("still running after {limit:?}:\n{}", self.log()))
    }

    /// Waits until it takes connections at `port`.
    pub async fn listening(&mut self, port: u16) {
        let log = self.log.clone();
        wait::until_async(
            &format!("a connection to port {port}, log {}", log.display()),
            Duration::from_secs(30),
            async || {
                if let Some(status) = self.exited() {
                    panic!("it ended with {status} before it listened:\n{}", self.log());
                }
                TcpStream::connect(("127.0.0.1", port)).await.is_ok()
            },
        )
        .await;
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The first of `candidates` that is there; `what` and `make setup` are named when none is.
pub fn find(what: &str, candidates: impl IntoIterator<Item = PathBuf>) -> PathBuf {
    candidates.into_iter().find(|path| path.is_file()).unwrap_or_else(|| {
        panic!("{what} is missing: run `make setup`, which installs what the tests need")
    })
}

/// Where `name` could be on PATH.
pub fn on_path(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).collect()
}
