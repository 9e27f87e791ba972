//! Fault 7: a file of ours is damaged at start.
//!
//! Every case begins with the same used data directory, damages one file of it, and starts. What
//! cannot be used is named with a command that mends it; until somebody gives it, nothing changes.

use std::{
    fs::{self, File, Permissions},
    os::unix::{
        fs::{FileExt, MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use sha2::{Digest, Sha256};

use crate::{
    support::{
        daemon::Daemon,
        publisher::{Plan, Publisher},
        wait,
    },
    town::{message, now_ms, stations, stored},
};

const LONG: Duration = Duration::from_mins(1);
const SETTINGS: &str = "[listen]\nmqtt = \"127.0.0.1:0\"\n[web]\nlisten = \"127.0.0.1:0\"\n\
                        [journal]\nmax_bytes = \"1MiB\"\n";
/// Messages of a used data directory.
const COUNT: u64 = 4000;
/// The files that are databases.
const FILES: [&str; 4] = ["journal.sqlite", "alerts.sqlite", "store.sqlite", "state.sqlite"];

type Harm = fn(&Path);

/// What leaves a file that cannot be used at all.
const RUIN: [(&str, Harm); 7] = [
    ("garbage in its head", |file| overwrite(file, 0, &[0x55; 100])),
    ("garbage in its first page", |file| overwrite(file, 100, &[0x55; 3996])),
    ("cut off", |file| File::options().write(true).open(file).unwrap().set_len(5000).unwrap()),
    ("zeros", |file| {
        let length = usize::try_from(fs::metadata(file).unwrap().len()).unwrap();
        overwrite(file, 0, &vec![0; length]);
    }),
    ("empty, with its log", |file| {
        File::options().write(true).open(file).unwrap().set_len(0).unwrap();
        fs::write(log_of(file), vec![0x55; 5000]).unwrap();
    }),
    ("a newer version", |file| overwrite(file, 60, &99_u32.to_be_bytes())),
    ("a directory", |file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
        fs::write(file.join("what somebody put there"), "x").unwrap();
    }),
];

fn overwrite(file: &Path, at: u64, with: &[u8]) {
    File::options().write(true).open(file).unwrap().write_all_at(with, at).unwrap();
}

fn log_of(file: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", file.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ruined_journal_is_left_as_it_is_and_what_is_said_mends_it() {
    ruined("journal.sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ruined_ledger_is_left_as_it_is_and_what_is_said_mends_it() {
    ruined("alerts.sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ruined_store_is_left_as_it_is_and_what_is_said_mends_it() {
    ruined("store.sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ruined_file_of_commands_is_left_as_it_is_and_what_is_said_mends_it() {
    ruined("state.sqlite").await;
}

/// A user who is not root, for whom permissions count.
const NOBODY: u32 = 65_534;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_may_not_be_read_is_named_with_what_to_check() {
    let used = Used::new().await;
    used.restore();
    let (data, folder) = (used.daemon.data_dir(), used.daemon.folder());
    // Where the tests may be built nobody else can look; and root may read everything.
    let program = folder.join("waystation");
    fs::copy(env!("CARGO_BIN_EXE_waystation"), &program).unwrap();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    for name in FILES {
        used.restore();
        if is_root {
            let owner = format!("{NOBODY}:{NOBODY}");
            let given = Command::new("chown").arg("-R").arg(owner).arg(&data).status();
            assert!(given.unwrap().success());
        }
        let file = data.join(name);
        fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
        let mut command = Command::new(&program);
        command.arg("run").arg("--config").arg(used.daemon.config_dir());
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = said.lines().last().unwrap_or_default();
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(
            last.starts_with("waystation: ") && last.contains(file.to_str().unwrap()),
            "{said}"
        );
        assert!(last.contains("this user may"), "{name}: no cure in {last}");
    }
}

async fn ruined(name: &str) {
    let mut used = Used::new().await;
    for (what, harm) in RUIN {
        used.restore();
        let file = used.daemon.data_dir().join(name);
        harm(&file);
        let before = print_of(&used.daemon.data_dir(), name);
        let said = refused(&mut used.daemon, &format!("{name}: {what}")).await;
        assert!(said.contains(file.to_str().unwrap()), "{name}: {what}: {said}");
        let after = print_of(&used.daemon.data_dir(), name);
        assert_eq!(before, after, "{name}: {what}: changed by a start that failed");
        follow_advice(&said);
        works(&mut used.daemon, &format!("{name}: {what}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_middle_is_said_and_the_rest_is_usable() {
    let mut used = Used::new().await;
    for name in FILES {
        for part in [0.3, 0.5, 0.8] {
            let what = format!("{name}: damage at {part}");
            used.restore();
            let file = used.daemon.data_dir().join(name);
            let length = fs::metadata(&file).unwrap().len();
            let at = format!("{:.0}", part * f64::from(u32::try_from(length).unwrap()));
            overwrite(&file, at.parse().unwrap(), &[0xA5; 600]);
            let before = print_of(&used.daemon.data_dir(), name);
            used.daemon.launch();
            let up = comes_up(&mut used.daemon).await;
            if !up {
                let said = last_words(&used.daemon);
                assert!(said.contains(file.to_str().unwrap()), "{what}: {said}");
                assert_eq!(before, print_of(&used.daemon.data_dir(), name), "{what}: changed");
                follow_advice(&said);
                used.daemon.start_again().await;
            }
            publishes(&used.daemon, &what).await;
            used.daemon.kill();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_of_the_store_is_said_and_the_others_are_shown() {
    let mut used = Used::new().await;
    used.restore();
    let store = rusqlite::Connection::open(used.daemon.data_dir().join("store.sqlite")).unwrap();
    let harm =
        "UPDATE parts SET block = zeroblob(length(block)) WHERE id = (SELECT min(id) FROM parts)";
    assert_eq!(store.execute(harm, []).unwrap(), 1);
    drop(store);
    used.daemon.start_again().await;
    let shown = stored(&used.daemon).await.len();
    assert!(shown > 3000 && shown < 4000, "{shown} of {COUNT}");
    let log = used.daemon.log();
    assert!(log.contains("a row of store.sqlite is damaged and skipped"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_is_begun_anew_and_that_is_said() {
    let mut used = Used::new().await;
    for name in FILES {
        used.restore();
        File::create(used.daemon.data_dir().join(name)).unwrap();
        works(&mut used.daemon, name).await;
        let log = used.daemon.log();
        assert!(log.contains(&format!("{name} is empty and begun anew")), "{name}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_a_note_of_ours_may_say_anything() {
    let mut used = Used::new().await;
    for name in ["addresses.json", "lock"] {
        used.restore();
        fs::write(used.daemon.data_dir().join(name), [0xFF; 5000]).unwrap();
        works(&mut used.daemon, name).await;

        used.restore();
        let file = used.daemon.data_dir().join(name);
        fs::remove_file(&file).ok();
        fs::create_dir(&file).unwrap();
        fs::write(file.join("what somebody put there"), "x").unwrap();
        let said = refused(&mut used.daemon, name).await;
        assert!(said.contains(file.to_str().unwrap()) && said.contains("move"), "{said}");
        assert!(file.join("what somebody put there").exists());
        fs::rename(&file, used.daemon.folder().join(format!("{name}-moved"))).unwrap();
        works(&mut used.daemon, name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_was_moved_away_hides_nothing_new_from_store_and_alerts() {
    let mut used = Used::new().await;
    used.restore();
    let data = used.daemon.data_dir();
    for file in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
        fs::remove_file(data.join(file)).ok();
    }
    used.daemon.start_again().await;
    let log = used.daemon.log();
    assert!(log.contains("the journal is not the one that store and alerts know"), "{log}");
    let open = open_alerts(&used.daemon).await;
    // Warm from the first message on: were its groups numbered from 1 again, they would be skipped.
    let warm: crate::support::publisher::Make = std::sync::Arc::new(|n| {
        let payload = format!(
            r#"{{"boot":2,"seq":{},"readings":[{{"temp_c":9.5,"items_out_total":{}}}]}}"#,
            n + 1,
            900_000 + n
        );
        (format!("waystation/v1/d/s/fridge-{}/telemetry", 30 + n), payload.into_bytes())
    });
    let plan = Plan { count: 5, ..Plan::new(used.daemon.mqtt(), "after") };
    Publisher::start(plan, warm).finished(LONG).await;
    wait::until_async("five new alerts", LONG, async || {
        open_alerts(&used.daemon).await >= open + 5
    })
    .await;
    has(&used.daemon, 900_000..900_005).await;
    used.daemon.stop(LONG).await;
    used.daemon.start_again().await;
    has(&used.daemon, 900_000..900_005).await;
    assert!(open_alerts(&used.daemon).await >= open + 5);
}

async fn open_alerts(daemon: &Daemon) -> usize {
    let listed = daemon.get_json("/api/v1/alerts?state=open").await;
    let alerts = listed.as_array().or_else(|| listed["alerts"].as_array()).unwrap();
    alerts.iter().filter(|alert| alert["rule"] == "too_warm").count()
}

/// A daemon that has lived, and its data directory as it was left, to begin each case with.
struct Used {
    daemon: Daemon,
    as_left: PathBuf,
}

impl Used {
    async fn new() -> Self {
        let mut daemon = Daemon::start(SETTINGS, &stations()).await;
        let plan = Plan { count: COUNT, ..Plan::new(daemon.mqtt(), "before") };
        Publisher::start(plan, message(now_ms())).finished(LONG).await;
        has(&daemon, COUNT - 100..COUNT).await;
        let status = daemon.stop(LONG).await;
        assert!(status.success(), "{status}:\n{}", daemon.log());
        let as_left = daemon.folder().join("as-left");
        // SQLite would read what is damaged in the file from its log, and rightly so.
        for name in FILES {
            let file = rusqlite::Connection::open(daemon.data_dir().join(name)).unwrap();
            file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        }
        fs::rename(daemon.data_dir(), &as_left).unwrap();
        Self { daemon, as_left }
    }

    fn restore(&self) {
        fs::remove_dir_all(self.daemon.data_dir()).ok();
        let copied = Command::new("cp")
            .args(["-a".as_ref(), self.as_left.as_os_str()])
            .arg(self.daemon.data_dir())
            .status();
        assert!(copied.unwrap().success());
    }
}

/// The file and what SQLite keeps beside it that is not made anew at each start.
fn print_of(dir: &Path, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut prints = Vec::new();
    for file in [dir.join(name), log_of(&dir.join(name))] {
        let bytes = fs::read(&file).unwrap_or_default();
        // SQLite makes an empty log at each look.
        if !bytes.is_empty() || file.is_dir() {
            prints.push((file, Sha256::digest(bytes).to_vec()));
        }
    }
    prints
}

/// Starts it, which must fail as failures do: exit code 1 and one line. Gives that line.
async fn refused(daemon: &mut Daemon, what: &str) -> String {
    daemon.launch();
    assert!(!comes_up(daemon).await, "{what}: it came up:\n{}", daemon.log());
    last_words(daemon)
}

/// Whether it comes up; if not, it has ended with code 1.
async fn comes_up(daemon: &mut Daemon) -> bool {
    let addresses = daemon.data_dir().join("addresses.json");
    let mut ended = None;
    wait::until("it comes up or ends", LONG, || {
        ended = daemon.process().exited();
        ended.is_some() || addresses.is_file()
    })
    .await;
    if let Some(status) = ended {
        assert_eq!(status.code(), Some(1), "{}", daemon.log());
    }
    ended.is_none()
}

fn last_words(daemon: &Daemon) -> String {
    let log = daemon.log();
    let line = log.lines().last().unwrap_or_default();
    assert!(line.starts_with("waystation: "), "{log}");
    line.to_owned()
}

/// Does to the letter what the message says.
fn follow_advice(said: &str) {
    let begin = said.find("for f in").unwrap_or_else(|| panic!("no command in: {said}"));
    let length = said[begin..].find("done").unwrap() + "done".len();
    let command = &said[begin..begin + length];
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
}

/// It starts, and what is published is stored.
async fn works(daemon: &mut Daemon, what: &str) {
    daemon.start_again().await;
    publishes(daemon, what).await;
    daemon.kill();
}

async fn publishes(daemon: &Daemon, what: &str) {
    let plan = Plan { count: 200, ..Plan::new(daemon.mqtt(), "after") };
    let numbers = message(now_ms());
    let later = std::sync::Arc::new(move |n| {
        let (topic, payload) = numbers(n + COUNT);
        (topic, payload)
    });
    let mut publisher = Publisher::start(plan, later);
    publisher.finished(LONG).await;
    assert_eq!(publisher.acknowledged_count(), 200, "{what}");
    has(daemon, COUNT..COUNT + 200).await;
}

async fn has(daemon: &Daemon, numbers: std::ops::Range<u64>) {
    let what = format!("messages {numbers:?} are stored");
    wait::until_async(&what, LONG, async || {
        let stored = stored(daemon).await;
        numbers.clone().all(|number| stored.contains_key(&number))
    })
    .await;
}
