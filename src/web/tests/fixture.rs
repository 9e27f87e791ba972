//! A small town behind a real socket, with a store and a record of alerts that do as they are told.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    alert::{self, Acknowledgement, Alert, Measured, Reason, Standing},
    clock::{Clock, Hand},
    command::Desk,
    decode::{Code, Decoded, Rejection},
    device::{Argument, ArgumentKind, Metric, MetricKind, Operation, Profile, Talk},
    live::Live,
    reading::{Kind, MessageId, PlacedBy, Reading, Sample, Slot, Symbol, Timestamp, Value},
    registry::{Device, District, Opens, Registry, Station},
    rule::{Severity, Text},
    store::{Datum, Point, QuestionError, Series, SeriesQuery},
    telemetry::{Counters, Readiness},
};

use super::super::{Alerts, Answer, App, Questions, Which, run};

/// 2026-01-01T00:00:00Z
pub(super) const START: Timestamp = Timestamp(1_767_225_600_000);

pub(super) fn symbol(name: &str) -> Symbol {
    Symbol::intern(name).unwrap()
}

fn text(en: &str, zh: &str) -> Text {
    Text { en: en.into(), zh: zh.into() }
}

fn report_s() -> Argument {
    let (label, kind) = (text("Interval", "间隔"), ArgumentKind::Whole { range: [10.0, 600.0] });
    Argument { name: "report_s".into(), label, kind, required: false, default: None }
}

fn defrost() -> Operation {
    let (label, kind) = (text("For", "时长"), ArgumentKind::Number { range: [1.0, 60.0] });
    let minutes =
        Argument { name: "minutes".into(), label, kind, required: false, default: Some(20.into()) };
    let (name, expires) = (text("Defrost", "除霜"), Duration::from_mins(5));
    Operation { op: "defrost".into(), name, hint: None, args: vec![minutes], expires }
}

fn fridge() -> Profile {
    let metric = |name: &str, kind| Metric {
        symbol: symbol(name),
        name: text(name, "指标"),
        kind,
        plausible: None,
    };
    Profile {
        id: "fridge".into(),
        name: text("Fridge", "冰箱"),
        facility: "cold_food".into(),
        reports_every: Duration::from_mins(1),
        metrics: vec![metric("temp_c", MetricKind::Number), metric("door_open", MetricKind::State)],
        rules: vec![],
        examples: vec![],
        talk: Talk { commands: vec![defrost()], config: vec![report_s()], echo: None },
        ..Profile::default()
    }
}

/// `stations` stations `s0`, `s1`, … of the district `putuo` with `devices` fridges each.
pub(super) fn registry(stations: usize, devices: usize) -> Registry {
    let fridge = Arc::new(fridge());
    let district = District {
        id: "putuo".into(),
        name: text("Putuo", "普陀区"),
        time_zone: jiff::tz::TimeZone::UTC,
        time_zone_name: "UTC".into(),
        closed: crate::registry::Days::default(),
    };
    let slot =
        |station: usize, device: usize| Slot(u32::try_from(station * devices + device).unwrap());
    let station = |number: usize| Station {
        id: format!("s{number}"),
        district: 0,
        name: text("Station", "驿站"),
        position: Some([31.268, 121.392]),
        capacity: Some(40),
        opens: Opens::Always,
        closed: crate::registry::Days::default(),
        moves: false,
        address: None,
        phone: None,
        master: None,
        devices: (0..devices).map(|device| slot(number, device)).collect(),
    };
    let device = |station: usize, number: usize| Device {
        slot: slot(station, number),
        path: format!("putuo/s{station}/fridge-{number}").into(),
        station: u32::try_from(station).unwrap(),
        profile: Arc::clone(&fridge),
        reports_every: Duration::from_mins(1),
        rules: Arc::default(),
        dates: Arc::default(),
    };
    let all = (0..stations).flat_map(|s| (0..devices).map(move |d| Some(device(s, d)))).collect();
    Registry::new(vec![district], (0..stations).map(station).collect(), all)
}

