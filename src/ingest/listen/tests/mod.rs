//! Over real TCP: a scripted device that says exactly what it should, and rumqttc's client.

mod device;
mod rig;

use rumqttc::{
    AsyncClient, Event, Incoming, MqttOptions,
    mqttbytes::v4::{
        Connect, ConnectReturnCode, Login, Packet, Subscribe, SubscribeReasonCode, Unsubscribe,
    },
};

use super::*;
use crate::journal::Condition;
use device::{Device, TELEMETRY, publish};
use rig::{Rig, SECOND};

#[tokio::test]
async fn a_message_is_acknowledged_only_once_it_is_on_disk() {
    let rig = Rig::start();
    rig.disk.hold();
    let mut device = Device::connected(&rig, "p/s/x").await;
    device.send(&publish(TELEMETRY, 1, 7, b"{}")).await;
    device.send(&Packet::PingReq).await;
    assert_eq!(device.next().await, Some(Packet::PingResp), "the PUBACK is not ahead of it");
    rig.disk.release();
    assert_eq!(device.puback().await, 7);
    let kept = rig.disk.kept();
    assert_eq!(kept.len(), 1);
    let it = &kept[0];
    assert_eq!(
        (it.topic.as_str(), it.sender.as_str(), it.payload.as_slice()),
        (TELEMETRY, "p/s/x", &b"{}"[..])
    );
    assert!(!it.retained);
    rig.end().await;
}

#[tokio::test]
async fn rumqttcs_client_gets_every_acknowledgement_in_order() {
    let rig = Rig::start();
    let mut options = MqttOptions::new("p.s.x", "127.0.0.1", rig.address.port());
    options.set_keep_alive(Duration::from_secs(5));
    let (client, mut events) = AsyncClient::new(options, 600);
    for number in 0..500 {
        client.publish(TELEMETRY, QoS::AtLeastOnce, false, format!("{number}")).await.unwrap();
    }
    let mut acknowledged = 0;
    while acknowledged < 500 {
        if let Event::Incoming(Incoming::PubAck(_)) = rig::soon(events.poll()).await.unwrap() {
            acknowledged += 1;
        }
    }
    let payloads: Vec<_> = rig.disk.kept().into_iter().map(|it| it.payload).collect();
    let expected: Vec<_> = (0..500).map(|number| format!("{number}").into_bytes()).collect();
    assert_eq!(payloads, expected);
    rig.end().await;
}

#[tokio::test]
async fn a_second_connection_takes_over_the_first_and_its_will_comes_before_what_the_second_says() {
    let rig = Rig::start();
    let mut first = Device::open(&rig).await;
    first.greet(device::with_will("p/s/x")).await;
    let mut second = Device::connected(&rig, "p/s/x").await;
    second.send(&publish(TELEMETRY, 1, 1, b"second")).await;
    second.puback().await;
    assert_eq!(first.next().await, None, "closed");
    assert_eq!(rig.disk.payloads(), ["lost", "second"]);
    rig.end().await;
}

#[tokio::test]
async fn a_will_is_published_when_a_device_is_lost_but_not_when_it_says_goodbye_or_we_stop() {
    let rig = Rig::start();
    for polite in [true, false] {
        let mut device = Device::open(&rig).await;
        device.greet(device::with_will("p/s/x")).await;
        if polite {
            device.send(&Packet::Disconnect).await;
            assert_eq!(device.next().await, None);
        }
    }
    rig.until(|disk| disk.payloads() == ["lost"]).await;
    let mut stays = Device::open(&rig).await;
    stays.greet(device::with_will("p/s/y")).await;
    let disk = rig.disk.clone();
    rig.end().await;
    assert_eq!(disk.payloads(), ["lost"]);
    assert_eq!(disk.kept()[0].topic, "waystation/v1/p/s/x/status");
    assert_eq!(disk.kept()[0].sender, "p/s/x");
}

