//! The map: builds every stage and every queue between them, and ends them together.
//!
//! ```text
//! listen ┐            ┌▶ journal                ┌▶ store (influx | embedded)
//!        ├─deliveries─▶ group ─appended─▶ follow ┼▶ alert ─outbox─▶ notify
//! subscribe ┘                                    ├▶ command, replies, time ─▶ devices
//!                                                └▶ live ─▶ web
//! ```
//! Sources hold the stop token: listen, subscribe, web, notify, health, reload, remember, time. All others end
//! when their input closes.

mod files;
mod inputs;
mod own;
mod people;
mod points;
mod reload;
mod remember;
mod replies;
mod time;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc, watch},
};
use tokio_util::sync::CancellationToken;
use tracing::info;

pub use self::files::Addresses;
use self::files::Files;
use crate::{
    alert,
    check::Loaded,
    clock::Clock,
    command::Desk,
    data_dir,
    decode::{Annotations, Contract},
    derive::{self, Deriver},
    device::Catalog,
    follow::{self, Fanout, Follower},
    ingest::{self, Doors, Limits},
    journal::{Journal, Messages},
    live::Live,
    notify::Outbox,
    registry::Registry,
    settings::Settings,
    stages::Stages,
    store::{
        Store,
        embedded::{self, Embedded},
        influx,
    },
    telemetry::{Counters, Readiness, publish_process},
};

/// Readers of the journal.
const STORE: &str = "store";
const ALERT: &str = "alert";
const COMMAND: &str = "command";

/// Reads from connections that wait for the journal; their bytes are bounded by `ingest.max_in_flight`.
const DELIVERIES: usize = 4096;
/// Groups decoding may lag behind before it reads the journal instead.
const APPENDED: usize = 256;
/// Decoded groups a follower may lag behind before it reads the journal instead.
const FOLLOWED: usize = 64;
/// Points about alerts and ourselves on their way to InfluxDB.
const POINTS: usize = 1024;
/// From the stop to the end.
const GRACE: Duration = Duration::from_secs(9);

/// What all stages share.
struct House {
    settings: Settings,
    clock: Clock,
    counters: Counters,
    readiness: Readiness,
    catalog: Arc<Catalog>,
    registry: watch::Sender<Arc<Registry>>,
    live: Live,
    journal: Journal,
    ledger: alert::Ledger,
    outbox: Outbox,
    desk: Desk,
    /// The store, if it is not InfluxDB.
    embedded: Option<Embedded>,
    wake: Arc<Notify>,
    stop: CancellationToken,
    stages: Stages,
    /// Where points about alerts and ourselves go, if InfluxDB is the store.
    points: Option<mpsc::Sender<influx::Lines>>,
}

/// Runs until `stop`. `config` is where SIGHUP reads registry and profiles again; `started` hears
/// the addresses once everything listens.
pub async fn run(
    loaded: Loaded,
    config: PathBuf,
    clock: Clock,
    stop: CancellationToken,
    started: impl FnOnce(&Addresses),
) -> anyhow::Result<()> {
    // However we end, whoever waits for the stop beside us hears of it.
    let _ended = stop.clone().drop_guard();
    let data_dir = loaded.settings.data_dir.clone();
    let _claim = data_dir::claim(&data_dir)?;
    let mut house = House::open(loaded, clock, stop).await?;
    let (mqtt, web) = (
        listener(&house.settings.listen.mqtt, "listen.mqtt").await?,
        listener(&house.settings.web.listen, "web.listen").await?,
    );
    let addresses = Addresses { mqtt: address(mqtt.as_ref())?, web: address(web.as_ref())? };

    let (appended, follow_input) = mpsc::channel(APPENDED);
    let downward = house.ingest(mqtt, appended)?;
    let mut fanout = house.fanout();
    let answers = house.store(&mut fanout)?;
    house.alert(&mut fanout)?;
    house.talk(&mut fanout, downward.clone());
    house.live(&mut fanout, downward);
    house.remember(answers.clone());
    house.follow(follow_input, fanout);
    house.serve(web, answers);
    house.look_after(config)?;

    files::write_addresses(&data_dir, &addresses)?;
    info!(web = addresses.web, mqtt = addresses.mqtt, "waystation is up");
    started(&addresses);
    let ended = house.stages.join(GRACE).await;
    house.journal.close().await;
    info!("waystation has ended");
    ended
}

impl House {
    async fn open(loaded: Loaded, clock: Clock, stop: CancellationToken) -> anyhow::Result<Self> {
        let Loaded { settings, catalog, registry } = loaded;
        let (counters, readiness) = (Counters::default(), Readiness::default());
        publish_process(&counters);
        let wake = Arc::new(Notify::new());
        let files = Files::open(&settings, &wake, &counters, &readiness).await?;
        let Files { journal, ledger, outbox, desk, embedded } = files;
        let live = Live::new(clock.now());
        let registry = watch::Sender::new(Arc::new(registry));
        let stages = Stages::new(stop.clone());
        Ok(Self {
            settings,
            clock,
            counters,
            readiness,
            catalog: Arc::new(catalog),
            registry,
            live,
            journal,
            ledger,
            outbox,
            desk,
            embedded,
            wake,
            stop,
            stages,
            points: None,
        })
    }

