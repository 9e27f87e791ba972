//! The status page in a real browser, in front of the real program.

#[path = "support/mod.rs"]
mod support;

use std::{sync::Arc, time::Duration};

use serde_json::json;
use support::{
    browser::Browser,
    daemon::Daemon,
    publisher::{Plan, Publisher},
    wait,
};

const SETTINGS: &str = "[listen]\nmqtt = \"127.0.0.1:0\"\n[web]\nlisten = \"127.0.0.1:0\"\n";
const STATIONS: &str = r#"
    [district]
    id = "d"
    name = { en = "District", zh = "区" }
    time_zone = "Asia/Shanghai"
    [[stations]]
    id = "lake"
    name = { en = "Lakeside", zh = "湖畔驿站" }
    opens = "24h"
    devices = [ { id = "fridge-1", profile = "fridge" }, { id = "door-1", profile = "door" }, { id = "aed-1", profile = "aed" } ]
    [[stations]]
    id = "hill"
    name = { en = "Hilltop", zh = "山顶驿站" }
    opens = "24h"
    devices = [ { id = "fridge-1", profile = "fridge" } ]
    [rules.fridge.too_warm]
    for = "0s"
"#;
/// What a hostile device would send: it sets `taken` if any page takes it for markup.
const MARKUP: &str = "<img src=x onerror=window.taken=1>";

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_rejections_appear_by_themselves() {
    let (daemon, browser) = page().await;
    browser.run("window.same = true").await;
    // The machine may have an alert of its own: a disk that is nearly full.
    assert!(!browser.text("#alerts-list").await.contains("Lakeside"));

    publish(&daemon, "lake/fridge-1", r#"{"temp_c": 9.5}"#).await;
    browser.shows("#alerts-list", "Fridge at 9.5 °C").await;
    browser.shows("#alerts-list", "Lakeside").await;
    browser.shows("#stations-list .row:first-child", "Lakeside").await;

    publish(&daemon, "hill/fridge-1", r#"{"temp_c": "warm"}"#).await;
    browser.shows("#rejections-list", "hill/fridge-1").await;
    browser.shows("#rejections-list", "warm").await;
    assert_eq!(browser.run("return window.same").await, true, "it was loaded anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_ends_a_latched_alert_on_the_page() {
    let (daemon, browser) = page().await;
    publish(&daemon, "lake/aed-1", r#"{"cabinet_open": true}"#).await;
    browser.shows("#alerts-list", "possible use").await;
    publish(&daemon, "lake/aed-1", r#"{"cabinet_open": false}"#).await;
    browser.run("window.prompt = () => 'Li'").await;
    browser.click("#alerts-list button[data-key^='care']").await;
    browser.shows("#alerts-list", "Li looks after it").await;
    let known = daemon.get_json("/api/v1/alerts?station=d/lake").await;
    assert_eq!(known[0]["state"], "acknowledged", "{known}");
    browser.click("#alerts-list button[data-key^='confirm']").await;
    browser.forgets("#alerts-list", "possible use").await;
    let all = daemon.get_json("/api/v1/alerts?state=all&station=d/lake").await;
    assert_eq!(all[0]["reason"], json!({ "confirmed": { "by": "Li" } }), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_of_an_open_station_appear_by_themselves() {
    let (daemon, browser) = page().await;
    browser.run("[...document.querySelectorAll('#stations-list button')].find((one) => one.innerText.includes('Hilltop')).click()").await;
    browser.shows("#station-title", "Hilltop").await;
    listens(&browser, 2).await;
    publish(&daemon, "hill/fridge-1", r#"{"temp_c": 4.25}"#).await;
    browser.shows("#station-body", "4.25 °C").await;
    browser.click("#close").await;
    assert_eq!(browser.run("return document.getElementById('station').open").await, false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_devices_send_is_text_and_nothing_else() {
    let (daemon, browser) = page().await;
    publish(&daemon, "lake/fridge-1", &format!(r#"{{"temp_c": "{MARKUP}"}}"#)).await;
    // Text in values is not kept of devices nobody knows; names are.
    publish(&daemon, "lake/nobody", &format!(r#"{{"{MARKUP}": 1}}"#)).await;
    let birth = format!(r#"{{"model": "{MARKUP}", "firmware": "{MARKUP}"}}"#);
    publish_kind(&daemon, "lake/fridge-1", "birth", &birth).await;
    browser.shows("#rejections-list", MARKUP).await;
    browser.shows("#unknown-list", MARKUP).await;
    browser.open(&format!("http://{}/#d/lake", daemon.web())).await;
    browser.shows("#station-body", MARKUP).await;
    assert_eq!(browser.run("return document.images.length").await, 0);
    assert_eq!(browser.run("return window.taken ?? 0").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_speaks_both_languages_and_remembers_which() {
    let (daemon, browser) = page().await;
    publish(&daemon, "lake/fridge-1", r#"{"temp_c": 9.5}"#).await;
    browser.shows("#alerts-list", "Check door").await;
    browser.click("#language").await;
    for (selector, words) in [
        ("#alerts-title", "未关闭告警"),
        ("#alerts-list", "冰箱温度 9.5 °C"),
        ("#alerts-list", "湖畔驿站"),
        ("#stations-list", "山顶驿站"),
    ] {
        browser.shows(selector, words).await;
    }
    assert_eq!(browser.run("return document.documentElement.lang").await, "zh-CN");
    browser.open(&format!("http://{}/", daemon.web())).await;
    browser.shows("#alerts-title", "未关闭告警").await;
    browser.click("#language").await;
    browser.shows("#alerts-title", "Open alerts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wider_than_a_phone() {
    let (daemon, browser) = page().await;
    let long = "x".repeat(300);
    publish(&daemon, "lake/fridge-1", r#"{"temp_c": 9.5}"#).await;
    publish(&daemon, "lake/fridge-1", &format!(r#"{{"temp_c": "{long}"}}"#)).await;
    publish(&daemon, "lake/nobody", &long).await;
    let birth = format!(r#"{{"model": "{}"}}"#, "m".repeat(60));
    publish_kind(&daemon, "lake/fridge-1", "birth", &birth).await;
    let phone = json!({ "width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true });
    browser.devtools("Emulation.setDeviceMetricsOverride", phone).await;
    for path in ["", "#d/lake"] {
        browser.open("about:blank").await;
        browser.open(&format!("http://{}/{path}", daemon.web())).await;
        browser.shows("#alerts-list", "9.5").await;
        browser.shows("#rejections-list", "xxx").await;
        browser.shows("#unknown-list", "xxx").await;
        if !path.is_empty() {
            browser.shows("#station-body", "mmm").await;
        }
        for _language in ["en", "zh"] {
            assert_eq!(browser.run(TOO_WIDE).await, json!([]), "at /{path}");
            browser.run("document.getElementById('language').click()").await;
        }
    }
}

/// What sticks out of the window, by tag and class.
const TOO_WIDE: &str = "
    const limit = innerWidth + 1;
    const wide = [...document.querySelectorAll('body *')].filter((one) =>
        one.getClientRects().length && one.getBoundingClientRect().right > limit);
    const names = wide.map((one) => `${one.tagName}.${one.className}`);
    return document.documentElement.scrollWidth > limit ? ['the page', ...names] : names;";

/// The page with its stations shown; it does not ask by itself any more, only events make it do so.
async fn page() -> (Daemon, Browser) {
    let daemon = Daemon::start(SETTINGS, STATIONS).await;
    let browser = Browser::start().await;
    let script = "
        const setReal = window.setInterval;
        window.setInterval = (what, ms) => (ms < 5000 ? setReal(what, ms) : 0);
        window.EventSource = class extends EventSource {
            constructor(address) {
                super(address);
                this.addEventListener('open', () => { window.listening = (window.listening ?? 0) + 1; });
            }
        };";
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
    browser.open(&format!("http://{}/", daemon.web())).await;
    browser.shows("#stations-list", "Lakeside").await;
    browser.shows("#stations-list", "Hilltop").await;
    listens(&browser, 1).await;
    (daemon, browser)
}

/// Waits until the page hears events, of so many sources: what happened before would not be told.
async fn listens(browser: &Browser, sources: u64) {
    wait::until_async("the page listens to events", Duration::from_secs(30), async || {
        browser.run("return window.listening ?? 0").await.as_u64() >= Some(sources)
    })
    .await;
}

async fn publish(daemon: &Daemon, device: &str, payload: &str) {
    publish_kind(daemon, device, "telemetry", payload).await;
}

async fn publish_kind(daemon: &Daemon, device: &str, kind: &str, payload: &str) {
    let topic = format!("waystation/v1/d/{device}/{kind}");
    let payload = payload.as_bytes().to_vec();
    let plan = Plan { count: 1, ..Plan::new(daemon.mqtt(), "device") };
    let make = Arc::new(move |_| (topic.clone(), payload.clone()));
    Publisher::start(plan, make).finished(Duration::from_secs(20)).await;
}
