//! Fault 4, what a real InfluxDB cannot be made to answer to lines of ours: a scripted one.

use std::{fs, time::Duration};

use super::{
    fake::{Fake, Mood},
    is_ready, messages, publish, says, settings,
};
use crate::{
    support::{daemon::Daemon, free_port, wait},
    town::stations,
};

const COUNT: u64 = 400;
const SOON: Duration = Duration::from_secs(30);

async fn arrived(fake: &Fake, count: u64) {
    let count = usize::try_from(count).unwrap();
    wait::until(&format!("{count} readings arrive"), SOON, || fake.readings() >= count).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_poisoned_line_is_set_aside_alone_and_the_rest_arrives() {
    let (port, influx) = (free_port(), free_port());
    let fake = Fake::start(influx, Mood::Chokes("items_out_total=123.0")).await;
    let daemon = Daemon::start(&settings(port, &Fake::settings(influx)), &stations()).await;
    publish(port, &messages(COUNT), 0, COUNT).await;
    arrived(&fake, COUNT - 1).await;
    wait::until_async("it is counted", SOON, async || {
        daemon.figure("waystation_store_refused_readings_total").await > 0.5
    })
    .await;
    assert_eq!(fake.readings(), usize::try_from(COUNT - 1).unwrap());
    assert!(!fake.has("items_out_total=123.0"));
    assert!((daemon.figure("waystation_store_refused_readings_total").await - 1.0).abs() < 0.1);
    let aside = fs::read_to_string(daemon.data_dir().join("refused-lines.txt")).unwrap();
    let lines: Vec<&str> = aside.lines().collect();
    assert_eq!(lines.len(), 2, "{aside}");
    assert!(lines[0].starts_with("# unable to parse"), "{aside}");
    assert!(lines[1].contains("device=fridge-3 ") && lines[1].contains("=123.0"), "{aside}");
    assert!(daemon.log().contains("set aside in refused-lines.txt: unable to parse"));
    is_ready(&daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_too_large_is_sent_in_pieces() {
    let (port, influx) = (free_port(), free_port());
    let fake = Fake::start(influx, Mood::Swallows(2000)).await;
    let daemon = Daemon::start(&settings(port, &Fake::settings(influx)), &stations()).await;
    publish(port, &messages(COUNT), 0, COUNT).await;
    arrived(&fake, COUNT).await;
    assert!(daemon.figure("waystation_store_refused_readings_total").await < 0.5);
}

/// Each trouble in turn, on one daemon: nothing is written, nothing is passed in the journal, it is
/// said in words; and when it is over, everything arrives.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_and_no_kind_of_refusal_loses_a_reading() {
    let (port, influx) = (free_port(), free_port());
    let daemon = Daemon::start(&settings(port, &Fake::settings(influx)), &stations()).await;
    let messages = messages(COUNT * 10);
    publish(port, &messages, 0, COUNT).await;
    says(&daemon, "refused").await;
    waits_in_the_journal(&daemon).await;
    let fake = Fake::start(influx, Mood::Fine).await;
    arrived(&fake, COUNT).await;
    is_ready(&daemon).await;
    let moods = [
        (Mood::Answers(503, "starting"), "it answers 503 (starting); readings wait in the journal"),
        (Mood::Answers(500, "panic"), "it answers 500 (panic)"),
        (Mood::Answers(400, "nginx"), "is store.influx.url its address?"),
        (Mood::Answers(200, "hello"), "it answers 200, as no InfluxDB 2 does"),
        (Mood::Answers(401, "unauthorized"), "it refuses the token (unauthorized)"),
        (Mood::Busy, "it takes no more for now (429)"),
        (Mood::HalfABody, "InfluxDB at http://127.0.0.1"),
        (Mood::Silent, "timed out"),
    ];
    let mut count = COUNT;
    for (mood, words) in moods {
        fake.set(mood);
        publish(port, &messages, count, count + COUNT).await;
        says(&daemon, words).await;
        assert_eq!(fake.readings(), usize::try_from(count).unwrap(), "{mood:?}");
        waits_in_the_journal(&daemon).await;
        fake.set(Mood::Fine);
        count += COUNT;
        arrived(&fake, count).await;
        is_ready(&daemon).await;
    }
    assert_eq!(fake.readings(), usize::try_from(count).unwrap());
    assert!(!daemon.data_dir().join("refused-lines.txt").exists());
}

/// A kill now would lose nothing: the reader has not passed what InfluxDB has not.
async fn waits_in_the_journal(daemon: &Daemon) {
    let figure = r#"waystation_reader_behind_messages{reader="store"}"#;
    wait::until_async("the store is behind", SOON, async || daemon.figure(figure).await > 0.5)
        .await;
}
