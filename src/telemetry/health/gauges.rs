//! Host health as gauges of `/metrics`.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::gauge::Gauge;

use super::{super::Counters, Figures};

type Number = Gauge<f64, AtomicU64>;

#[derive(Debug)]
pub(super) struct Gauges {
    cpu: Number,
    memory_total: Number,
    memory_available: Number,
    disk_total: Number,
    disk_free: Number,
    outbox_waiting: Number,
}

impl Gauges {
    pub(super) fn register(counters: &Counters) -> Self {
        let gauges = Self {
            cpu: Number::default(),
            memory_total: Number::default(),
            memory_available: Number::default(),
            disk_total: Number::default(),
            disk_free: Number::default(),
            outbox_waiting: Number::default(),
        };
        counters.register(|registry| {
            let ours = registry.sub_registry_with_prefix("waystation");
            for (name, help, gauge) in [
                ("host_cpu_ratio", "Share of the host's CPU in use", &gauges.cpu),
                ("host_memory_total_bytes", "Memory of the host", &gauges.memory_total),
                ("host_memory_available_bytes", "Memory left", &gauges.memory_available),
                ("host_disk_total_bytes", "Size of the disk with our data", &gauges.disk_total),
                ("host_disk_free_bytes", "Room left on it", &gauges.disk_free),
                ("outbox_waiting_notices", "Notices yet to be sent", &gauges.outbox_waiting),
            ] {
                ours.register(name, help, gauge.clone());
            }
        });
        gauges
    }

    pub(super) fn publish(&self, figures: &Figures) {
        self.cpu.set(figures.host.cpu_pct / 100.0);
        self.memory_total.set(float(figures.host.memory_total));
        self.memory_available.set(float(figures.host.memory_available));
        if let Some(disk) = figures.host.disk {
            self.disk_total.set(float(disk.total));
            self.disk_free.set(float(disk.free));
        }
        self.outbox_waiting.set(float(figures.parts.outbox.waiting));
    }
}

pub(super) fn fields(figures: &Figures) -> Vec<(&'static str, f64)> {
    let (host, parts) = (&figures.host, &figures.parts);
    let mut fields = vec![
        ("cpu_pct", host.cpu_pct),
        ("memory_total_bytes", float(host.memory_total)),
        ("memory_available_bytes", float(host.memory_available)),
        ("journal_bytes", float(parts.journal_bytes)),
        ("outbox_waiting", float(parts.outbox.waiting)),
    ];
    if let Some(disk) = host.disk {
        fields.extend([
            ("disk_total_bytes", float(disk.total)),
            ("disk_free_bytes", float(disk.free)),
        ]);
    }
    for reader in &parts.readers {
        let name = match reader.reader {
            "store" => "store_behind_messages",
            "alert" => "alert_behind_messages",
            _ => continue,
        };
        fields.push((name, float(reader.messages)));
    }
    fields
}

/// Bytes and counts as floats; above 2^53 they are rounded.
pub(super) fn float(number: u64) -> f64 {
    let high = u32::try_from(number >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}