/// One reading of a device, as decoding hands it over.
pub(super) fn reading(
    registry: &Arc<Registry>,
    device: &str,
    temp_c: f64,
    at: Timestamp,
) -> Decoded {
    let device = registry.find(device).unwrap().slot;
    let reading = Reading {
        device,
        message: MessageId { group: 1, index: 0 },
        kind: Kind::Telemetry,
        at,
        placed_by: PlacedBy::Device,
        claimed: Some(at),
        received: at,
        backfill: false,
        samples: 0..2,
    };
    let sample = |name, value| Sample { metric: symbol(name), value };
    Decoded {
        registry: Arc::clone(registry),
        readings: vec![reading],
        samples: vec![
            sample("temp_c", Value::Number(temp_c)),
            sample("door_open", Value::State(true)),
        ],
        ..Decoded::default()
    }
}

pub(super) fn rejected(registry: &Arc<Registry>, code: Code, path: &str) -> Decoded {
    let rejection = Rejection {
        code,
        message: MessageId { group: 1, index: 0 },
        received: START,
        device: registry.find(path).map(|device| device.slot),
        topic: format!("waystation/v1/{path}/telemetry"),
        path: "/temp_c".into(),
        found: "\"warm\"".into(),
        expected: "a number".into(),
        size: 17,
        head: r#"{"temp_c":"warm"}"#.into(),
    };
    Decoded { registry: Arc::clone(registry), rejections: vec![rejection], ..Decoded::default() }
}

pub(super) fn alert(id: &str, station: &str, severity: Severity, state: Standing) -> Alert {
    Alert {
        id: id.into(),
        rule: "too_warm".into(),
        severity,
        state,
        district: "putuo".into(),
        station: station.into(),
        device: "fridge-0".into(),
        since: START,
        value: Some(Measured::Number(9.5)),
        says: text("Fridge at 9.5 °C", "冰箱温度 9.5 °C"),
        cure: text("Check the door.", "检查柜门。"),
        bring: vec!["thermometer".into()],
        told: None,
        repeats: 0,
        escalated: false,
        acknowledged: None,
        ended: None,
        reason: None,
    }
}

/// Answers with one point and remembers what it was asked, or does not answer.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) asked: Mutex<Vec<SeriesQuery>>,
    pub(super) away: Mutex<bool>,
}

impl Questions for Store {
    fn series(&self, query: SeriesQuery) -> Answer<'_, Result<Series, QuestionError>> {
        self.asked.lock().unwrap().push(query);
        let away = *self.away.lock().unwrap();
        Box::pin(async move {
            if away {
                return Err(QuestionError::Unavailable { reason: "it is away".into() });
            }
            Ok(Series::Points(vec![Point { at: START, value: Datum::Number(4.5) }]))
        })
    }
}

/// What it holds, or why it does not say; and the work that was entered.
#[derive(Debug)]
pub(super) struct Record(
    pub(super) Mutex<Result<Vec<Alert>, String>>,
    pub(super) Mutex<Vec<alert::Record>>,
);

impl Alerts for Record {
    fn list(&self, which: Which, most: usize) -> Answer<'_, Result<Vec<Alert>, String>> {
        let open = move |alert: &Alert| which == Which::All || alert.state == Standing::Firing;
        let all = self.0.lock().unwrap().clone();
        Box::pin(async move { Ok(all?.into_iter().filter(open).take(most).collect()) })
    }

    fn get(&self, id: String) -> Answer<'_, Result<Option<Alert>, String>> {
        let all = self.0.lock().unwrap().clone();
        Box::pin(async move { Ok(all?.into_iter().find(|alert| alert.id == id)) })
    }

    fn confirm(&self, id: String, by: String) -> Answer<'_, Result<Option<Alert>, String>> {
        self.change(&id, |alert| {
            alert.state = Standing::Resolved;
            alert.reason = Some(Reason::Confirmed { by });
        })
    }

    fn acknowledge(
        &self,
        id: String,
        acknowledgement: Acknowledgement,
    ) -> Answer<'_, Result<Option<Alert>, String>> {
        self.change(&id, |alert| {
            alert.state = Standing::Acknowledged;
            alert.acknowledged = Some(acknowledgement);
        })
    }

    fn enter(&self, record: alert::Record) -> Answer<'_, Result<(), String>> {
        self.1.lock().unwrap().push(record);
        Box::pin(async { Ok(()) })
    }

    fn records(
        &self,
        device: Option<String>,
        limit: u32,
        offset: u32,
    ) -> Answer<'_, Result<Vec<alert::Record>, String>> {
        let all = self.1.lock().unwrap().clone();
        let wanted =
            move |record: &alert::Record| device.as_ref().is_none_or(|d| *d == record.path);
        let page = all.into_iter().rev().filter(wanted).skip(usize::try_from(offset).unwrap());
        let page = page.take(usize::try_from(limit).unwrap()).collect();
        Box::pin(async { Ok(page) })
    }
}

