//! What the daemon says of its own parts, and the alerts it raises about itself.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use tokio::sync::watch;
use tracing::error;

use crate::{
    alert::{Alert, Happening, Ledger, OWN_DISTRICT, Standing},
    clock::Clock,
    live::Live,
    notify::Outbox,
    reading::Timestamp,
    telemetry::{
        Counters, Readiness,
        health::{self, Behind, Health, Input, Trouble},
    },
};

/// Doors whose trouble means that input is lost.
const DOORS: [&str; 2] = ["subscribe", "listen"];
/// Messages between two commits of a reader that keeps up.
const NORMAL_LAG: u64 = 100_000;
/// Gathers what [`health::run`] looks at.
pub(super) struct Figures {
    counters: Counters,
    max_bytes: u64,
    /// Whose lag matters. The embedded store is not among them: it commits an hour at a time.
    readers: Vec<&'static str>,
    readiness: Readiness,
    clock: Clock,
    /// Since when something is as it is now: a door down, a reader behind.
    since: Mutex<BTreeMap<&'static str, Timestamp>>,
    outbox: watch::Receiver<health::Outbox>,
}

impl Figures {
    pub(super) fn new(
        counters: Counters,
        max_bytes: u64,
        readers: Vec<&'static str>,
        readiness: Readiness,
        clock: Clock,
        outbox: watch::Receiver<health::Outbox>,
    ) -> Self {
        Self { counters, max_bytes, readers, readiness, clock, since: Mutex::default(), outbox }
    }

    pub(super) fn parts(&self) -> health::Parts {
        let troubles = self.readiness.troubles();
        let readers = self.readers.iter().map(|reader| {
            let messages = self.counters.lag_of(reader);
            let late = messages > NORMAL_LAG || troubles.contains_key(reader);
            Behind { reader, messages, since: self.since(reader, late) }
        });
        let inputs = DOORS.map(|name| {
            let down_since = self.since(name, troubles.contains_key(name));
            Input { name, down_since }
        });
        health::Parts {
            journal_bytes: self.counters.journal_size(),
            journal_max_bytes: self.max_bytes,
            readers: readers.collect(),
            outbox: self.outbox.borrow().clone(),
            inputs: inputs.into(),
        }
    }

    fn since(&self, name: &'static str, holds: bool) -> Option<Timestamp> {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if !holds {
            since.remove(name);
            return None;
        }
        Some(*since.entry(name).or_insert_with(|| self.clock.now()))
    }
}

/// Looks at the outbox as often as health is looked at.
pub(super) async fn watch_outbox(
    outbox: Outbox,
    figures: watch::Sender<health::Outbox>,
    mut health: watch::Receiver<Health>,
) -> anyhow::Result<()> {
    while health.changed().await.is_ok() {
        match outbox.waiting().await {
            Ok((waiting, oldest)) => {
                figures.send_replace(health::Outbox { waiting, oldest });
            }
            Err(trouble) => error!("{trouble}"),
        }
    }
    Ok(())
}

/// Raises an alert for each trouble, and resolves it when the trouble is over.
pub(super) async fn run(
    mut health: watch::Receiver<Health>,
    ledger: Ledger,
    live: Live,
    clock: Clock,
) -> anyhow::Result<()> {
    while health.changed().await.is_ok() {
        let troubles = health.borrow_and_update().troubles.clone();
        let happened = changes(&ledger.open_alerts(), &troubles, clock.now());
        if happened.is_empty() {
            continue;
        }
        match ledger.record(happened, Vec::new()).await {
            Ok(transitions) => {
                for transition in transitions {
                    live.announce_alert("waystation/daemon/host", &transition.alert);
                }
            }
            // Told again at the next look.
            Err(unavailable) => error!("{unavailable}"),
        }
    }
    Ok(())
}

/// What must be recorded so that our open alerts are these troubles.
fn changes(open: &[Alert], troubles: &[Trouble], now: Timestamp) -> Vec<Happening> {
    let ours: Vec<&Alert> = open.iter().filter(|alert| alert.district == OWN_DISTRICT).collect();
    let over = ours.iter().filter(|alert| !troubles.iter().any(|t| t.id == alert.rule));
    let new = troubles.iter().filter(|trouble| !ours.iter().any(|alert| alert.rule == trouble.id));
    let resolved =
        over.map(|alert| Happening::Resolved { id: alert.id.clone(), at: now, reason: None });
    let raised =
        new.map(|trouble| Happening::Raised { alert: Box::new(alert_of(trouble, now)), at: now });
    resolved.chain(raised).collect()
}

fn alert_of(trouble: &Trouble, now: Timestamp) -> Alert {
    Alert {
        id: format!("own-{}-{}", trouble.id, now.0),
        rule: trouble.id.to_owned(),
        severity: trouble.severity,
        state: Standing::Firing,
        district: OWN_DISTRICT.to_owned(),
        station: "daemon".to_owned(),
        device: "host".to_owned(),
        since: now,
        value: None,
        says: trouble.says.clone(),
        cure: trouble.cure.clone(),
        bring: Vec::new(),
        told: None,
        repeats: 0,
        escalated: false,
        acknowledged: None,
        ended: None,
        reason: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Severity, Text};

    fn trouble(id: &'static str) -> Trouble {
        let text = Text::default();
        Trouble { id, severity: Severity::Major, says: text.clone(), cure: text }
    }

    #[test]
    fn each_trouble_is_raised_once_and_resolved_when_it_is_over() {
        let now = Timestamp(7);
        let raised = changes(&[], &[trouble("disk_nearly_full")], now);
        let [Happening::Raised { alert, .. }] = raised.as_slice() else { panic!("{raised:?}") };
        let open = [alert.as_ref().clone()];
        assert_eq!(changes(&open, &[trouble("disk_nearly_full")], Timestamp(8)), []);
        let over = changes(&open, &[], Timestamp(9));
        assert!(matches!(&over[..], [Happening::Resolved { id, .. }] if *id == alert.id));
    }

    #[test]
    fn alerts_of_stations_are_left_alone() {
        let mut alert = alert_of(&trouble("x"), Timestamp(1));
        alert.district = "putuo".to_owned();
        assert_eq!(changes(&[alert], &[], Timestamp(2)), []);
    }
}