#[tokio::test]
async fn a_bad_password_and_no_password_get_their_codes_and_the_door() {
    let rig = Rig::with(|setup| setup.users = Some(("p/s/x", "secret")));
    let login = |user: &str, password: &str| Some(Login::new(user, password));
    for (login, code) in [
        (login("p/s/x", "wrong"), ConnectReturnCode::BadUserNamePassword),
        (login("who", "secret"), ConnectReturnCode::BadUserNamePassword),
        (None, ConnectReturnCode::NotAuthorized),
    ] {
        let mut device = Device::open(&rig).await;
        let answer = device.connect(Connect { login, ..Connect::new("id") }).await;
        assert_eq!(answer, Some(code));
        assert_eq!(device.next().await, None);
    }
    let mut device = Device::open(&rig).await;
    let connect = Connect { login: login("p/s/x", "secret"), ..Connect::new("id") };
    assert_eq!(device.connect(connect).await, Some(ConnectReturnCode::Success));
    let page = rig.counters.render().unwrap();
    assert!(page.contains(r#"connections_refused_total{reason="credentials"} 2"#), "{page}");
    rig.end().await;
}

#[tokio::test]
async fn other_versions_of_the_protocol_are_told_so() {
    let rig = Rig::start();
    let v5 = b"\x10\x0f\0\x04MQTT\x05\x02\0\x0a\0\0\x02ab";
    let v3 = b"\x10\x0e\0\x06MQIsdp\x03\x02\0\x0a\0\0";
    for bytes in [&v5[..], v3] {
        let mut device = Device::open(&rig).await;
        device.raw(bytes).await;
        assert_eq!(device.code().await, Some(ConnectReturnCode::RefusedProtocolVersion));
        assert_eq!(device.next().await, None);
    }
    let mut device = Device::open(&rig).await;
    device.raw(b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(device.next().await, None);
    rig.end().await;
}

#[tokio::test]
async fn a_device_may_subscribe_to_its_own_downward_topics_and_to_no_others() {
    let rig = Rig::start();
    let mut device = Device::connected(&rig, "p/s/x").await;
    let topics = ["p/s/x/command", "p/s/y/command", "p/s/x/telemetry", "p/s/x/#", "#"];
    let filters = topics.map(|topic| rumqttc::SubscribeFilter {
        path: format!("waystation/v1/{topic}"),
        qos: QoS::ExactlyOnce,
    });
    device.send(&Packet::Subscribe(Subscribe { pkid: 3, filters: filters.to_vec() })).await;
    let Some(Packet::SubAck(suback)) = device.next().await else { panic!() };
    let (granted, refused) =
        (SubscribeReasonCode::Success(QoS::AtLeastOnce), SubscribeReasonCode::Failure);
    assert_eq!(suback.return_codes, [granted, refused, refused, granted, refused]);

    rig.downward.publish("waystation/v1/p/s/y/command", "not for you", false, QoS::AtLeastOnce);
    rig.downward.publish("waystation/v1/p/s/x/command", "open", false, QoS::AtLeastOnce);
    let Some(Packet::Publish(down)) = device.next().await else { panic!() };
    assert_eq!((&down.topic[..], &down.payload[..]), ("waystation/v1/p/s/x/command", &b"open"[..]));
    assert_eq!((down.qos, down.pkid), (QoS::AtLeastOnce, 1));

    for topic in ["p/s/x/command", "p/s/x/#"] {
        device.send(&Packet::Unsubscribe(Unsubscribe::new(format!("waystation/v1/{topic}")))).await;
        assert!(matches!(device.next().await, Some(Packet::UnsubAck(_))));
    }
    rig.downward.publish("waystation/v1/p/s/x/command", "again", false, QoS::AtLeastOnce);
    device.send(&Packet::PingReq).await;
    assert_eq!(device.next().await, Some(Packet::PingResp));
    rig.end().await;
}

#[tokio::test]
async fn what_the_protocol_forbids_is_kept_and_ends_the_connection_after_what_came_before() {
    let malformed = b"\x32\x0b\0\x05a/+/b\0\x08{}".as_slice();
    let qos_2 = b"\x34\x09\0\x03a/b\0\x08{}".as_slice();
    for (bytes, kept, acknowledged) in [(malformed, 2, 2), (qos_2, 1, 1)] {
        let rig = Rig::start();
        let mut device = Device::connected(&rig, "p/s/x").await;
        let mut both = device::bytes(&publish(TELEMETRY, 1, 7, b"good"));
        both.extend_from_slice(bytes);
        device.raw(&both).await;
        for _ in 0..acknowledged {
            device.puback().await;
        }
        assert_eq!(device.next().await, None, "closed");
        assert_eq!(rig.disk.kept().len(), kept);
        rig.end().await;
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_acknowledged_and_the_next_is_intact() {
    let rig = Rig::start();
    let mut device = Device::connected(&rig, "p/s/x").await;
    device.send(&publish(TELEMETRY, 1, 1, &vec![b'x'; 1 << 20])).await;
    device.send(&publish(TELEMETRY, 1, 2, b"next")).await;
    assert_eq!((device.puback().await, device.puback().await), (1, 2));
    let kept = rig.disk.kept();
    assert_eq!(kept[0].condition, Condition::Oversized { size: 1 << 20 });
    assert_eq!((kept[0].payload.len(), kept[1].payload.as_slice()), (256, &b"next"[..]));
    rig.end().await;
}

#[tokio::test]
async fn a_device_that_floods_is_held_to_its_budget_and_another_is_not_touched() {
    let rig = Rig::with(|setup| setup.burst = 100);
    let mut flood = Device::connected(&rig, "p/s/x").await;
    let mut other = Device::connected(&rig, "p/s/y").await;
    let stream: Vec<_> =
        (1..=5000).flat_map(|id| device::bytes(&publish(TELEMETRY, 1, id, b"{}"))).collect();
    let ((), ()) = tokio::join!(flood.raw(&stream), async {
        other.send(&publish("waystation/v1/p/s/y/event", 1, 9, b"sos")).await;
        assert_eq!(other.puback().await, 9);
    });
    for id in 1..=5000 {
        assert_eq!(flood.puback().await, id, "all are acknowledged, in order");
    }
    let kept = rig.disk.kept();
    let of_flood = |condition| {
        kept.iter().filter(|it| it.topic == TELEMETRY && it.condition == condition).count()
    };
    assert_eq!(of_flood(Condition::Whole), 100);
    assert_eq!(of_flood(Condition::OverBudget { dropped: 1 }), 1, "shown, once a second");
    let page = rig.counters.render().unwrap();
    assert!(page.contains(r#"rejections_total{code="over_budget"} 4900"#), "{page}");
    assert!(page.contains(r#"messages_received_total{source="listen"} 5001"#), "{page}");
    assert!(page.contains(r#"messages_acknowledged_total{source="listen"} 5001"#), "{page}");
    rig.end().await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_dropped_and_holds_little() {
    let rig = Rig::with(|setup| {
        setup.patience.stuck = SECOND / 5;
        setup.patience.round = SECOND / 20;
        setup.send_buffer = Some(4096);
    });
    let mut device = Device::connected(&rig, "p/s/x").await;
    let stream = device::bytes(&publish(TELEMETRY, 1, 7, b"{}")).repeat(10_000);
    let flood = async { while device.try_raw(&stream).await.is_ok() {} };
    rig::soon(flood).await;
    rig.until(|_| rig.counters.render().unwrap().contains(r#"ended_total{reason="stuck"} 1"#))
        .await;
    rig.end().await;
}

#[tokio::test]
async fn while_the_disk_takes_nothing_memory_is_bounded_and_nobody_is_taken_for_silent() {
    let rig = Rig::with(|setup| {
        setup.max_in_flight = 256 << 10;
        setup.patience.round = SECOND / 20;
    });
    rig.disk.hold();
    let mut device = Device::open(&rig).await;
    device.greet(Connect { keep_alive: 1, ..Connect::new("p/s/x") }).await;
    let stream = device::bytes(&publish(TELEMETRY, 1, 7, &[b'x'; 1000])).repeat(20_000);
    {
        let flood = device.raw(&stream);
        tokio::pin!(flood);
        let pushed = timeout(2 * SECOND, &mut flood).await;
        assert!(pushed.is_err(), "20 MB went in while the disk took nothing");
        rig.disk.release();
        rig::soon(flood).await;
    }
    device.puback().await;
    assert!(rig.disk.largest() < 1 << 20, "{}", rig.disk.largest());
    rig.end().await;
}

#[tokio::test]
async fn packets_that_do_not_come_whole_hold_a_bounded_memory_and_a_bounded_time() {
    let rig = Rig::with(|setup| {
        setup.max_in_flight = 64 << 10;
        setup.patience.unfinished = SECOND;
        setup.patience.round = SECOND / 20;
    });
    let whole = device::bytes(&publish(TELEMETRY, 1, 7, &vec![b'x'; 24 << 10]));
    let (most, rest) = whole.split_at(20 << 10);
    let mut begun = Vec::new();
    for number in 0..3 {
        let mut device = Device::connected(&rig, &format!("p/s/{number}")).await;
        device.raw(most).await;
        begun.push(device);
    }
    for mut device in begun {
        assert_eq!(device.next().await, None, "none of them ends its packet");
    }
    let ended = |reason: &str| {
        let name = format!(r#"waystation_connections_ended_total{{reason="{reason}"}} "#);
        let page = rig.counters.render().unwrap();
        let figure = page.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok());
        figure.unwrap_or(0_u32)
    };
    rig.until(|_| ended("crowded") + ended("unfinished") == 3).await;
    assert!(ended("crowded") >= 1, "there is room for two of them at most");
    assert!(ended("unfinished") >= 1, "there is room for one of them");
    let mut after = Device::connected(&rig, "p/s/x").await;
    after.raw(most).await;
    after.raw(rest).await;
    assert_eq!(after.puback().await, 7, "their memory was given back");
    rig.end().await;
}

#[tokio::test]
async fn a_silent_client_is_given_up_after_one_and_a_half_times_its_keep_alive() {
    let rig = Rig::start();
    let mut device = Device::open(&rig).await;
    device.greet(Connect { keep_alive: 1, ..device::with_will("p/s/x") }).await;
    let start = tokio::time::Instant::now();
    assert_eq!(device.next().await, None);
    assert!(start.elapsed() >= SECOND * 14 / 10, "{:?}", start.elapsed());
    rig.until(|disk| disk.payloads() == ["lost"]).await;
    rig.end().await;
}

#[tokio::test]
async fn who_says_nothing_and_who_is_too_many_are_shown_the_door() {
    let rig = Rig::with(|setup| {
        setup.patience.greeting = SECOND / 5;
        setup.max_connections = 1;
    });
    let mut slow = Device::open(&rig).await;
    slow.raw(b"\x10").await;
    let mut surplus = Device::open(&rig).await;
    assert_eq!(surplus.next().await, None);
    assert_eq!(slow.next().await, None);
    let page = rig.counters.render().unwrap();
    for reason in ["full", "slow"] {
        assert!(page.contains(&format!(r#"refused_total{{reason="{reason}"}} 1"#)), "{page}");
    }
    rig.end().await;
}

#[tokio::test]
async fn stopping_acknowledges_what_is_on_its_way_to_the_disk() {
    let mut rig = Rig::start();
    rig.disk.hold();
    let mut device = Device::connected(&rig, "p/s/x").await;
    device.send(&publish(TELEMETRY, 1, 7, b"{}")).await;
    rig.until(|disk| disk.asked() == 1).await;
    rig.stop.cancel();
    rig.until_refused().await;
    rig.disk.release();
    assert_eq!(device.puback().await, 7);
    assert_eq!(device.next().await, None);
    rig.end().await;
}
