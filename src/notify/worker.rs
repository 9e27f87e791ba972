//! One channel's worker: takes what is due from the outbox, several at once, and writes down what
//! became of it before it takes more.

use std::{sync::Arc, time::Duration};

use rand::Rng;
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{
    outbox::{Outbox, OutboxError, Waiting},
    schedule::pause,
    webhook::{Outcome, Webhook},
};
use crate::{
    clock::Clock,
    reading::Timestamp,
    telemetry::{Counters, Readiness},
};

const AT_ONCE: u32 = 8;
const LOOK_AGAIN: Duration = Duration::from_mins(1);
const AFTER_TROUBLE: Duration = Duration::from_secs(1);
const PART: &str = "notify";

/// Where a worker sends.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Log,
    Webhook(Webhook),
}

#[derive(Debug)]
pub(super) struct Worker {
    pub name: String,
    pub target: Target,
    pub outbox: Outbox,
    pub give_up_after: Duration,
    pub wake: Arc<Notify>,
    pub clock: Clock,
    pub counters: Counters,
    pub readiness: Readiness,
    pub stop: CancellationToken,
}

impl Worker {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let wake = Arc::clone(&self.wake);
        while !self.stop.is_cancelled() {
            // Listening before looking: what is put there in between is not missed.
            let woken = wake.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            match self.send_due().await {
                Ok(true) => {}
                Ok(false) => {
                    let pause = self.until_next().await;
                    self.stop.run_until_cancelled(timeout(pause, woken)).await;
                }
                Err(trouble) => {
                    error!(channel = self.name, "{trouble}; trying again");
                    self.stop.run_until_cancelled(sleep(AFTER_TROUBLE)).await;
                }
            }
        }
        Ok(())
    }

    /// Whether there was anything to send.
    async fn send_due(&self) -> Result<bool, OutboxError> {
        let due = self.outbox.due(&self.name, self.clock.now(), AT_ONCE).await?;
        let any = !due.is_empty();
        let mut tries = JoinSet::new();
        for notice in due {
            let (target, now) = (self.target.clone(), self.clock.now());
            tries.spawn(async move {
                let outcome = target.send(&notice, now).await;
                (notice, outcome)
            });
        }
        while let Some(tried) = tries.join_next().await {
            match tried {
                Ok((notice, outcome)) => self.settle(&notice, outcome).await?,
                Err(panic) => return Err(OutboxError::from(panic)),
            }
        }
        Ok(any)
    }

    async fn settle(&self, notice: &Waiting, outcome: Outcome) -> Result<(), OutboxError> {
        let now = self.clock.now();
        match outcome {
            Outcome::Sent => {
                self.outbox.sent(&notice.id, &self.name, now).await?;
                self.counters.notice(self.label(), "sent");
                self.readiness.well(PART);
                if notice.attempts > 0 {
                    let tries = notice.attempts + 1;
                    info!(channel = self.name, notice = notice.id, tries, "delivered at last");
                }
            }
            Outcome::Gone => self.set_aside(notice, "it wants no more (410)", "gone").await?,
            Outcome::Failed { reason, .. } if now.since(notice.at) >= self.give_up_after => {
                let reason = format!("nobody took it for {:?}; last: {reason}", self.give_up_after);
                self.set_aside(notice, &reason, "given_up").await?;
            }
            Outcome::Failed { reason, asked } => {
                let chance = rand::rng().random();
                let due = now + pause(notice.attempts + 1, asked, chance);
                self.outbox.failed(&notice.id, &self.name, due, &reason).await?;
                self.counters.notice(self.label(), "failed");
                let says = format!("{}: {reason}; trying again at {due}", self.name);
                warn!(notice = notice.id, "{says}");
                self.readiness.trouble(PART, says);
            }
        }
        Ok(())
    }

    async fn set_aside(
        &self,
        notice: &Waiting,
        reason: &str,
        outcome: &'static str,
    ) -> Result<(), OutboxError> {
        self.outbox.set_aside(&notice.id, &self.name, reason).await?;
        self.counters.notice(self.label(), outcome);
        let says = format!("{}: {reason}; notices for it are set aside", self.name);
        error!(notice = notice.id, "{says}");
        self.readiness.trouble(PART, says);
        Ok(())
    }

    async fn until_next(&self) -> Duration {
        let next = self.outbox.next_due(&self.name).await.ok().flatten();
        let now = self.clock.now();
        let shortest = Duration::from_millis(50);
        next.map_or(LOOK_AGAIN, |due| due.since(now).clamp(shortest, LOOK_AGAIN))
    }

    fn label(&self) -> &'static str {
        match self.target {
            Target::Log => "log",
            Target::Webhook(_) => "webhook",
        }
    }
}

impl Target {
    async fn send(&self, notice: &Waiting, now: Timestamp) -> Outcome {
        match self {
            Self::Log => {
                warn!(notice = notice.id, "{}", headline(&notice.body));
                Outcome::Sent
            }
            Self::Webhook(webhook) => webhook.post(&notice.id, &notice.body, now).await,
        }
    }
}

/// `firing major putuo/shuxinwan/fridge-1 too_warm: Fridge at 9.5 °C` from the notice's JSON.
fn headline(body: &str) -> String {
    let read: Result<serde_json::Value, _> = serde_json::from_str(body);
    let Ok(notice) = read else { return body.to_owned() };
    let text = |pointer| notice.pointer(pointer).and_then(|value| value.as_str()).unwrap_or("?");
    format!(
        "{} {} {}/{}/{} {}: {}",
        text("/type").trim_start_matches("alert."),
        text("/alert/severity"),
        text("/alert/district"),
        text("/alert/station"),
        text("/alert/device"),
        text("/alert/rule"),
        text("/alert/says/en"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_says_what_and_where() {
        let body = r#"{"type":"alert.firing","at":1,"alert":{"severity":"major","district":"putuo",
            "station":"shuxinwan","device":"fridge-1","rule":"too_warm","says":{"en":"Fridge at 9.5 °C"}}}"#;
        assert_eq!(
            headline(body),
            "firing major putuo/shuxinwan/fridge-1 too_warm: Fridge at 9.5 °C"
        );
        assert_eq!(headline("rubbish"), "rubbish");
    }
}
