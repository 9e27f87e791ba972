//! Counters and gauges in the Prometheus text form. Methods are the verbs of what happened.
//!
//! Labels come as anything with a stable word of its own (`Into<&'static str>`), so that this module
//! knows none of those who count.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// A handle all stages share.
#[derive(Debug, Clone)]
pub struct Counters(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Mutex<Registry>,
    received: Family<SourceLabel, Counter>,
    journaled: Counter,
    acknowledged: Family<SourceLabel, Counter>,
    stored: Counter,
    rejections: Family<CodeLabel, Counter>,
    journal_bytes: Gauge,
    journal_dropped: Counter,
    journal_damaged: Counter,
    reader_behind: Family<ReaderLabel, Gauge>,
    alerts: Family<AlertLabel, Gauge>,
    notices: Family<NoticeLabel, Counter>,
    store_refused: Counter,
    repeats: Counter,
    gaps: Counter,
    fsync_seconds: Gauge<f64, AtomicU64>,
    connections: Gauge,
    connections_refused: Family<ReasonLabel, Counter>,
    connections_ended: Family<ReasonLabel, Counter>,
    downward_dropped: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabel {
    source: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReaderLabel {
    reader: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AlertLabel {
    severity: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoticeLabel {
    channel: String,
    outcome: &'static str,
}

impl Default for Counters {
    fn default() -> Self {
        Self(Arc::new(Inner::new()))
    }
}

impl Counters {
    pub fn received(&self, source: impl Into<&'static str>, messages: u64) {
        let label = SourceLabel { source: source.into() };
        self.0.received.get_or_create(&label).inc_by(messages);
    }

    pub fn journaled(&self, messages: u64) {
        self.0.journaled.inc_by(messages);
    }

    pub fn acknowledged(&self, source: impl Into<&'static str>, messages: u64) {
        let label = SourceLabel { source: source.into() };
        self.0.acknowledged.get_or_create(&label).inc_by(messages);
    }

    pub fn stored(&self, readings: u64) {
        self.0.stored.inc_by(readings);
    }

    pub fn rejected(&self, code: impl Into<&'static str>, count: u64) {
        self.0.rejections.get_or_create(&CodeLabel { code: code.into() }).inc_by(count);
    }

    pub fn journal_bytes(&self, bytes: u64) {
        self.0.journal_bytes.set(saturating(bytes));
    }

    /// Messages the journal let go before every reader had them.
    pub fn journal_dropped(&self, messages: u64) {
        self.0.journal_dropped.inc_by(messages);
    }

    /// Groups of the journal that could not be read back.
    pub fn journal_damaged(&self, groups: u64) {
        self.0.journal_damaged.inc_by(groups);
    }

    pub fn reader_behind(&self, reader: &'static str, messages: u64) {
        self.0.reader_behind.get_or_create(&ReaderLabel { reader }).set(saturating(messages));
    }

    pub fn alerts(&self, severity: impl Into<&'static str>, state: &'static str, count: u64) {
        let label = AlertLabel { severity: severity.into(), state };
        self.0.alerts.get_or_create(&label).set(saturating(count));
    }

    pub fn notice(&self, channel: &str, outcome: &'static str) {
        let label = NoticeLabel { channel: channel.to_owned(), outcome };
        self.0.notices.get_or_create(&label).inc();
    }

    /// Readings the store will never take, set aside.
    pub fn store_refused(&self, readings: u64) {
        self.0.store_refused.inc_by(readings);
    }

    pub fn repeats(&self, messages: u64) {
        self.0.repeats.inc_by(messages);
    }

    /// Messages that devices numbered and we never saw.
    pub fn gaps(&self, messages: u64) {
        self.0.gaps.inc_by(messages);
    }

    /// How long the last fsync of the journal took.
    pub fn fsync(&self, took: std::time::Duration) {
        self.0.fsync_seconds.set(took.as_secs_f64());
    }

    /// Devices connected to `listen` now.
    pub fn connections(&self, count: u64) {
        self.0.connections.set(saturating(count));
    }

    /// A client that `listen` did not let in, and why.
    pub fn connection_refused(&self, reason: impl Into<&'static str>) {
        self.0.connections_refused.get_or_create(&ReasonLabel { reason: reason.into() }).inc();
    }

    /// A client of `listen` that is gone, and why.
    pub fn connection_ended(&self, reason: impl Into<&'static str>) {
        self.0.connections_ended.get_or_create(&ReasonLabel { reason: reason.into() }).inc();
    }

    /// Messages to devices that found no room on their way.
    pub fn downward_dropped(&self, messages: u64) {
        self.0.downward_dropped.inc_by(messages);
    }

    /// The last size of the journal that was told.
    pub fn journal_size(&self) -> u64 {
        u64::try_from(self.0.journal_bytes.get()).unwrap_or(0)
    }

    /// What was last told of how far a reader is behind.
    pub fn lag_of(&self, reader: &'static str) -> u64 {
        let lag = self.0.reader_behind.get_or_create(&ReaderLabel { reader }).get();
        u64::try_from(lag).unwrap_or(0)
    }

    /// Adds a figure that only its owner knows (process figures, host health).
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.0.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All figures, as `/metrics` answers them.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut page = String::new();
        let registry = self.0.registry.lock().unwrap_or_else(PoisonError::into_inner);
        text::encode(&mut page, &registry)?;
        Ok(page)
    }
}

impl Inner {
    fn new() -> Self {
        let inner = Self {
            registry: Mutex::default(),
            received: Family::default(),
            journaled: Counter::default(),
            acknowledged: Family::default(),
            stored: Counter::default(),
            rejections: Family::default(),
            journal_bytes: Gauge::default(),
            journal_dropped: Counter::default(),
            journal_damaged: Counter::default(),
            reader_behind: Family::default(),
            alerts: Family::default(),
            notices: Family::default(),
            store_refused: Counter::default(),
            repeats: Counter::default(),
            gaps: Counter::default(),
            fsync_seconds: Gauge::default(),
            connections: Gauge::default(),
            connections_refused: Family::default(),
            connections_ended: Family::default(),
            downward_dropped: Counter::default(),
        };
        inner.register_all();
        inner
    }

    /// Names without `_total`: the encoder adds it to counters.
    fn register_all(&self) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let r = registry.sub_registry_with_prefix("waystation");
        r.register(
            "messages_received",
            "Messages taken from devices or the broker",
            self.received.clone(),
        );
        r.register("messages_journaled", "Messages on disk", self.journaled.clone());
        r.register("messages_acknowledged", "Messages acknowledged", self.acknowledged.clone());
        r.register("readings_stored", "Readings the store has taken", self.stored.clone());
        r.register("rejections", "What was refused", self.rejections.clone());
        r.register("journal_bytes", "Size of the journal", self.journal_bytes.clone());
        r.register(
            "journal_dropped_messages",
            "Messages dropped by a full journal",
            self.journal_dropped.clone(),
        );
        r.register(
            "journal_damaged_groups",
            "Groups of the journal that could not be read back",
            self.journal_damaged.clone(),
        );
        r.register(
            "reader_behind_messages",
            "Journaled messages a reader has yet to pass",
            self.reader_behind.clone(),
        );
        r.register("alerts", "Alerts by severity and state", self.alerts.clone());
        r.register("notices", "Notices by channel and outcome", self.notices.clone());
        r.register(
            "store_refused_readings",
            "Readings the store will never take",
            self.store_refused.clone(),
        );
        r.register(
            "repeated_messages",
            "Messages known already by device, boot and seq",
            self.repeats.clone(),
        );
        r.register(
            "missing_messages",
            "Messages that devices numbered and never arrived",
            self.gaps.clone(),
        );
        r.register(
            "fsync_seconds",
            "How long the last fsync of the journal took",
            self.fsync_seconds.clone(),
        );
        r.register("connections", "Devices connected to listen", self.connections.clone());
        r.register(
            "connections_refused",
            "Clients that listen did not let in",
            self.connections_refused.clone(),
        );
        r.register(
            "connections_ended",
            "Clients of listen that are gone",
            self.connections_ended.clone(),
        );
        r.register(
            "downward_dropped_messages",
            "Messages to devices that found no room on their way",
            self.downward_dropped.clone(),
        );
    }
}

fn saturating(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_the_names_others_rely_on() {
        let counters = Counters::default();
        counters.received("listen", 3);
        counters.rejected("not_json", 1);
        counters.notice("webhook", "sent");
        let page = counters.render().unwrap();
        for line in [
            r#"waystation_messages_received_total{source="listen"} 3"#,
            r#"waystation_rejections_total{code="not_json"} 1"#,
            r#"waystation_notices_total{channel="webhook",outcome="sent"} 1"#,
            "waystation_journal_bytes 0",
        ] {
            assert!(page.contains(line), "no {line} in\n{page}");
        }
    }
}
