//! The stages for people: alerts and notices, what is shown, how we ourselves are, reloading.

use std::{path::PathBuf, sync::Arc};

use tokio::{net::TcpListener, sync::watch};

use super::{
    ALERT, COMMAND, FOLLOWED, House, STORE, contract, inputs, own, points, reload, remember,
    replies, time,
};
use crate::{
    alert, command, follow::Fanout, ingest::Doors, live, notify, settings::StoreKind, store::Store,
    telemetry::health, web,
};

impl House {
    pub(super) fn alert(&mut self, fanout: &mut Fanout) -> anyhow::Result<()> {
        let (input, inputs) = watch::channel(alert::Input::Up);
        let position = self.ledger.position()?;
        let follower = fanout.follower(ALERT, position, FOLLOWED);
        let stage = alert::run(
            follower,
            self.ledger.clone(),
            self.registry.subscribe(),
            self.settings.alert.clone(),
            self.clock.clone(),
            inputs,
            self.live.clone(),
            self.counters.clone(),
            self.readiness.clone(),
        );
        self.stages.spawn("alert", stage);
        let inputs =
            inputs::run(input, self.readiness.clone(), self.clock.clone(), self.stop.clone());
        self.stages.spawn("inputs", inputs);
        let notify = notify::run(
            self.outbox.clone(),
            self.settings.notify.clone(),
            Arc::clone(&self.wake),
            self.clock.clone(),
            self.counters.clone(),
            self.readiness.clone(),
            self.stop.clone(),
        );
        self.stages.spawn("notify", notify);
        Ok(())
    }

    /// What devices are asked, and what time it is.
    pub(super) fn talk(&mut self, fanout: &mut Fanout, doors: Doors) {
        let position = self.journal.committed(COMMAND);
        let prefix = self.settings.subscribe.prefix.clone();
        let time = time::run(doors.clone(), prefix.clone(), self.clock.clone(), self.stop.clone());
        self.stages.spawn("time", time);
        let stage = command::run(
            fanout.follower(COMMAND, position, FOLLOWED),
            self.desk.clone(),
            doors,
            prefix,
            self.registry.subscribe(),
            self.clock.clone(),
            self.live.clone(),
            self.readiness.clone(),
        );
        self.stages.spawn("command", stage);
    }

    /// What is shown now, and what devices are told of their mistakes.
    pub(super) fn live(&mut self, fanout: &mut Fanout, doors: Doors) {
        self.stages.spawn("live", live::run(fanout.live(FOLLOWED), self.live.clone()));
        let prefix = self.settings.subscribe.prefix.clone();
        self.stages.spawn("replies", replies::run(fanout.live(FOLLOWED), doors, prefix));
    }

    pub(super) fn remember(&mut self, store: Store) {
        let (registry, live) = (self.registry.subscribe(), self.live.clone());
        let stage = remember::run(store, registry, live, self.journal.clone(), self.stop.clone());
        self.stages.spawn("remember", stage);
    }

    pub(super) fn serve(&mut self, listener: Option<TcpListener>, store: Store) {
        let Some(listener) = listener else { return };
        let app = web::App {
            registry: self.registry.subscribe(),
            live: self.live.clone(),
            counters: self.counters.clone(),
            readiness: self.readiness.clone(),
            clock: self.clock.clone(),
            store: Arc::new(store),
            alerts: Arc::new(self.ledger.clone()),
            catalog: Arc::clone(&self.catalog),
            contract: contract(&self.settings),
            desk: self.desk.clone(),
        };
        self.stages.spawn("web", web::run(listener, app, self.stop.clone()));
    }

    pub(super) fn look_after(&mut self, config: PathBuf) -> anyhow::Result<()> {
        let (sender, seen) = watch::channel(health::Health::default());
        let settings = &self.settings;
        let limits = health::Limits { input_lost_after: settings.alert.input_lost_after };
        let (outbox, outbox_seen) = watch::channel(health::Outbox::default());
        let figures = own::Figures::new(
            self.counters.clone(),
            settings.journal.max_bytes.0,
            match settings.store.kind {
                StoreKind::Embedded => vec![ALERT],
                StoreKind::Influx => vec![ALERT, STORE],
            },
            self.readiness.clone(),
            self.clock.clone(),
            outbox_seen,
        );
        let health = health::run(
            settings.data_dir.clone(),
            limits,
            move || figures.parts(),
            self.counters.clone(),
            self.clock.clone(),
            sender,
            self.stop.clone(),
        );
        self.stages.spawn("health", health);
        if let Some(points) = self.points.take() {
            let points = points::run(
                self.ledger.clone(),
                seen.clone(),
                points,
                self.clock.clone(),
                self.stop.clone(),
            );
            self.stages.spawn("points", points);
        }
        let watched = own::watch_outbox(self.outbox.clone(), outbox, seen.clone());
        self.stages.spawn("outbox", watched);
        let own = own::run(seen, self.ledger.clone(), self.live.clone(), self.clock.clone());
        self.stages.spawn("own alerts", own);
        let reload = reload::run(config, self.registry.clone(), self.stop.clone())?;
        self.stages.spawn("reload", reload);
        Ok(())
    }
}
