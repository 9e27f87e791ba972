//! The echo of a heartbeat, for devices that take us for dead without it.

use crate::{
    decode::{Decoded, Heartbeat},
    device::EchoBody,
    ingest::time,
    reading::Timestamp,
};

/// What goes back, and to which device. A heartbeat so old that the next one must be there by now
/// gets nothing: while we catch up with a backlog, only what still helps is sent.
pub(super) fn echoes(group: &Decoded, now: Timestamp) -> Vec<(String, Vec<u8>)> {
    let echo = |heartbeat: &Heartbeat| {
        let device = group.registry.device(heartbeat.device)?;
        let echo = device.profile.talk.echo?;
        let body = match echo.sends {
            EchoBody::Same => heartbeat.body.to_vec(),
            EchoBody::Time => time(now),
        };
        (now.since(heartbeat.received) < echo.every).then(|| (device.path.to_string(), body))
    };
    group.heartbeats.iter().filter_map(echo).collect()
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc, time::Duration};

    use tokio::time::{Instant, sleep, timeout_at};

    use super::*;
    use crate::{
        decode::Decoder,
        device::{self, Profile},
        journal::{Condition, Message, Messages, Source},
        registry::Registry,
    };

    const MINUTE: Duration = Duration::from_mins(1);

    fn banks() -> Profile {
        let catalog = device::load(None).unwrap();
        Profile::clone(catalog.get("power_banks").unwrap())
    }

    fn decoded(profile: &Arc<Profile>, kind: &str, payload: &[u8], received: Timestamp) -> Decoded {
        let registry = Arc::new(Registry::sample([("d/s/banks-1", profile)]));
        let topic = format!("waystation/v1/d/s/banks-1/{kind}");
        let mut messages = Messages::default();
        messages.push(&Message {
            source: Source::Listen,
            received,
            retained: false,
            condition: Condition::Whole,
            topic: topic.as_bytes(),
            sender: b"",
            payload,
        });
        Decoder::default().decode(1, &messages, &registry).0
    }

    /// A day of a cabinet that says its heartbeat every 9 minutes and restarts when 18 went by without
    /// an echo. We hear a heartbeat `late`; of four, the network loses those marked `x`. How often it
    /// restarted.
    async fn restarts_in_a_day(profile: Profile, late: Duration, network: [char; 4]) -> u32 {
        let profile = Arc::new(profile);
        let start = Instant::now();
        let now = || Timestamp(0) + start.elapsed();
        let (mut restarts, mut echoed) = (0, start);
        for beat in 0..24 * 60 / 9 {
            let next = Instant::now() + 9 * MINUTE;
            let heartbeat = br#"{"state":"online"}"#;
            let group = decoded(&profile, "status", heartbeat, now());
            sleep(late).await;
            let passes = network[beat % 4] != 'x';
            let echo = echoes(&group, now()).into_iter().find(|_| passes);
            if let Some((device, body)) = echo {
                assert_eq!((device.as_str(), body.as_slice()), ("d/s/banks-1", &heartbeat[..]));
                echoed = Instant::now();
            }
            // It waits for its next beat, or loses patience before.
            if timeout_at(echoed + 18 * MINUTE, tokio::time::sleep_until(next)).await.is_err() {
                restarts += 1;
                echoed = Instant::now();
                tokio::time::sleep_until(next).await;
            }
        }
        restarts
    }

    #[tokio::test(start_paused = true)]
    async fn a_cabinet_that_hears_its_echo_never_restarts() {
        assert_eq!(restarts_in_a_day(banks(), Duration::ZERO, ['.'; 4]).await, 0);
        assert_eq!(restarts_in_a_day(banks(), 5 * MINUTE, ['.'; 4]).await, 0);
        assert_eq!(restarts_in_a_day(banks(), Duration::ZERO, ['.', 'x', '.', '.']).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_restarts_again_and_again() {
        let mut mute = banks();
        mute.talk.echo = None;
        assert!(restarts_in_a_day(mute, Duration::ZERO, ['.'; 4]).await > 50);
        assert!(restarts_in_a_day(banks(), Duration::ZERO, ['x'; 4]).await > 50);
    }

    #[test]
    fn only_the_heartbeat_comes_back_and_not_too_late() {
        let profile = Arc::new(banks());
        let echo = |kind: &str, payload: &[u8], now: i64| {
            echoes(&decoded(&profile, kind, payload, Timestamp(0)), Timestamp(now)).len()
        };
        assert_eq!(echo("status", b"{}", 0), 1, "whatever it says");
        assert_eq!(echo("telemetry", br#"{"available":1}"#, 0), 0);
        assert_eq!(echo("status", b"{}", 9 * 60_000), 0, "the next one is there by now");
        assert_eq!(echo("status", &[b' '; 2000], 0), 0, "too long to go back");
    }

    #[test]
    fn the_time_may_come_back_instead() {
        let text = r#"
            id = "x"
            name = { en = "X", zh = "X" }
            facility = "x"
            reports_every = "60s"
            [metrics.temp_c]
            [echo]
            every = "1m"
            heartbeat = "telemetry"
            sends = "time"
        "#;
        let profile = Arc::new(device::parse(Path::new("x.toml"), text).unwrap());
        let group = decoded(&profile, "telemetry", br#"{"temp_c":4}"#, Timestamp(5));
        assert_eq!(
            echoes(&group, Timestamp(7)),
            [("d/s/banks-1".to_owned(), br#"{"now":7}"#.to_vec())]
        );
    }
}
