//! Fault 11: a webhook target that is down, slow, or answers 500, 429 or 410: every notice at least
//! once, never again after it was confirmed, also across a restart of the daemon.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tokio::net::TcpListener;

use crate::{
    support::{
        daemon::Daemon,
        free_port,
        publisher::{Plan, Publisher},
        wait,
    },
    target::{Call, Mood, Target},
    town::{now_ms, stations},
};

const FIRING: &str = "alert.firing";
const RESOLVED: &str = "alert.resolved";
const KEY: &[u8] = b"a key of thirty-two bytes, surely";
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_down_hears_everything_once_whatever_befalls_the_daemon() {
    let port = free_port();
    let mut daemon = daemon(&[&format!("http://127.0.0.1:{port}/hook")]).await;
    say(&daemon, &[("fridge-1", WARM), ("fridge-2", WARM)]).await;
    said_on_readyz(&daemon, &format!("127.0.0.1:{port}")).await;
    daemon.kill();
    daemon.start_again().await;
    say(&daemon, &[("fridge-1", COLD), ("fridge-3", WARM)]).await;
    fires(&daemon, "fridge-3").await;
    assert!(daemon.stop(Duration::from_secs(10)).await.success(), "{}", daemon.log());

    let target = Target::on(listener(port).await, Mood::Fine);
    daemon.start_again().await;
    // Whoever has just taken something gets what waits at once, not when its pause is over.
    say(&daemon, &[("fridge-4", WARM)]).await;
    confirmed(&target, FIRING, 4).await;
    confirmed(&target, RESOLVED, 1).await;
    assert_eq!(daemon.get("/readyz").await.0, 200);

    daemon.kill();
    daemon.start_again().await;
    say(&daemon, &[("fridge-5", WARM)]).await;
    confirmed(&target, FIRING, 5).await;
    all_in_order(&target);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_answers_500_is_asked_again_with_the_same_id() {
    let target = Target::start(Mood::Answers(500)).await;
    let mut daemon = daemon(&[&target.url()]).await;
    say(&daemon, &[("fridge-1", WARM), ("fridge-1", COLD)]).await;
    calls(&target, 2).await;
    daemon.kill();
    daemon.start_again().await;
    calls(&target, 3).await;
    let ids: BTreeSet<String> = target.calls().into_iter().map(|call| call.id).collect();
    assert_eq!(ids.len(), 1, "its end waits for its beginning: {ids:?}");
    said_on_readyz(&daemon, "500").await;
    target.set(Mood::Fine);
    say(&daemon, &[("fridge-2", WARM)]).await;
    confirmed(&target, FIRING, 2).await;
    confirmed(&target, RESOLVED, 1).await;
    all_in_order(&target);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_asks_for_rest_gets_it() {
    let rest = Duration::from_secs(4);
    let target = Target::start(Mood::Busy(rest.as_secs())).await;
    let daemon = daemon(&[&target.url()]).await;
    say(&daemon, &[("fridge-1", WARM)]).await;
    calls(&target, 1).await;
    said_on_readyz(&daemon, "429").await;
    target.set(Mood::Fine);
    // Another notice is no reason to disturb it.
    say(&daemon, &[("fridge-2", WARM)]).await;
    confirmed(&target, FIRING, 2).await;
    let calls = target.calls();
    assert!(calls[1].at - calls[0].at >= rest, "{:?}", calls[1].at - calls[0].at);
    all_in_order(&target);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_target_delays_no_other_and_is_not_forgotten() {
    let slow = Target::start(Mood::Slow(Duration::from_mins(1))).await;
    let fine = Target::start(Mood::Fine).await;
    let mut daemon = daemon(&[&slow.url(), &fine.url()]).await;
    say(&daemon, &[("fridge-1", WARM)]).await;
    calls(&slow, 1).await;
    say(&daemon, &[("fridge-2", WARM), ("fridge-1", COLD)]).await;
    confirmed(&fine, FIRING, 2).await;
    confirmed(&fine, RESOLVED, 1).await;
    assert_eq!(slow.calls().len(), 1, "it is still at the first");

    // The request times out; that the other is well does not hide it.
    said_on_readyz(&daemon, address_of(&slow)).await;
    say(&daemon, &[("fridge-3", WARM)]).await;
    confirmed(&fine, FIRING, 3).await;
    said_on_readyz(&daemon, address_of(&slow)).await;

    let before = slow.calls().len();
    calls(&slow, before + 1).await;
    assert!(daemon.stop(Duration::from_secs(10)).await.success(), "{}", daemon.log());
    slow.set(Mood::Fine);
    daemon.start_again().await;
    say(&daemon, &[("fridge-4", WARM)]).await;
    for target in [&slow, &fine] {
        confirmed(target, FIRING, 4).await;
        confirmed(target, RESOLVED, 1).await;
        all_in_order(target);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_gone_is_left_alone_until_a_restart_and_it_is_said() {
    let gone = Target::start(Mood::Answers(410)).await;
    let fine = Target::start(Mood::Fine).await;
    let mut daemon = daemon(&[&gone.url(), &fine.url()]).await;
    say(&daemon, &[("fridge-1", WARM)]).await;
    said_on_readyz(&daemon, "410").await;
    say(&daemon, &[("fridge-2", WARM), ("fridge-3", WARM)]).await;
    confirmed(&fine, FIRING, 3).await;
    said_on_readyz(&daemon, "410").await;
    assert_eq!(gone.calls().len(), 1);

    gone.set(Mood::Fine);
    daemon.kill();
    daemon.start_again().await;
    confirmed(&gone, FIRING, 3).await;
    wait::until_async("it is well again", SOON, async || daemon.get("/readyz").await.0 == 200)
        .await;
    all_in_order(&gone);
    all_in_order(&fine);
}

const WARM: f64 = 9.5;
const COLD: f64 = 4.0;

async fn daemon(urls: &[&str]) -> Daemon {
    let secret = STANDARD.encode(KEY);
    let webhook =
        |url| format!("[[notify.webhooks]]\nurl = \"{url}\"\nsecret = \"whsec_{secret}\"\n");
    let webhooks: String = urls.iter().map(webhook).collect::<Vec<_>>().concat();
    let settings =
        format!("[listen]\nmqtt = \"127.0.0.1:0\"\n[web]\nlisten = \"127.0.0.1:0\"\n{webhooks}");
    Daemon::start(&settings, &stations()).await
}

/// These fridges have these temperatures, one after the other; returns when all is acknowledged.
async fn say(daemon: &Daemon, temperatures: &[(&'static str, f64)]) {
    let count = u64::try_from(temperatures.len()).unwrap();
    let plan = Plan { count, ..Plan::new(daemon.mqtt(), "fridges") };
    let temperatures = temperatures.to_owned();
    let make = move |n| {
        let (device, temp) = temperatures[usize::try_from(n).unwrap()];
        let payload = format!(r#"{{"temp_c":{temp:.1}}}"#).into_bytes();
        (format!("waystation/v1/d/s/{device}/telemetry"), payload)
    };
    Publisher::start(plan, std::sync::Arc::new(make)).finished(SOON).await;
}

/// A listener at a port that was nobody's until now.
async fn listener(port: u16) -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap()
}

fn address_of(target: &Target) -> String {
    target.url().trim_start_matches("http://").trim_end_matches("/hook").to_owned()
}

async fn fires(daemon: &Daemon, device: &str) {
    wait::until_async(&format!("an alert of {device}"), SOON, async || {
        daemon.get("/api/v1/alerts?state=open").await.1.contains(device)
    })
    .await;
}

/// `/readyz` is 503 and has these words, within the patience of a request and more.
async fn said_on_readyz(daemon: &Daemon, words: impl AsRef<str>) {
    wait::until_async(
        &format!("{:?} on /readyz", words.as_ref()),
        Duration::from_secs(40),
        async || {
            let (status, body) = daemon.get("/readyz").await;
            status == 503 && body.contains(words.as_ref())
        },
    )
    .await;
}

async fn calls(target: &Target, count: usize) {
    let limit = Duration::from_secs(40);
    wait::until(&format!("{count} calls"), limit, || target.calls().len() >= count).await;
}

async fn confirmed(target: &Target, kind: &str, count: usize) {
    let what = format!("{count} of {kind} confirmed by {}", target.url());
    wait::until(&what, SOON, || target.confirmed(kind).len() >= count).await;
}

/// Every call is signed; what was confirmed never came again; no end without or before its beginning.
fn all_in_order(target: &Target) {
    let mut ended = BTreeSet::new();
    let mut begun = BTreeSet::new();
    for call in target.calls() {
        assert!(is_signed(&call), "{call:?}");
        assert!(!ended.contains(&call.id), "came again after it was confirmed: {call:?}");
        let alert = call.json()["alert"]["id"].to_string();
        if call.json()["type"] == RESOLVED {
            assert!(begun.contains(&alert), "an end before its beginning: {call:?}");
        }
        if call.confirmed {
            ended.insert(call.id);
            begun.insert(alert);
        }
    }
}

/// As Standard Webhooks 1.0 want it checked: the signature, and a timestamp of these minutes.
fn is_signed(call: &Call) -> bool {
    let header = |name: &str| call.headers[name].to_str().unwrap().to_owned();
    let timestamp = header("webhook-timestamp");
    let age_ms = now_ms() - timestamp.parse::<i64>().unwrap() * 1000;
    let signature = STANDARD.decode(header("webhook-signature").strip_prefix("v1,").unwrap());
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(format!("{}.{timestamp}.{}", header("webhook-id"), call.body).as_bytes());
    mac.verify_slice(&signature.unwrap()).is_ok() && (0..300_000).contains(&age_ms)
}
