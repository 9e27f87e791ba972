//! A disk so small that it can be filled: a tmpfs of the test's own.

use std::{
    env,
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

/// Set for a test that runs again in namespaces of its own.
const INSIDE: &str = "WAYSTATION_TESTS_MAY_MOUNT";

/// Runs the test `name` again where it may mount, if it may not here. `true`: it has run, and well.
///
/// Fails where neither is possible: a fault that cannot be shown must not look lived through.
pub(crate) fn ran_elsewhere(name: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    if mount(folder.path(), "size=64k") {
        unmount(folder.path());
        return false;
    }
    assert!(
        env::var_os(INSIDE).is_none(),
        "cannot mount a tmpfs, neither here nor in a user namespace: run the tests as root, or \
         allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
    );
    let again = Command::new("unshare")
        .arg("-rm")
        .arg(env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare of util-linux");
    assert!(again.success(), "{name} in a namespace of its own: {again}");
    true
}

/// Gone when dropped.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    pub(crate) fn mount(at: &Path, megabytes: u32) -> Self {
        fs::create_dir_all(at).unwrap();
        assert!(mount(at, &format!("size={megabytes}m")), "cannot mount a tmpfs");
        Self { at: at.to_owned() }
    }

    /// Takes all the room there is. What others give back meanwhile, the next call takes.
    pub(crate) fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.filler()).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            let block = vec![0; size];
            let full = loop {
                if let Err(full) = file.write_all(&block) {
                    break full;
                }
            };
            assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
        }
    }

    /// Gives it back.
    pub(crate) fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.at);
    }
}

fn mount(at: &Path, options: &str) -> bool {
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at);
    command.output().is_ok_and(|output| output.status.success())
}

/// Whoever still has a file open there may go on.
fn unmount(at: &Path) {
    Command::new("umount").arg("-l").arg(at).status().ok();
}
