//! A station with one fridge, reached by a wire that can be cut.

use std::collections::BTreeSet;

use tokio::time::Instant;

use serde_json::{Value, json};

use crate::{
    fridge::{Fridge, LIMIT},
    support::{
        daemon::Daemon, device::Device, free_port, mosquitto::Mosquitto, proxy::Proxy, wait,
    },
};

const STATIONS: &str = r#"
    [district]
    id = "d"
    name = { en = "District", zh = "区" }
    time_zone = "Asia/Shanghai"
    [[stations]]
    id = "s"
    name = { en = "Station", zh = "站" }
    opens = "24h"
    devices = [ { id = "fridge-1", profile = "fridge" } ]
"#;
const COMMANDS: &str = "/api/v1/devices/d/s/fridge-1/commands";

#[derive(Debug)]
pub(crate) struct House {
    pub(crate) daemon: Daemon,
    pub(crate) broker: Option<Mosquitto>,
    pub(crate) wire: Proxy,
}

impl House {
    /// The fridge connects straight to the program.
    pub(crate) async fn straight() -> Self {
        let port = free_port();
        let daemon = daemon(&format!("[listen]\nmqtt = \"127.0.0.1:{port}\"")).await;
        Self { daemon, broker: None, wire: Proxy::start(port).await }
    }

    /// The fridge connects to a broker.
    pub(crate) async fn behind_a_broker() -> Self {
        let broker = Mosquitto::start().await;
        let daemon = daemon(&format!("[subscribe]\nbroker = \"{}\"", broker.url())).await;
        let wire = Proxy::start(broker.port()).await;
        Self { daemon, broker: Some(broker), wire }
    }

    /// Kills the broker. What it acknowledged and held in memory alone would be lost with it, whoever
    /// wrote the firmware: so nothing more reaches it first, and what it has is with us.
    pub(crate) async fn kill_broker(&mut self) {
        self.wire.stall();
        let broker = self.broker.as_mut().unwrap();
        let mut other = Device::connect(&format!("127.0.0.1:{}", broker.port()), "other").await;
        other.publish("waystation/v1/d/s/fridge-1/telemetry", br#"{"stock_pct": 50}"#).await;
        let path = "/api/v1/series?device=d/s/fridge-1&metric=stock_pct";
        wait::until_async("what the broker had is stored", LIMIT, async || {
            self.daemon.get(path).await.1.contains("value")
        })
        .await;
        broker.kill();
        self.wire.cut();
    }

    /// Starts it again. It has forgotten who subscribed, and acknowledges what nobody hears: the fridge
    /// reaches it when we are back.
    pub(crate) async fn restart_broker(&mut self) {
        self.broker.as_mut().unwrap().restart().await;
        wait::until_async("we have subscribed again", LIMIT, async || {
            self.daemon.get("/readyz").await.0 == 200
        })
        .await;
        self.wire.pass();
    }

    pub(crate) async fn command(&self, minutes: i64) -> String {
        let asked =
            json!({"op": "defrost", "args": {"minutes": minutes}, "expires": "60s", "by": "Li"});
        let (status, command) = self.daemon.send("POST", COMMANDS, &asked).await;
        assert_eq!(status, 202, "{command}");
        command["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the command is in `state`; gives the states it went through.
    pub(crate) async fn becomes(&self, id: &str, state: &str) -> Vec<String> {
        let mut steps = Vec::new();
        wait::until_async(&format!("command {id} is {state}"), LIMIT, async || {
            let all = self.daemon.get_json(COMMANDS).await;
            let command = all.as_array().unwrap().iter().find(|one| one["id"] == id).unwrap();
            let history = command["history"].as_array().unwrap().iter();
            steps = history.map(|step| step["state"].as_str().unwrap().to_owned()).collect();
            command["state"] == state
        })
        .await;
        steps
    }

    /// Waits until all that the fridge has measured by now is stored, and gives it.
    pub(crate) async fn has_all(&self, fridge: &mut Fridge) -> BTreeSet<u64> {
        let wanted = fridge.measured();
        self.has(fridge, &wanted, None).await;
        wanted
    }

    /// Waits until `wanted` is stored; nothing is there twice, nor what the fridge did not measure.
    pub(crate) async fn has(
        &self,
        fridge: &mut Fridge,
        wanted: &BTreeSet<u64>,
        unsaid: Option<u64>,
    ) {
        let (mut numbers, mut missing): (Vec<u64>, Vec<u64>) = Default::default();
        let deadline = Instant::now() + LIMIT;
        wait::until_async("all is stored", LIMIT * 2, async || {
            fridge.log();
            numbers = self.points().await.into_iter().map(|(_, number)| number).collect();
            let stored = numbers.iter().copied().collect();
            missing = wanted.difference(&stored).copied().collect();
            missing.is_empty() || Instant::now() > deadline
        })
        .await;
        assert!(missing.is_empty(), "not stored: {missing:?}\n{}", fridge.log());
        numbers.sort_unstable();
        let twice: Vec<_> = numbers.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "stored twice: {twice:?}");
        let measured = fridge.measured();
        let invented: Vec<_> = numbers
            .iter()
            .filter(|number| !measured.contains(number) && Some(**number) != unsaid)
            .collect();
        assert!(invented.is_empty(), "never measured: {invented:?}");
    }

    /// When it was measured, and its number.
    pub(crate) async fn points(&self) -> Vec<(i64, u64)> {
        let path = "/api/v1/series?device=d/s/fridge-1&metric=items_out_total";
        let (status, body) = self.daemon.get(path).await;
        let points: Vec<Value> =
            if status == 200 { serde_json::from_str(&body).unwrap() } else { Vec::new() };
        let number =
            |point: &Value| format!("{}", point["value"].as_f64().unwrap()).parse().unwrap();
        points.iter().map(|point| (point["at"].as_i64().unwrap(), number(point))).collect()
    }
}

async fn daemon(settings: &str) -> Daemon {
    Daemon::start(&format!("{settings}\n[web]\nlisten = \"127.0.0.1:0\"\n"), STATIONS).await
}
