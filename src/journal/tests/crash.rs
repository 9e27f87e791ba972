//! A process that is killed while it appends: what it said is durable is there afterwards.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command as Process, Stdio},
};

use rand::{Rng, SeedableRng};

use super::*;

const DIR: &str = "WAYSTATION_TEST_JOURNAL";

/// Not a test of its own: what the killed process runs, for ever.
#[tokio::test]
async fn appends_until_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let settings =
        settings::Journal { max_bytes: ByteSize::mib(64), ..settings::Journal::default() };
    let (counters, readiness) = (Counters::default(), Readiness::default());
    let dir = PathBuf::from(dir);
    let journal = Journal::open(&dir, &settings, &["decode"], counters, readiness).unwrap();
    loop {
        let next = journal.last() + 1;
        let append = |more| journal.append(messages(next + more, 3, 500));
        let appended = futures_util::future::join_all((0..3).map(append)).await;
        let newest = appended.into_iter().map(Result::unwrap).max().unwrap();
        journal.annotate(newest, Annotations { repeats: vec![7], ..Annotations::default() });
        journal.save_state(vec![("upto".to_owned(), newest.to_le_bytes().to_vec())], newest - 2);
        let mut out = std::io::stdout().lock();
        writeln!(out, "durable {newest}").unwrap();
        out.flush().unwrap();
    }
}

fn start(dir: &Path) -> Child {
    let test = "journal::tests::crash::appends_until_killed";
    Process::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the process after it spoke `lines` times; the newest group it said is durable.
fn run_and_kill(dir: &Path, lines: usize) -> u64 {
    let mut child = start(dir);
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let durable = |line: String| line.rsplit_once("durable ").map(|(_, n)| n.parse().unwrap());
    let mut newest = said.by_ref().filter_map(durable).take(lines).last().unwrap_or(0);
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said by then, but nobody had read.
    newest = said.filter_map(durable).last().unwrap_or(newest);
    newest
}

#[tokio::test]
async fn what_was_durable_is_there_after_a_kill_at_any_moment() {
    let bench = Bench::new();
    let mut random = rand_pcg::Pcg64::seed_from_u64(1);
    let mut durable = 0;
    for round in 0..25 {
        let newest = run_and_kill(bench.dir.path(), random.random_range(0..40));
        durable = durable.max(newest);
        let journal = bench.try_open(&["decode"]).unwrap();
        assert!(journal.last() >= durable, "round {round}: {} of {durable}", journal.last());
        check(&journal).await;
        durable = journal.last();
        journal.close().await;
    }
    assert!(durable > 300, "the processes did something: {durable}");
}

/// Every group that nobody passed is there and whole, and the memory fits the position.
async fn check(journal: &Journal) {
    let from = journal.committed("decode") + 1;
    let groups = read_all(journal, from).await;
    assert_eq!(numbers(&groups), (from..=journal.last()).collect::<Vec<_>>());
    for group in groups {
        assert_eq!(group.messages, messages(group.number, 3, 500), "group {}", group.number);
    }
    let state = journal.load_state().await.unwrap();
    let expected = (from > 1).then(|| ("upto".to_owned(), (from + 1).to_le_bytes().to_vec()));
    assert_eq!(state, Vec::from_iter(expected));
}
