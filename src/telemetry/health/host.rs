//! CPU, memory and disk of the host, by sysinfo.

use std::path::{Path, PathBuf};

use sysinfo::{CpuRefreshKind, DiskRefreshKind, Disks, MemoryRefreshKind, RefreshKind, System};

/// What one look at the host found.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Host {
    /// Of all cores together, since the look before.
    pub cpu_pct: f64,
    pub memory_total: u64,
    pub memory_available: u64,
    /// Of the filesystem that holds `data_dir`; `None` where it cannot be told.
    pub disk: Option<Disk>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    pub total: u64,
    pub free: u64,
}

/// Looks at the host again and again: the share of CPU is that between two looks.
#[derive(Debug)]
pub struct Probe {
    data_dir: PathBuf,
    system: System,
    disks: Disks,
}

impl Probe {
    pub fn new(data_dir: PathBuf) -> Self {
        Self { data_dir, system: System::new(), disks: Disks::new() }
    }

    pub fn look(&mut self) -> Host {
        let wanted = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_cpu_usage())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        self.system.refresh_specifics(wanted);
        self.disks.refresh_specifics(true, DiskRefreshKind::nothing().with_storage());
        Host {
            cpu_pct: f64::from(self.system.global_cpu_usage()),
            memory_total: self.system.total_memory(),
            memory_available: self.system.available_memory(),
            disk: self.disk(),
        }
    }

    fn disk(&self) -> Option<Disk> {
        let data_dir = self.data_dir.canonicalize().ok()?;
        let mounts = self.disks.iter().map(|disk| (disk.mount_point(), disk));
        let (_, disk) = holding(&data_dir, mounts)?;
        Some(Disk { total: disk.total_space(), free: disk.available_space() })
    }
}

/// The mount point that is the longest beginning of `path`.
fn holding<'a, T>(
    path: &Path,
    mounts: impl Iterator<Item = (&'a Path, T)>,
) -> Option<(&'a Path, T)> {
    let above = mounts.filter(|(mount, _)| path.starts_with(mount));
    above.max_by_key(|(mount, _)| mount.components().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_point_holds_the_folder() {
        let mounts = ["/", "/var", "/var/lib/way", "/var/lib/waystation"];
        for (path, expected) in [
            ("/var/lib/waystation/data", "/var/lib/waystation"),
            ("/var/lib/waystation2", "/var"),
            ("/srv", "/"),
        ] {
            let found = holding(Path::new(path), mounts.iter().map(|mount| (Path::new(mount), ())));
            assert_eq!(found.unwrap().0, Path::new(expected), "{path}");
        }
    }
}
