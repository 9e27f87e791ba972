//! Tells people: from the outbox, which is written with the transition that caused the notice, to
//! the channels.
//!
//! ```text
//! alert ─ transition + notices, one transaction ─▶ outbox ─┬─▶ worker "log"
//!                                                          ├─▶ worker "webhook …"   one each: who is slow
//!                                                          └─▶ worker "webhook …"   holds up nobody else
//! ```
//! At least once, never forgotten; what a target has confirmed is never sent to it again.

pub mod outbox;
mod schedule;
mod sign;
mod troubles;
mod webhook;
mod worker;

pub use outbox::{Kind, Notice, Outbox, OutboxError};
pub use webhook::BadTarget;

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::{troubles::Troubles, webhook::Webhook, worker::Worker};
use crate::{
    clock::Clock,
    reading::Timestamp,
    settings,
    telemetry::{Counters, Readiness},
};

/// The channel that is always there.
pub const LOG: &str = "log";

/// How long a notice under way may take once stopping begins; it is sent again after the restart.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// The names of all channels; a notice is put into the outbox once for each.
pub fn channels(settings: &settings::Notify) -> Vec<String> {
    let webhooks = settings.webhooks.iter().map(|webhook| webhook::name(&webhook.url));
    std::iter::once(LOG.to_owned()).chain(webhooks).collect()
}

/// Sends what is in the outbox until `stop`. `wake` is rung when something new was put there.
pub async fn run(
    outbox: Outbox,
    settings: settings::Notify,
    wake: Arc<Notify>,
    clock: Clock,
    counters: Counters,
    readiness: Readiness,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut workers = JoinSet::new();
    let troubles = Troubles::new(readiness);
    let give_up_after = settings.give_up_after;
    let worker = |name: String, target| Worker {
        name,
        target,
        outbox: outbox.clone(),
        give_up_after,
        wake: Arc::clone(&wake),
        clock: clock.clone(),
        counters: counters.clone(),
        troubles: troubles.clone(),
        stop: stop.clone(),
    };
    leave_behind(&outbox, &channels(&settings)).await?;
    workers.spawn(worker(LOG.to_owned(), worker::Target::Log).run());
    for target in &settings.webhooks {
        let webhook = Webhook::new(target)?;
        let name = webhook::name(&target.url);
        workers.spawn(worker(name, worker::Target::Webhook(webhook)).run());
    }
    let ended = async {
        while let Some(ended) = workers.join_next().await {
            ended??;
        }
        anyhow::Ok(())
    };
    tokio::pin!(ended);
    tokio::select! {
        ended = &mut ended => return ended,
        () = stop.cancelled() => {}
    }
    // A request that takes longer is sent again after the restart, with the same webhook-id.
    tokio::time::timeout(STOP_WITHIN, ended).await.unwrap_or(Ok(()))
}

/// What waits for a channel that is no longer in the settings is set aside: it would wait for ever.
async fn leave_behind(outbox: &Outbox, channels: &[String]) -> Result<(), OutboxError> {
    for channel in outbox.channels_waited_for().await? {
        if channels.contains(&channel) {
            continue;
        }
        let reason = "it is not in notify.webhooks any more";
        let count = outbox.set_aside_older(&channel, Timestamp(i64::MAX), reason).await?;
        warn!(channel, "{count} notices are set aside: {reason}");
    }
    Ok(())
}
