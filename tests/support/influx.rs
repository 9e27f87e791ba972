//! A real InfluxDB 2 in a folder of its own.

use std::{collections::BTreeMap, path::PathBuf, process::Command, time::Duration};

use reqwest::{Client, StatusCode};
use serde_json::json;
use tempfile::TempDir;

use super::{
    free_port,
    process::{Process, find, on_path},
    wait,
};

pub const ORG: &str = "waystation";
pub const BUCKET: &str = "readings";
pub const TOKEN: &str = "a-token-of-the-tests";

/// The server, with [`ORG`], [`BUCKET`] and [`TOKEN`] set up; killed when dropped.
#[derive(Debug)]
pub struct Influx {
    folder: TempDir,
    port: u16,
    http: Client,
    process: Option<Process>,
}

/// One row of an answer, by column.
pub type Row = BTreeMap<String, String>;

impl Influx {
    pub async fn start() -> Self {
        let http = Client::builder().timeout(Duration::from_mins(1)).build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut influx = Self { folder, port: free_port(), http, process: None };
        influx.start_again().await;
        influx.set_up().await;
        influx
    }

    /// Starts it on the port and the data it had.
    pub async fn start_again(&mut self) {
        let at = self.folder.path();
        let mut command = Command::new(program());
        command
            .arg("--http-bind-address")
            .arg(format!("127.0.0.1:{}", self.port))
            .args(["--reporting-disabled", "--ui-disabled", "--no-tasks", "--log-level", "warn"])
            .arg("--bolt-path")
            .arg(at.join("influx.bolt"))
            .arg("--sqlite-path")
            .arg(at.join("influx.sqlite"))
            .arg("--engine-path")
            .arg(at.join("engine"));
        let mut process = Process::start(&mut command, &at.join("log"));
        process.listening(self.port).await;
        self.process = Some(process);
        wait::until_async("InfluxDB is healthy", Duration::from_mins(1), async || {
            let answer = self.http.get(self.at("/health")).send().await;
            answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
        })
        .await;
    }

    /// Ends it as an operator would; the data stay.
    pub async fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.terminate();
            process.ended(Duration::from_secs(30)).await;
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The `[store]` part of the daemon's settings that writes here.
    pub fn settings(&self) -> String {
        format!(
            "[store]\nkind = \"influx\"\n[store.influx]\nurl = \"{}\"\norg = \"{ORG}\"\n\
             bucket = \"{BUCKET}\"\ntoken = \"{TOKEN}\"\n",
            self.url()
        )
    }

    /// Asks in Flux; all tables of the answer, one row after the other.
    pub async fn query(&self, flux: &str) -> Vec<Row> {
        let answer = self
            .http
            .post(self.at(&format!("/api/v2/query?org={ORG}")))
            .header("Authorization", format!("Token {TOKEN}"))
            .header("Content-Type", "application/vnd.flux")
            .header("Accept", "application/csv")
            .body(flux.to_owned())
            .send()
            .await
            .expect("InfluxDB answers a query");
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "InfluxDB refused the query: {status} {text}\n{flux}");
        rows(&text)
    }

    /// How many values `field` of `measurement` has in all, over every device.
    pub async fn count(&self, measurement: &str, field: &str) -> u64 {
        self.folded(measurement, field, "count() |> group() |> sum()").await
    }

    /// The sum of all values of `field`, which are whole numbers.
    pub async fn sum(&self, measurement: &str, field: &str) -> u64 {
        let whole = "toInt() |> sum() |> group() |> sum()";
        self.folded(measurement, field, whole).await
    }

    async fn folded(&self, measurement: &str, field: &str, fold: &str) -> u64 {
        let flux = format!(
            r#"from(bucket: "{BUCKET}") |> range(start: 1970-01-01T00:00:00Z, stop: 2200-01-01T00:00:00Z)
               |> filter(fn: (r) => r._measurement == "{measurement}" and r._field == "{field}")
               |> {fold}"#
        );
        self.query(&flux).await.first().map_or(0, |row| row["_value"].parse().unwrap())
    }

    /// Writes a line as somebody else would; its time is in ms.
    pub async fn write(&self, line: &str) {
        let path = format!("/api/v2/write?org={ORG}&bucket={BUCKET}&precision=ms");
        let answer = self.asked(self.http.post(self.at(&path)).body(line.to_owned())).await;
        assert_eq!(answer.0, StatusCode::NO_CONTENT, "{}", answer.1);
    }

    pub async fn create_bucket(&self, name: &str) {
        let organisations = self.asked(self.http.get(self.at("/api/v2/orgs"))).await.1;
        let organisations: serde_json::Value = serde_json::from_str(&organisations).unwrap();
        let body = json!({"orgID": organisations["orgs"][0]["id"], "name": name});
        let request = self.http.post(self.at("/api/v2/buckets")).body(body.to_string());
        let answer = self.asked(request).await;
        assert_eq!(answer.0, StatusCode::CREATED, "{}", answer.1);
    }

    pub async fn drop_bucket(&self, name: &str) {
        let path = format!("/api/v2/buckets?name={name}");
        let buckets = self.asked(self.http.get(self.at(&path))).await.1;
        let buckets: serde_json::Value = serde_json::from_str(&buckets).unwrap();
        let id = buckets["buckets"][0]["id"].as_str().unwrap();
        let path = format!("/api/v2/buckets/{id}");
        let answer = self.asked(self.http.delete(self.at(&path))).await;
        assert_eq!(answer.0, StatusCode::NO_CONTENT, "{}", answer.1);
    }

    async fn asked(&self, request: reqwest::RequestBuilder) -> (StatusCode, String) {
        let answer = request.header("Authorization", format!("Token {TOKEN}")).send().await;
        let answer = answer.expect("InfluxDB answers");
        (answer.status(), answer.text().await.unwrap())
    }

    async fn set_up(&self) {
        let body = json!({
            "username": "tests", "password": "only-for-tests", "org": ORG, "bucket": BUCKET, "token": TOKEN,
        });
        let answer = self
            .http
            .post(self.at("/api/v2/setup"))
            .header("Content-Type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .expect("InfluxDB answers the set-up");
        assert_eq!(answer.status(), StatusCode::CREATED, "{}", answer.text().await.unwrap());
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url())
    }
}

fn program() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"),
        PathBuf::from,
    );
    let named = std::env::var_os("WAYSTATION_INFLUXD").map(PathBuf::from);
    let installed = on_path("influxd").into_iter().filter(is_recent);
    let cached = cache.join("waystation-tests/influxd-2.9.1/influxd");
    find("influxd 2.7 or later", named.into_iter().chain(installed).chain([cached]))
}

/// `influxd version` says `InfluxDB v2.7.1 (git: …)`.
fn is_recent(program: &PathBuf) -> bool {
    let Ok(output) = Command::new(program).arg("version").output() else { return false };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version =
        text.split_whitespace().find_map(|word| word.trim_start_matches('v').strip_prefix("2."));
    let minor = version.and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    minor.is_some_and(|minor| minor >= 7)
}

/// Reads CSV as InfluxDB writes it: tables parted by empty lines, each with its own heading.
fn rows(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut heading: Option<Vec<String>> = None;
    for line in text.lines() {
        match &heading {
            _ if line.is_empty() => heading = None,
            None => heading = Some(cells(line)),
            Some(names) => rows.push(names.iter().cloned().zip(cells(line)).collect()),
        }
    }
    rows
}

fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            letter => cells.last_mut().unwrap().push(letter),
        }
    }
    cells
}
