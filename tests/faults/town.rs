//! Stations and messages of the tests: fridges that count, and one that gets warm again and again.

use std::{collections::BTreeMap, time::Duration};

use crate::support::{daemon::Daemon, publisher::Make, wait};

/// Devices of [`STATIONS`].
pub(crate) const DEVICES: u64 = 40;
/// The device that gets warm: `fridge-0`.
pub(crate) const PHASE: u64 = 20;

/// One station with [`DEVICES`] fridges that raise and clear `too_warm` at once.
pub(crate) fn stations() -> String {
    let devices: Vec<String> = (0..DEVICES)
        .map(|number| format!("{{ id = \"fridge-{number}\", profile = \"fridge\" }}"))
        .collect();
    format!(
        r#"
        [district]
        id = "d"
        name = {{ en = "District", zh = "区" }}
        time_zone = "Asia/Shanghai"
        [[stations]]
        id = "s"
        name = {{ en = "Station", zh = "站" }}
        opens = "24h"
        devices = [ {} ]
        [rules.fridge.too_warm]
        for = "0s"
        clear_after = "0s"
        "#,
        devices.join(", ")
    )
}

/// Message `n` of device `n % DEVICES`, made at `base` and half a millisecond a message; its number
/// is in `items_out_total`. `fridge-0` is warm every other [`PHASE`] messages of its own.
pub(crate) fn message(base: i64) -> Make {
    std::sync::Arc::new(move |n| {
        let (device, seq) = (n % DEVICES, n / DEVICES + 1);
        let warm = device == 0 && is_warm(seq);
        let temp = if warm { 9.5 } else { 4.0 };
        let at = base + i64::try_from(n / 2).unwrap();
        let payload = format!(
            r#"{{"boot":1,"seq":{seq},"at":{at},"readings":[{{"dt":0,"temp_c":{temp},"items_out_total":{n}}}]}}"#
        );
        (format!("waystation/v1/d/s/fridge-{device}/telemetry"), payload.into_bytes())
    })
}

fn is_warm(seq: u64) -> bool {
    (seq / PHASE) % 2 == 1
}

/// How often `fridge-0` got warm in its messages up to and with number `last`.
pub(crate) fn warm_phases(last: u64) -> usize {
    let last_seq = last / DEVICES + 1;
    (1..=last_seq).filter(|seq| is_warm(*seq) && !is_warm(seq - 1)).count()
}

/// Whether message `number` of `fridge-0` says that it is warm.
pub(crate) fn is_warm_at(number: u64) -> bool {
    is_warm(number / DEVICES + 1)
}

pub(crate) fn now_ms() -> i64 {
    waystation::clock::Clock::system().now().0
}

/// Every message number in the store, and how often it is there.
pub(crate) async fn stored(daemon: &Daemon) -> BTreeMap<u64, u32> {
    let mut found = BTreeMap::new();
    for device in 0..DEVICES {
        let path = format!(
            "/api/v1/series?device=d/s/fridge-{device}&metric=items_out_total&from=0&to=4102444800000"
        );
        for point in daemon.get_json(&path).await.as_array().unwrap() {
            let number = point["value"].as_f64().unwrap();
            *found.entry(format!("{number:.0}").parse().unwrap()).or_default() += 1;
        }
    }
    found
}

/// Waits until every reader of the journal has passed all of it.
pub(crate) async fn drained(daemon: &Daemon) {
    wait::until_async("the alert reader has caught up", Duration::from_mins(1), async || {
        let behind = daemon.figure(r#"waystation_reader_behind_messages{reader="decode"}"#).await;
        let (status, _) = daemon.get("/healthz").await;
        status == 200 && behind.abs() < f64::EPSILON
    })
    .await;
}
