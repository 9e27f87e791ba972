//! SIGHUP: registry, profiles and rules anew, while everything runs on.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{check, registry::Registry};

/// Reloads at each SIGHUP until `stop`. A bad file leaves what runs untouched and is said.
pub(super) fn run(
    config: PathBuf,
    registry: watch::Sender<Arc<Registry>>,
    stop: CancellationToken,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>>> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen to SIGHUP")?;
    Ok(async move {
        while stop.run_until_cancelled(hangup.recv()).await.is_some() {
            let (config, previous) = (config.clone(), Arc::clone(&registry.borrow()));
            let load = move || check::reload(&config, std::env::vars(), &previous);
            match task::spawn_blocking(load).await.context("reloading failed")? {
                Ok(loaded) => {
                    let (stations, devices) = (loaded.stations.len(), loaded.reporting().count());
                    registry.send_replace(Arc::new(loaded));
                    info!(stations, devices, "registry, profiles and rules are reloaded");
                }
                Err(problems) => {
                    for problem in &problems {
                        error!("{problem}");
                    }
                    error!(problems = problems.len(), "not reloaded: what ran before runs on");
                }
            }
        }
        Ok(())
    })
}
