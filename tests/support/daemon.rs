//! The built `waystation` program, run as its user would.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{process::Process, wait};

/// Settings and data of one daemon, and the process while it runs; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    folder: TempDir,
    http: reqwest::Client,
    env: Vec<(&'static str, String)>,
    process: Option<Process>,
}

impl Daemon {
    /// Writes `settings` (TOML, without `data_dir`) and `stations` (TOML), starts it and waits for
    /// its addresses.
    pub async fn start(settings: &str, stations: &str) -> Self {
        let mut daemon = Self::prepare(settings, stations);
        daemon.start_again().await;
        daemon
    }

    /// Writes the files and starts nothing.
    pub fn prepare(settings: &str, stations: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        let daemon = Self { folder, http, env: Vec::new(), process: None };
        fs::create_dir_all(daemon.config_dir().join("stations")).unwrap();
        daemon.configure(settings);
        daemon.register(stations);
        daemon
    }

    /// Replaces the settings; they count from the next start.
    pub fn configure(&self, settings: &str) {
        let text = format!("data_dir = '{}'\n{settings}", self.data_dir().display());
        fs::write(self.config_dir().join("waystation.toml"), text).unwrap();
    }

    /// Replaces the registry; it counts from the next start or [`Daemon::reload`].
    pub fn register(&self, stations: &str) {
        fs::write(self.config_dir().join("stations/tests.toml"), stations).unwrap();
    }

    /// A variable of its environment; it counts from the next start.
    pub fn set_env(&mut self, name: &'static str, value: &str) {
        self.env.push((name, value.to_owned()));
    }

    /// Starts it on the data it has, and waits for its addresses.
    pub async fn start_again(&mut self) {
        self.launch();
        wait::until("the daemon writes addresses.json", Duration::from_secs(30), || {
            let process = self.process.as_mut().unwrap();
            if let Some(status) = process.exited() {
                panic!("the daemon ended with {status}:\n{}", process.log());
            }
            self.addresses().is_some()
        })
        .await;
    }

    /// Starts it and waits for nothing.
    pub fn launch(&mut self) {
        fs::remove_file(self.addresses_file()).ok();
        let mut command = Command::new(env!("CARGO_BIN_EXE_waystation"));
        command.arg("run").arg("--config").arg(self.config_dir()).envs(self.env.iter().cloned());
        self.process = Some(Process::start(&mut command, &self.folder.path().join("log")));
    }

    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the daemon was started")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process().kill();
    }

    /// SIGTERM, and how it ended.
    pub async fn stop(&mut self, limit: Duration) -> ExitStatus {
        self.process().terminate();
        self.process().ended(limit).await
    }

    /// SIGHUP: registry, profiles and rules anew.
    pub fn reload(&mut self) {
        self.process().signal("HUP");
    }

    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// Where it serves pages and the API.
    pub fn web(&self) -> String {
        self.address("web")
    }

    /// Where devices connect.
    pub fn mqtt(&self) -> String {
        self.address("mqtt")
    }

    /// Status and body of an answer; status 0 when there was none.
    pub async fn get(&self, path: &str) -> (u16, String) {
        match self.http.get(format!("http://{}{path}", self.web())).send().await {
            Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
            Err(error) => (0, error.to_string()),
        }
    }

    /// Status and answer of a request with a JSON body.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("http://{}{path}", self.web()));
        let request = request.header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    pub async fn get_json(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("GET {path}: {error}: {body}"))
    }

    /// One figure of `/metrics`, as `waystation_messages_received_total{source="listen"}`.
    pub async fn figure(&self, name: &str) -> f64 {
        let (_, page) = self.get("/metrics").await;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    pub fn config_dir(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder for the test's own files, beside config and data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn address(&self, name: &str) -> String {
        let addresses = self.addresses().expect("the daemon has written addresses.json");
        addresses[name].as_str().unwrap_or_else(|| panic!("no {name} in {addresses}")).to_owned()
    }

    fn addresses(&self) -> Option<Value> {
        serde_json::from_slice(&fs::read(self.addresses_file()).ok()?).ok()
    }

    fn addresses_file(&self) -> PathBuf {
        self.data_dir().join("addresses.json")
    }
}
