//! What is on disk, opened together: the journal, and those who remember its groups by number.

use std::{fs, path::Path, sync::Arc};

use anyhow::Context;
use serde::Serialize;
use tokio::sync::Notify;
use tracing::warn;

use super::{ALERT, COMMAND, STORE};
use crate::{
    alert::Ledger,
    command::Desk,
    follow,
    journal::Journal,
    notify::{self, Outbox},
    settings::{Settings, StoreKind},
    store::embedded::Embedded,
    telemetry::{Counters, Readiness},
};

/// Where the daemon is to be found; also in `data_dir/addresses.json`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Addresses {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mqtt: Option<String>,
}

pub(super) struct Files {
    pub journal: Journal,
    pub ledger: Ledger,
    pub outbox: Outbox,
    pub desk: Desk,
    /// Where readings end, if not in InfluxDB.
    pub embedded: Option<Embedded>,
}

impl Files {
    pub(super) async fn open(
        settings: &Settings,
        wake: &Arc<Notify>,
        counters: &Counters,
        readiness: &Readiness,
    ) -> anyhow::Result<Self> {
        let dir = &settings.data_dir;
        let readers = [follow::DECODE, STORE, ALERT, COMMAND];
        let journal =
            Journal::open(dir, &settings.journal, &readers, counters.clone(), readiness.clone())?;
        let channels = notify::channels(&settings.notify);
        let ledger = Ledger::open(dir, channels, Arc::clone(wake))?;
        let outbox = Outbox::open(dir)?;
        let desk = Desk::open(dir)?;
        let embedded = match settings.store.kind {
            StoreKind::Embedded => Some(Embedded::open(dir)?),
            StoreKind::Influx => None,
        };
        let stored = embedded.as_ref().map_or(0, Embedded::position);
        number_on(&journal, stored.max(ledger.furthest()?)).await?;
        Ok(Self { journal, ledger, outbox, desk, embedded })
    }
}

/// A journal that was moved away begins again at 1, but others remember groups up to `known`: its
/// numbers go on behind them, or what is new would be taken for what they have.
async fn number_on(journal: &Journal, known: u64) -> anyhow::Result<()> {
    let last = journal.last();
    if last >= known {
        return Ok(());
    }
    warn!(
        last,
        known,
        "the journal is not the one that store and alerts know: its groups go on behind theirs"
    );
    journal.continue_after(known).await.context("cannot number the groups of the journal")
}

/// Written whole or not at all: whoever finds it can read it.
pub(super) fn write_addresses(dir: &Path, addresses: &Addresses) -> anyhow::Result<()> {
    let (file, new) = (dir.join("addresses.json"), dir.join("addresses.json.new"));
    fs::write(&new, serde_json::to_vec(addresses)?)
        .and_then(|()| fs::rename(&new, &file))
        .with_context(|| {
            let file = file.display();
            format!(
                "cannot write {file} (make room on its disk, or move away what is in its place)"
            )
        })
}