    /// The doors, and the group commit behind them.
    fn ingest(
        &mut self,
        mqtt: Option<TcpListener>,
        appended: mpsc::Sender<follow::Appended>,
    ) -> anyhow::Result<Doors> {
        let (deliveries, delivered) = mpsc::channel(DELIVERIES);
        let prefix = self.settings.subscribe.prefix.clone();
        let limits = Limits::new(&self.settings.ingest, &prefix);
        let mut doors = Doors::default();
        if let Some(listener) = mqtt {
            let downward = ingest::listen::Downward::new(&prefix, self.counters.clone());
            doors.listen = Some(downward.clone());
            let stage = ingest::listen::run(
                listener,
                self.settings.listen.clone(),
                limits.clone(),
                prefix,
                deliveries.clone(),
                downward,
                self.clock.clone(),
                self.counters.clone(),
                self.readiness.clone(),
                self.stop.clone(),
            );
            self.stages.spawn("listen", stage);
        }
        if !self.settings.subscribe.broker.is_empty() {
            let (downward, outbound) =
                ingest::subscribe::downward(self.clock.clone(), self.counters.clone());
            doors.subscribe = Some(downward);
            let stage = ingest::subscribe::run(
                self.settings.subscribe.clone(),
                limits,
                deliveries.clone(),
                outbound,
                self.clock.clone(),
                self.counters.clone(),
                self.readiness.clone(),
                self.stop.clone(),
            );
            self.stages.spawn("subscribe", stage);
        }
        anyhow::ensure!(
            doors.any(),
            "nothing can come in: set subscribe.broker (a session with your broker) or listen.mqtt (devices connect straight here)"
        );
        let group =
            ingest::group::run(delivered, self.journal.clone(), appended, self.counters.clone());
        self.stages.spawn("group", group);
        Ok(doors)
    }

    /// Followers that lag decode again, by the same contract.
    fn fanout(&self) -> Fanout {
        let contract = contract(&self.settings);
        Fanout::new(
            self.journal.clone(),
            self.registry.subscribe(),
            move |group, messages: &Messages, registry: &Arc<Registry>, notes: &Annotations| {
                derive::again(&contract, group, messages, registry, notes)
            },
        )
    }

    fn follow(&mut self, appended: mpsc::Receiver<follow::Appended>, fanout: Fanout) {
        let decoder = Deriver::new(contract(&self.settings));
        let stage = follow::run(
            appended,
            self.journal.clone(),
            decoder,
            self.registry.subscribe(),
            fanout,
            self.counters.clone(),
        );
        self.stages.spawn("follow", stage);
    }

    /// Where readings end; hands back who answers questions about them.
    fn store(&mut self, fanout: &mut Fanout) -> anyhow::Result<Store> {
        match self.embedded.take() {
            Some(embedded) => Ok(self.embedded(fanout, embedded)),
            None => self.influx(fanout),
        }
    }

    fn embedded(&mut self, fanout: &mut Fanout, store: Embedded) -> Store {
        let follower = fanout.follower(STORE, store.position(), FOLLOWED);
        let stage = embedded::run(
            follower,
            store.clone(),
            embedded::Limits::of(&self.settings),
            self.clock.clone(),
            self.counters.clone(),
            self.readiness.clone(),
        );
        self.stages.spawn("store", stage);
        Store::Embedded(store)
    }

    fn influx(&mut self, fanout: &mut Fanout) -> anyhow::Result<Store> {
        let asker = influx::Asker::new(&self.settings.store.influx)?;
        let follower: Follower = fanout.follower(STORE, self.journal.committed(STORE), FOLLOWED);
        let (points, received) = mpsc::channel(POINTS);
        let stage = influx::run(
            follower,
            received,
            self.settings.store.influx.clone(),
            self.settings.data_dir.clone(),
            self.counters.clone(),
            self.readiness.clone(),
            self.stop.clone(),
        );
        self.stages.spawn("store", stage);
        self.points = Some(points);
        Ok(Store::Influx(asker))
    }
}

fn contract(settings: &Settings) -> Arc<Contract> {
    Arc::new(Contract::new(&settings.subscribe.prefix, settings.ingest.max_message.0))
}

/// Binds to an address of the settings; an empty one is off.
async fn listener(address: &str, key: &str) -> anyhow::Result<Option<TcpListener>> {
    if address.is_empty() {
        return Ok(None);
    }
    let bound = TcpListener::bind(address).await;
    bound.map(Some).with_context(|| {
        format!("cannot listen on {key} = {address:?}: is another program using it, or is it no address of this machine?")
    })
}

fn address(listener: Option<&TcpListener>) -> anyhow::Result<Option<String>> {
    let Some(listener) = listener else { return Ok(None) };
    Ok(Some(listener.local_addr()?.to_string()))
}
