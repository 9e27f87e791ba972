//! A real headless Chromium, driven through chromedriver's plain HTTP.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    process::{Process, find, on_path},
    wait,
};

/// One browser with one page; gone when dropped.
#[derive(Debug)]
pub struct Browser {
    _driver: Process,
    _profile: TempDir,
    http: reqwest::Client,
    address: String,
    session: String,
}

impl Browser {
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let chromium = find("chromium", on_path("chromium"));
        let mut command = Command::new(find("chromedriver", on_path("chromedriver")));
        let mut driver =
            Process::start(command.arg("--port=0"), &profile.path().join("chromedriver.log"));
        let address = format!("127.0.0.1:{}", port(&mut driver).await);
        let http = reqwest::Client::builder().timeout(Duration::from_secs(90)).build().unwrap();
        let data = profile.path().join("profile");
        let options = json!({
            "binary": chromium,
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--lang=en-US", "--window-size=1280,900",
                format!("--user-data-dir={}", data.display()),
            ],
            "prefs": { "intl.accept_languages": "en-US" },
        });
        let capabilities =
            json!({ "alwaysMatch": { "browserName": "chrome", "goog:chromeOptions": options } });
        let mut browser =
            Self { _driver: driver, _profile: profile, http, address, session: String::new() };
        let made = browser.post("/session", &json!({ "capabilities": capabilities })).await;
        browser.session = format!("/session/{}", made["sessionId"].as_str().unwrap());
        browser
    }

    pub async fn open(&self, url: &str) {
        self.post(&format!("{}/url", self.session), &json!({ "url": url })).await;
    }

    /// What `script` returns in the page.
    pub async fn run(&self, script: &str) -> Value {
        let path = format!("{}/execute/sync", self.session);
        self.post(&path, &json!({ "script": script, "args": [] })).await
    }

    /// A command of the `DevTools` protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let path = format!("{}/goog/cdp/execute", self.session);
        self.post(&path, &json!({ "cmd": command, "params": parameters })).await
    }

    /// Clicks what `selector` names first, as a finger would.
    pub async fn click(&self, selector: &str) {
        let by = json!({ "using": "css selector", "value": selector });
        let found = self.post(&format!("{}/element", self.session), &by).await;
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        self.post(&format!("{}/element/{id}/click", self.session), &json!({})).await;
    }

    /// The text a person sees in what `selector` names first.
    pub async fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector({selector:?})?.innerText ?? ''");
        self.run(&script).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until `selector` shows `words`.
    pub async fn shows(&self, selector: &str, words: &str) {
        let what = format!("{words:?} in {selector}");
        wait::until_async(&what, Duration::from_secs(30), async || {
            self.text(selector).await.contains(words)
        })
        .await;
    }

    /// Waits until `selector` no longer shows `words`.
    pub async fn forgets(&self, selector: &str, words: &str) {
        let what = format!("{selector} without {words:?}");
        wait::until_async(&what, Duration::from_secs(30), async || {
            !self.text(selector).await.contains(words)
        })
        .await;
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("http://{}{path}", self.address);
        let answer = self.http.post(url).body(body.to_string()).send().await.unwrap();
        let status = answer.status();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert!(status.is_success(), "{path}: {body}");
        body["value"].clone()
    }
}

/// Chromium would outlive its driver: it must be asked to go.
impl Drop for Browser {
    fn drop(&mut self) {
        let Ok(mut driver) = TcpStream::connect(&self.address) else { return };
        driver.set_read_timeout(Some(Duration::from_secs(10))).ok();
        let request = format!(
            "DELETE {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            self.session, self.address
        );
        driver.write_all(request.as_bytes()).ok();
        driver.read_to_end(&mut Vec::new()).ok();
    }
}

/// The port chromedriver chose, from what it says.
async fn port(driver: &mut Process) -> u16 {
    let said = |log: String| -> Option<u16> {
        let (_, after) = log.split_once("successfully on port ")?;
        after.split('.').next()?.trim().parse().ok()
    };
    wait::until("chromedriver names its port", Duration::from_secs(30), || {
        assert!(driver.exited().is_none(), "chromedriver ended:\n{}", driver.log());
        said(driver.log()).is_some()
    })
    .await;
    said(driver.log()).unwrap()
}