impl Record {
    fn change(
        &self,
        id: &str,
        how: impl FnOnce(&mut Alert),
    ) -> Answer<'_, Result<Option<Alert>, String>> {
        let mut all = self.0.lock().unwrap();
        let changed = all.as_mut().map(|all| {
            let alert = all.iter_mut().find(|alert| alert.id == id)?;
            how(alert);
            Some(alert.clone())
        });
        let changed = changed.map_err(|why| why.clone());
        Box::pin(async move { changed })
    }
}

/// A server of that town, and what it is made of.
#[derive(Debug)]
pub(super) struct Town {
    pub(super) registry: Arc<Registry>,
    pub(super) live: Live,
    pub(super) readiness: Readiness,
    pub(super) hand: Hand,
    pub(super) store: Arc<Store>,
    pub(super) alerts: Arc<Record>,
    pub(super) stop: CancellationToken,
    pub(super) serving: JoinHandle<anyhow::Result<()>>,
    pub(super) address: String,
    pub(super) http: reqwest::Client,
    /// Of what is asked of devices.
    pub(super) folder: TempDir,
}

impl Town {
    pub(super) async fn of(stations: usize, devices: usize) -> Self {
        Self::with(registry(stations, devices)).await
    }

    pub(super) async fn with(registry: Registry) -> Self {
        let registry = Arc::new(registry);
        let (clock, hand) = Clock::manual(START);
        let (live, stop) = (Live::new(START), CancellationToken::new());
        let (store, readiness) = (Arc::<Store>::default(), Readiness::default());
        let alerts = Arc::new(Record(Mutex::new(Ok(vec![])), Mutex::default()));
        let folder = tempfile::tempdir().unwrap();
        let app = App {
            registry: watch::channel(Arc::clone(&registry)).1,
            live: live.clone(),
            counters: Counters::default(),
            readiness: readiness.clone(),
            clock,
            store: Arc::<Store>::clone(&store),
            alerts: Arc::<Record>::clone(&alerts),
            catalog: Arc::default(),
            contract: Arc::default(),
            desk: Desk::open(folder.path()).unwrap(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        #[expect(clippy::disallowed_methods, reason = "the test joins it itself")]
        let serving = tokio::spawn(run(listener, app, stop.clone()));
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Self {
            registry,
            live,
            readiness,
            hand,
            store,
            alerts,
            stop,
            serving,
            address,
            http,
            folder,
        }
    }

    pub(super) async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.address)).send().await.unwrap()
    }

    /// What a program says, answered with status and JSON.
    pub(super) async fn tell(&self, path: &str, body: &Json) -> (u16, Json) {
        let url = format!("{}{path}", self.address);
        let answer = self.http.post(url).header("content-type", "application/json");
        let answer = answer.body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    /// The status and the body as JSON.
    pub(super) async fn ask(&self, path: &str) -> (u16, Json) {
        let answer = self.get(path).await;
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap();
        (status, serde_json::from_str(&body).unwrap_or_else(|e| panic!("{path}: {e}: {body}")))
    }
}
