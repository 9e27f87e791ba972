//! What people and programs ask over HTTP: the JSON API, live updates, the status page, and how
//! the daemon itself is. Reads handles of other parts; what people ask
//! for goes to the desk of commands.

mod adopt;
mod alerts;
mod asks;
mod door;
mod error;
mod events;
mod format;
mod openapi;
mod own;
mod page;
mod place;
mod query;
mod records;
mod refused;
mod routes;
mod series;
mod standing;
mod stations;
mod validate;
mod talk;

pub use asks::{Alerts, Answer, Questions, Which};
pub use openapi::document;
pub use routes::router;

use std::{future::IntoFuture, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{net::TcpListener, sync::watch, time};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::door::Door;
use crate::{
    clock::Clock,
    command::Desk,
    decode::Contract,
    device::Catalog,
    live::Live,
    registry::Registry,
    telemetry::{Counters, Readiness},
};

/// How long requests under way may take once stopping begins.
const GRACE: Duration = Duration::from_secs(3);

/// What the answers are made of.
#[derive(Debug, Clone)]
pub struct App {
    pub registry: watch::Receiver<Arc<Registry>>,
    pub live: Live,
    pub counters: Counters,
    pub readiness: Readiness,
    pub clock: Clock,
    pub store: Arc<dyn Questions>,
    pub alerts: Arc<dyn Alerts>,
    /// Every profile as it was at the start; those of registered devices are in the registry.
    pub catalog: Arc<Catalog>,
    pub contract: Arc<Contract>,
    pub desk: Desk,
}

impl App {
    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.borrow())
    }
}

/// Connections at once; each page holds two, or three while a station is open.
const CONNECTIONS: usize = 1000;
/// A connection on which nothing moves for this long ends; live streams say something sooner.
const PATIENCE: Duration = Duration::from_mins(1);

/// Answers until it is told to stop; listeners of the live stream are sent home, others may finish.
pub async fn run(listener: TcpListener, app: App, stop: CancellationToken) -> anyhow::Result<()> {
    let router = router(app, &stop);
    let serving = axum::serve(Door::new(listener, CONNECTIONS, PATIENCE), router)
        .with_graceful_shutdown(stop.clone().cancelled_owned())
        .into_future();
    let too_late = async {
        stop.cancelled().await;
        time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving => served.context("the web server cannot go on"),
        () = too_late => {
            warn!("web requests still under way after {GRACE:?} are cut off");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
