//! The harness itself: a test that leans on a broken one proves nothing.

mod support;

use std::{sync::Arc, time::Duration};

use support::{
    influx::Influx,
    mosquitto::{Mosquitto, Options},
    proxy::{Direction, Proxy},
    publisher::{Plan, Publisher},
    wait,
};

fn fridge(number: u64) -> (String, Vec<u8>) {
    (
        format!("waystation/v1/d/s/x-{}/telemetry", number % 7),
        format!("{{\"seq\":{number}}}").into(),
    )
}

#[tokio::test]
async fn a_publisher_knows_what_was_acknowledged_across_a_cut_and_a_killed_broker() {
    let mut broker = Mosquitto::start().await;
    let proxy = Proxy::start(broker.port()).await;
    let plan = Plan { rate: 2000, ..Plan::new(format!("127.0.0.1:{}", proxy.port()), "publisher") };
    let mut publisher = Publisher::start(Plan { count: 1500, ..plan }, Arc::new(fridge));
    wait::until("100 acknowledged", Duration::from_secs(10), || {
        publisher.acknowledged_count() >= 100
    })
    .await;
    proxy.cut_after(Direction::ToServer, 333);
    wait::until("the cut", Duration::from_secs(10), || proxy.has_cut(Direction::ToServer)).await;
    broker.restart().await;
    publisher.finished(Duration::from_secs(20)).await;
    assert_eq!(publisher.acknowledged(), (0..1500).collect());
    assert!(proxy.connections() >= 2, "{} connections", proxy.connections());
}

#[tokio::test]
async fn a_broker_with_users_refuses_a_stranger() {
    let users = vec![("device", "right")];
    let broker = Mosquitto::with(Options { users, ..Options::default() }).await;
    let address = format!("127.0.0.1:{}", broker.port());
    let known = Plan {
        count: 3,
        login: Some(("device".to_owned(), "right".to_owned())),
        ..Plan::new(&address, "known")
    };
    let mut known = Publisher::start(known, Arc::new(fridge));
    known.finished(Duration::from_secs(10)).await;
    let stranger = Publisher::start(Plan::new(&address, "stranger"), Arc::new(fridge));
    wait::until("the refusal", Duration::from_secs(10), || broker.log().contains("not authorised"))
        .await;
    assert_eq!(stranger.stop().await.len(), 0);
}

#[tokio::test]
async fn influx_counts_what_was_written_and_keeps_it_over_a_stop() {
    let mut influx = Influx::start().await;
    let lines = "fridge,device=a temp_c=4.1,door_open=true 1767225600000\n\
                 fridge,device=a temp_c=4.2 1767225601000\n\
                 fridge,device=\"b\\,\\ c\" temp_c=5 1767225600000\n";
    let url = format!(
        "{}/api/v2/write?org={}&bucket={}&precision=ms",
        influx.url(),
        support::influx::ORG,
        support::influx::BUCKET
    );
    let answer = reqwest::Client::new()
        .post(url)
        .header("Authorization", format!("Token {}", support::influx::TOKEN))
        .body(lines)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 204);
    influx.stop().await;
    influx.start_again().await;
    assert_eq!(influx.count("fridge", "temp_c").await, 3);
    assert_eq!(influx.count("fridge", "door_open").await, 1);
    assert_eq!(influx.count("freezer", "temp_c").await, 0);
}
