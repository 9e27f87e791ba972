//! Files that are not what we wrote: said, never repaired in silence, the rest is usable.

use std::{
    fs::OpenOptions,
    io::{Seek, SeekFrom, Write},
};

use proptest::prelude::*;

use super::*;

fn file(bench: &Bench) -> PathBuf {
    bench.dir.path().join("journal.sqlite")
}

/// A closed journal of groups 1 to `count`, all in the file itself.
async fn written(bench: &Bench, count: u64, size: usize) {
    let journal = bench.open();
    let appends = (1..=count).map(|seed| journal.append(messages(seed, 3, size)));
    futures_util::future::try_join_all(appends).await.unwrap();
    journal.close().await;
    drop(journal);
    let connection = Connection::open(file(bench)).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

fn overwrite(bench: &Bench, at: u64, with: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(file(bench)).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(with).unwrap();
}

fn change(bench: &Bench, sql: &str) {
    Connection::open(file(bench)).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_damaged_group_is_said_counted_and_skipped() {
    for damage in [
        "UPDATE groups SET block = zeroblob(length(block)) WHERE number = 3",
        "UPDATE groups SET messages = 99 WHERE number = 3",
        "UPDATE groups SET raw_len = 1 << 60 WHERE number = 3",
        "UPDATE groups SET raw_len = -1 WHERE number = 3",
        "INSERT INTO annotations VALUES (3, x'00')",
    ] {
        let bench = Bench::new();
        written(&bench, 5, 50).await;
        change(&bench, damage);
        let journal = bench.open();
        for _again in 0..2 {
            assert_eq!(numbers(&read_all(&journal, 1).await), [1, 2, 4, 5], "{damage}");
        }
        assert!(bench.shows("waystation_journal_damaged_groups_total 1"));
        assert_eq!(journal.append(messages(6, 1, 1)).await, Ok(6));
    }
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_refused_with_a_cure_and_left_alone() {
    type Damage = fn(&Bench);
    let cases: [(&str, Damage); 4] = [
        ("damaged", |bench| overwrite(bench, 0, &[0x55; 100])),
        ("damaged", |bench| overwrite(bench, 100, &[0x55; 3996])),
        ("damaged", |bench| {
            let file = OpenOptions::new().write(true).open(file(bench)).unwrap();
            file.set_len(5000).unwrap();
        }),
        ("not a journal", |bench| change(bench, "PRAGMA application_id = 7")),
    ];
    for (says, damage) in cases {
        let bench = Bench::new();
        written(&bench, 20, 1000).await;
        damage(&bench);
        let before = std::fs::read(file(&bench)).unwrap();
        let refused = bench.try_open(&READERS).unwrap_err();
        let shown = refused.to_string();
        assert!(shown.contains(says) && shown.contains("move"), "{shown}");
        assert!(shown.starts_with(file(&bench).to_str().unwrap()), "{shown}");
        assert!(std::fs::read(file(&bench)).unwrap() == before, "{says}: the file was changed");
    }
}

#[tokio::test]
async fn the_cure_it_names_works() {
    let bench = Bench::new();
    written(&bench, 3, 10).await;
    overwrite(&bench, 0, &[0x55; 100]);
    let refused = bench.try_open(&READERS).unwrap_err();
    let start = refused.cure.find("for f in").unwrap();
    let end = refused.cure.find("done").unwrap() + 4;
    let cure = &refused.cure[start..end];
    assert!(std::process::Command::new("sh").args(["-c", cure]).status().unwrap().success());
    assert_eq!(bench.open().append(messages(1, 1, 1)).await, Ok(1));
    let mut names =
        std::fs::read_dir(bench.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let aside = |name: std::ffi::OsString| name.to_str().unwrap().starts_with("journal.sqlite.dam");
    assert!(names.any(aside), "the damaged journal is kept");
}

#[tokio::test]
async fn a_journal_of_a_newer_program_is_refused() {
    let bench = Bench::new();
    written(&bench, 1, 10).await;
    change(&bench, "PRAGMA user_version = 2");
    let refused = bench.try_open(&READERS).unwrap_err().to_string();
    assert!(refused.contains("format 2") && refused.contains("newer"), "{refused}");
}

#[tokio::test]
async fn a_file_cut_off_while_it_was_made_is_made_again() {
    let bench = Bench::new();
    let connection = Connection::open(file(&bench)).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA user_version = 0").unwrap();
    drop(connection);
    assert_eq!(bench.open().append(messages(1, 1, 1)).await, Ok(1));
}

/// Opens, reads, appends and trims a journal of 40 groups whose file was overwritten somewhere.
async fn use_damaged(at: u64, with: &[u8]) {
    let bench = Bench::new();
    written(&bench, 40, 3000).await;
    let length = std::fs::metadata(file(&bench)).unwrap().len();
    overwrite(&bench, at % length, with);
    let journal = match bench.try_open(&READERS) {
        Ok(journal) => journal,
        Err(refused) => return assert!(refused.cure.contains("journal.sqlite"), "{refused}"),
    };
    for group in read_all(&journal, 1).await {
        assert_eq!(group.messages, messages(group.number, 3, 3000), "group {}", group.number);
    }
    let appended = journal.append(messages(1000, 3, 3000)).await;
    journal.commit("store", 30);
    journal.commit("alert", 30);
    let trimmed = journal.flush().await;
    if let (Ok(number), Ok(())) = (appended, trimmed) {
        assert_eq!(number, journal.last());
        let kept = journal.read(number, 1).await.unwrap();
        assert_eq!(kept[0].messages, messages(1000, 3, 3000));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn damage_anywhere_gives_no_wrong_message_and_no_panic(
        at in any::<u64>(),
        with in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(use_damaged(at, &with));
    }
}
