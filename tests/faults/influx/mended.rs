//! Fault 4 on a real InfluxDB: a type conflict, a wrong token, a bucket that is not there, a wire
//! that is cut in the middle of a request or of an answer.

use std::{fs, sync::Arc, time::Duration};

use super::{all_there, is_ready, messages, publish, says, settings};
use crate::{
    support::{
        daemon::Daemon,
        free_port,
        influx::{BUCKET, Influx, ORG, TOKEN},
        proxy::{Direction, Proxy},
        publisher::Make,
        wait,
    },
    town::{now_ms, stations},
};

const COUNT: u64 = 400;
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn readings_of_a_conflicting_type_are_set_aside_alone_and_the_rest_arrives() {
    let (port, influx) = (free_port(), Influx::start().await);
    let base = now_ms() - 60_000;
    // Somebody else wrote a text where we write numbers: floats are refused in this shard.
    for at in [base, base + 60_000] {
        influx.write(&format!("fridge,device=theirs temp_c=\"warm\" {at}")).await;
    }
    let daemon = Daemon::start(&settings(port, &influx.settings()), &stations()).await;
    publish(port, &every_third_with_a_temperature(base), 0, COUNT).await;
    let bad = (0..COUNT).filter(|n| n % 3 == 0).count();
    wait::until_async("the good ones arrive", SOON, async || {
        influx.count("fridge", "items_out_total").await >= COUNT - u64::try_from(bad).unwrap()
    })
    .await;
    let figure = "waystation_store_refused_readings_total";
    wait::until_async("the bad ones are counted", SOON, async || {
        daemon.figure(figure).await > f64::from(u32::try_from(bad).unwrap()) - 0.5
    })
    .await;
    let expected = COUNT - u64::try_from(bad).unwrap();
    assert_eq!(influx.count("fridge", "items_out_total").await, expected);
    let aside = fs::read_to_string(daemon.data_dir().join("refused-lines.txt")).unwrap();
    let lines: Vec<_> = aside.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.iter().all(|line| line.contains("temp_c=4.0")), "{aside}");
    assert_eq!(lines.len(), bad, "{aside}");
    assert!(aside.contains("field type conflict"), "{aside}");
    assert!(daemon.log().contains("field type conflict"), "{}", daemon.log());
    is_ready(&daemon).await;
}

fn every_third_with_a_temperature(base: i64) -> Make {
    Arc::new(move |n| {
        let at = base + i64::try_from(n).unwrap();
        let temp = if n % 3 == 0 { r#","temp_c":4.0"# } else { "" };
        let payload =
            format!(r#"{{"at":{at},"readings":[{{"dt":0,"items_out_total":{n}{temp}}}]}}"#);
        (format!("waystation/v1/d/s/fridge-{}/telemetry", n % 40), payload.into_bytes())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_said_in_plain_words_and_loses_nothing() {
    let (port, influx) = (free_port(), Influx::start().await);
    let store = format!(
        "[store]\nkind = \"influx\"\n[store.influx]\nurl = \"{}\"\norg = \"{ORG}\"\n\
         bucket = \"{BUCKET}\"\ntoken_file = \"token\"\n",
        influx.url()
    );
    let mut daemon = Daemon::prepare(&settings(port, &store), &stations());
    fs::write(daemon.config_dir().join("token"), "a-wrong-one\n").unwrap();
    daemon.start_again().await;
    publish(port, &messages(COUNT), 0, COUNT).await;
    says(&daemon, "it refuses the token").await;
    says(&daemon, "set store.influx.token or token_file").await;
    fs::write(daemon.config_dir().join("token"), format!("{TOKEN}\n")).unwrap();
    let ended = daemon.stop(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
    daemon.start_again().await;
    all_there(&influx, COUNT, SOON).await;
    is_ready(&daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_made_later_gets_everything() {
    let (port, influx) = (free_port(), Influx::start().await);
    influx.drop_bucket(BUCKET).await;
    let daemon = Daemon::start(&settings(port, &influx.settings()), &stations()).await;
    publish(port, &messages(COUNT), 0, COUNT).await;
    says(&daemon, "it knows no bucket").await;
    says(&daemon, "create it, or mend store.influx.bucket and org").await;
    influx.create_bucket(BUCKET).await;
    all_there(&influx, COUNT, Duration::from_mins(1)).await;
    is_ready(&daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wire_cut_in_the_middle_of_a_request_or_an_answer_loses_nothing_and_doubles_nothing() {
    let (port, influx) = (free_port(), Influx::start().await);
    let proxy = Proxy::start(influx.port()).await;
    let store =
        influx.settings().replace(&influx.url(), &format!("http://127.0.0.1:{}", proxy.port()));
    let daemon = Daemon::start(&settings(port, &store), &stations()).await;
    let messages = messages(COUNT * 4);
    let cuts = [
        (Direction::ToServer, 300),
        (Direction::ToServer, 1500),
        (Direction::ToClient, 1),
        (Direction::ToClient, 30),
    ];
    for (number, (direction, bytes)) in (0..).zip(cuts) {
        proxy.cut_after(direction, bytes);
        publish(port, &messages, number * COUNT, (number + 1) * COUNT).await;
        wait::until("the wire is cut", SOON, || proxy.has_cut(direction)).await;
        all_there(&influx, (number + 1) * COUNT, SOON).await;
    }
    is_ready(&daemon).await;
}
