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
use tracing::{debug, error, info, warn};

use super::{
    outbox::{Outbox, OutboxError, Waiting},
    schedule::{Lately, hopeless, pause},
    troubles::Troubles,
    webhook::{Outcome, Webhook},
};
use crate::{clock::Clock, reading::Timestamp, telemetry::Counters};

const LOOK_AGAIN: Duration = Duration::from_mins(1);
const AFTER_TROUBLE: Duration = Duration::from_secs(1);
const GONE: &str = "it wants no more (410), so nothing is sent to it until a restart; \
                    correct its url in notify.webhooks or take it out";

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
    pub troubles: Troubles,
    pub stop: CancellationToken,
}

/// What sending came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Sent,
    NothingDue,
    /// The target wants nothing any more.
    Gone,
}

impl Worker {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let wake = Arc::clone(&self.wake);
        let mut lately = Lately::default();
        while !self.stop.is_cancelled() {
            // Listening before looking: what is put there in between is not missed.
            let woken = wake.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            match self.send_due(&mut lately).await {
                Ok(Turn::Sent) => {}
                Ok(Turn::NothingDue) => {
                    let pause = self.until_next(&lately).await;
                    self.stop.run_until_cancelled(timeout(pause, woken)).await;
                }
                Ok(Turn::Gone) => self.stay_away().await,
                Err(trouble) => {
                    error!(channel = self.name, "{trouble}; trying again");
                    self.stop.run_until_cancelled(sleep(AFTER_TROUBLE)).await;
                }
            }
        }
        Ok(())
    }

    async fn send_due(&self, lately: &mut Lately) -> Result<Turn, OutboxError> {
        let now = self.clock.now();
        let due = self.outbox.due(&self.name, now, lately.at_once(now)).await?;
        let mut turn = if due.is_empty() { Turn::NothingDue } else { Turn::Sent };
        let mut tries = JoinSet::new();
        for notice in due {
            let target = self.target.clone();
            tries.spawn(async move {
                let outcome = target.send(&notice, now).await;
                (notice, outcome)
            });
        }
        while let Some(tried) = tries.join_next().await {
            let (notice, outcome) = tried?;
            if outcome == Outcome::Gone {
                turn = Turn::Gone;
            }
            self.settle(&notice, outcome, lately).await?;
        }
        Ok(turn)
    }

    async fn settle(
        &self,
        notice: &Waiting,
        outcome: Outcome,
        lately: &mut Lately,
    ) -> Result<(), OutboxError> {
        let now = self.clock.now();
        match outcome {
            Outcome::Sent => {
                self.outbox.sent(&notice.id, &self.name, now).await?;
                self.confirmed(notice);
                if lately.sent(now) {
                    self.outbox.hurry(&self.name).await?;
                }
            }
            Outcome::Gone => self.outbox.failed(&notice.id, &self.name, now, GONE).await?,
            Outcome::Failed { reason, asked } => {
                lately.failed(asked.map(|asked| now + pause(1, Some(asked), 0.0)));
                self.failed(notice, &reason, asked, now).await?;
            }
        }
        Ok(())
    }

    fn confirmed(&self, notice: &Waiting) {
        self.counters.notice(self.label(), "sent");
        self.troubles.well(&self.name);
        if notice.attempts > 0 {
            let tries = notice.attempts + 1;
            info!(channel = self.name, notice = notice.id, tries, "delivered at last");
        }
    }

    async fn failed(
        &self,
        notice: &Waiting,
        reason: &str,
        asked: Option<Duration>,
        now: Timestamp,
    ) -> Result<(), OutboxError> {
        let failures = notice.attempts + 1;
        if hopeless(failures, now.since(notice.at), self.give_up_after) {
            self.outbox.set_aside(&notice.id, &self.name, reason).await?;
            self.counters.notice(self.label(), "given_up");
            error!(channel = self.name, notice = notice.id, failures, "set aside: {reason}");
            self.troubles.trouble(&self.name, &format!("{reason}; notices are set aside"));
            return Ok(());
        }
        let due = now + pause(failures, asked, rand::rng().random());
        self.outbox.failed(&notice.id, &self.name, due, reason).await?;
        self.counters.notice(self.label(), "failed");
        if self.troubles.trouble(&self.name, &format!("{reason}; trying again")) {
            warn!(channel = self.name, notice = notice.id, "{reason}; trying again at {due}");
        } else {
            debug!(channel = self.name, notice = notice.id, "{reason}; trying again at {due}");
        }
        Ok(())
    }

    /// After a 410: what waits goes on waiting for a person, and is set aside when it is too old.
    async fn stay_away(&self) {
        self.counters.notice(self.label(), "gone");
        self.troubles.trouble(&self.name, GONE);
        error!(channel = self.name, "{GONE}");
        while !self.stop.is_cancelled() {
            let old = self.clock.now() - self.give_up_after;
            match self.outbox.set_aside_older(&self.name, old, GONE).await {
                Ok(count) => {
                    (0..count).for_each(|_| self.counters.notice(self.label(), "given_up"));
                }
                Err(trouble) => error!(channel = self.name, "{trouble}; trying again"),
            }
            self.stop.run_until_cancelled(sleep(LOOK_AGAIN)).await;
        }
    }

    async fn until_next(&self, lately: &Lately) -> Duration {
        let next = self.outbox.next_due(&self.name).await.ok().flatten();
        let now = self.clock.now();
        let shortest = Duration::from_millis(50);
        let pause = |due: Timestamp| due.max(lately.rests_until()).since(now);
        next.map_or(LOOK_AGAIN, |due| pause(due).clamp(shortest, LOOK_AGAIN))
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
                let line = headline(&notice.body);
                if line.starts_with("resolved") {
                    info!(notice = notice.id, "{line}");
                } else {
                    warn!(notice = notice.id, "{line}");
                }
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
