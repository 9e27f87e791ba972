//! Fault 10: a second daemon on the same data directory.

use std::{fs, process::Command, time::Duration};

use crate::{
    support::{
        daemon::Daemon,
        publisher::{Plan, Publisher},
        wait,
    },
    town::{message, now_ms, stations, stored},
};

const SETTINGS: &str = "[listen]\nmqtt = \"127.0.0.1:0\"\n[web]\nlisten = \"127.0.0.1:0\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_is_refused_by_name_and_does_the_first_no_harm() {
    let mut first = Daemon::start(SETTINGS, &stations()).await;
    let plan = Plan { rate: 500, ..Plan::new(first.mqtt(), "publisher") };
    let publisher = Publisher::start(plan, message(now_ms()));
    wait::until("the first is at work", Duration::from_secs(20), || {
        publisher.acknowledged_count() > 100
    })
    .await;
    let addresses = fs::read(first.data_dir().join("addresses.json")).unwrap();

    let second = Command::new(env!("CARGO_BIN_EXE_waystation"))
        .args(["run", "--config"])
        .arg(first.config_dir())
        .output()
        .unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let holder = format!("(process {})", first.process().id());
    assert!(said.contains(&holder), "{holder} is not in: {said}");
    assert!(said.contains(first.data_dir().to_str().unwrap()), "{said}");

    let before = publisher.acknowledged_count();
    wait::until("the first goes on", Duration::from_secs(20), || {
        publisher.acknowledged_count() > before + 500
    })
    .await;
    assert_eq!(first.get("/readyz").await.0, 200);
    assert_eq!(fs::read(first.data_dir().join("addresses.json")).unwrap(), addresses);
    let acknowledged = publisher.stop().await;
    wait::until_async("everything is stored", Duration::from_secs(20), async || {
        let stored = stored(&first).await;
        acknowledged.iter().all(|number| stored.get(number) == Some(&1))
    })
    .await;
    let status = first.stop(Duration::from_secs(10)).await;
    assert!(status.success(), "{status}:\n{}", first.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_is_free_again_the_moment_its_daemon_was_killed() {
    let mut daemon = Daemon::start(SETTINGS, &stations()).await;
    let first = daemon.process().id();
    daemon.kill();
    let signed = fs::read_to_string(daemon.data_dir().join("lock")).unwrap();
    assert_eq!(signed, first.to_string(), "its name is still in the lock");
    daemon.start_again().await;
    assert_eq!(daemon.get("/healthz").await.0, 200);
}
