//! The usual figures of our own process for `/metrics`, read when they are asked for.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use super::Counters;

/// Adds `process_…` to what [`Counters`] render.
pub fn publish_process(counters: &Counters) {
    let figures = Box::new(Figures(Mutex::new(System::new())));
    counters.register(|registry| registry.register_collector(figures));
}

#[derive(Debug)]
struct Figures(Mutex<System>);

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(now) = read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)) else {
            return Ok(());
        };
        counter(&mut encoder, "process_cpu_seconds", "CPU time used", now.cpu_seconds)?;
        gauge(&mut encoder, "process_resident_memory_bytes", "Memory held", now.resident)?;
        gauge(&mut encoder, "process_open_fds", "Files and sockets open", now.open_files)?;
        gauge(&mut encoder, "process_start_time_seconds", "Start, since 1970", now.started)
    }
}

#[derive(Debug, Clone, Copy)]
struct Now {
    cpu_seconds: f64,
    resident: i64,
    open_files: i64,
    started: i64,
}

fn read(system: &mut System) -> Option<Now> {
    let own = Pid::from_u32(std::process::id());
    let wanted = ProcessRefreshKind::nothing().with_cpu().with_memory().with_exe(UpdateKind::Never);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), true, wanted);
    let process = system.process(own)?;
    let millis = u32::try_from(process.accumulated_cpu_time()).unwrap_or(u32::MAX);
    Some(Now {
        cpu_seconds: f64::from(millis) / 1000.0,
        resident: i64::try_from(process.memory()).ok()?,
        open_files: i64::try_from(process.open_files().unwrap_or(0)).ok()?,
        started: i64::try_from(process.start_time()).ok()?,
    })
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    let metric = ConstCounter::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> fmt::Result {
    let metric = ConstGauge::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_has_figures() {
        let counters = Counters::default();
        publish_process(&counters);
        let page = counters.render().unwrap();
        let value = |name: &str| {
            let line = page.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in\n{page}")).trim().parse::<f64>().unwrap()
        };
        assert!(value("process_resident_memory_bytes ") > 1e6);
        assert!(value("process_start_time_seconds ") > 1.7e9);
        assert!(value("process_open_fds ") >= 3.0);
        assert!(value("process_cpu_seconds_total ") >= 0.0);
    }
}
