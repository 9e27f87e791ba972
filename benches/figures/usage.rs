//! What a process has used, as the kernel counts it.

use std::{fs, time::Duration};

/// The kernel reports in hundredths of a second on every Linux machine (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Processor time of all threads of a process, the ended ones too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl Cpu {
    pub(crate) fn of(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
        // The name in parentheses may hold anything; fields 14 and 15 stand behind it.
        let (_, rest) = stat.rsplit_once(')').unwrap();
        let mut fields =
            rest.split_whitespace().skip(11).map(|field| field.parse::<u32>().unwrap());
        let mut next = || TICK * fields.next().unwrap();
        Self { user: next(), system: next() }
    }

    /// What was used since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }

    pub(crate) fn micros_each(self, messages: u64) -> f64 {
        (self.user + self.system).as_secs_f64() * 1e6 / messages as f64
    }
}

/// Processor time of one thread: what others do on the machine is not in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThreadTime(Duration);

impl ThreadTime {
    /// Of the calling thread, so far.
    pub(crate) fn now() -> Self {
        let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Self(Duration::from_nanos(stat.split_whitespace().next().unwrap().parse().unwrap()))
    }

    pub(crate) fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }
}

/// Memory a process holds now, in MB.
pub(crate) fn resident_mb(pid: u32) -> f64 {
    megabytes(pid, "VmRSS:")
}

/// The most it ever held, in MB.
pub(crate) fn peak_mb(pid: u32) -> f64 {
    megabytes(pid, "VmHWM:")
}

fn megabytes(pid: u32, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib * 1024.0 / 1e6
}
