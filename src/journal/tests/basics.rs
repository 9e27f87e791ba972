//! What every caller relies on.

use super::*;

#[tokio::test]
async fn what_was_appended_is_there_after_opening_again() {
    let bench = Bench::new();
    let journal = bench.open();
    assert_eq!(journal.last(), 0);
    for seed in 1..=5 {
        assert_eq!(journal.append(messages(seed, 10, 50)).await.unwrap(), seed);
    }
    journal.close().await;
    assert_eq!(journal.append(messages(6, 1, 1)).await, Err(AppendError::Closed));

    let journal = bench.open();
    assert_eq!(journal.last(), 5);
    let groups = read_all(&journal, 1).await;
    assert_eq!(numbers(&groups), [1, 2, 3, 4, 5]);
    for group in groups {
        assert_eq!(group.messages, messages(group.number, 10, 50));
    }
}

#[tokio::test]
async fn appends_that_wait_together_become_durable_in_order() {
    let bench = Bench::new();
    let journal = bench.open();
    // As many as its queue holds: those that wait for a place in it come in any order.
    let appends = (0..64).map(|seed| journal.append(messages(seed, 1, 10)));
    let numbers = futures_util::future::join_all(appends).await;
    let numbers: Vec<_> = numbers.into_iter().map(Result::unwrap).collect();
    assert_eq!(numbers, (1..=64).collect::<Vec<_>>());
    let groups = read_all(&journal, 33).await;
    assert_eq!(groups.len(), 32);
    assert_eq!(groups[0].messages, messages(32, 1, 10));
}

#[tokio::test]
async fn a_read_gives_at_least_one_group_and_about_what_was_asked() {
    let bench = Bench::new();
    let journal = bench.open();
    for seed in 0..10 {
        journal.append(messages(seed, 1, 1000)).await.unwrap();
    }
    assert_eq!(numbers(&journal.read(3, 1).await.unwrap()), [3]);
    assert_eq!(numbers(&journal.read(3, 2500).await.unwrap()), [3, 4, 5]);
    assert_eq!(numbers(&journal.read_upto(3, 4, 1 << 20).await.unwrap()), [3, 4]);
    assert_eq!(journal.read(11, 1 << 20).await.unwrap(), []);
}

#[tokio::test]
async fn a_group_goes_when_every_reader_has_passed_it_but_the_newest_stays() {
    let bench = Bench::new();
    let journal = bench.open();
    for seed in 0..10 {
        journal.append(messages(seed, 2, 10)).await.unwrap();
    }
    journal.commit("store", 10);
    journal.commit("alert", 4);
    journal.flush().await.unwrap();
    assert_eq!(numbers(&read_all(&journal, 1).await), [5, 6, 7, 8, 9, 10]);
    journal.commit("alert", 1000);
    journal.commit("alert", 3);
    assert_eq!(journal.committed("alert"), 10);
    journal.close().await;
    assert!(bench.shows(r#"waystation_reader_behind_messages{reader="alert"} 0"#));

    let journal = bench.open();
    assert_eq!(numbers(&read_all(&journal, 1).await), [10]);
    assert_eq!((journal.committed("store"), journal.last()), (10, 10));
    assert_eq!(journal.append(messages(0, 1, 10)).await.unwrap(), 11);
}

#[tokio::test]
async fn how_far_a_reader_is_behind_is_told_in_messages() {
    let bench = Bench::new();
    let journal = bench.open();
    for seed in 0..6 {
        journal.append(messages(seed, 7, 10)).await.unwrap();
    }
    journal.commit("store", 4);
    journal.close().await;
    assert!(bench.shows(r#"waystation_reader_behind_messages{reader="store"} 14"#));
    assert!(bench.shows(r#"waystation_reader_behind_messages{reader="alert"} 42"#));
}

#[tokio::test]
async fn a_commit_becomes_durable_by_itself() {
    let bench = Bench::new();
    let journal = bench.open();
    journal.append(messages(0, 1, 10)).await.unwrap();
    journal.commit("store", 1);
    let file = bench.dir.path().join("journal.sqlite");
    let on_disk = move || {
        let connection = Connection::open(&file).unwrap();
        let sql = "SELECT upto FROM readers WHERE name = 'store'";
        connection.query_row(sql, [], |row| row.get::<_, u64>(0)).optional().unwrap()
    };
    let waits = async {
        while on_disk() != Some(1) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), waits).await.unwrap();
}

#[tokio::test]
async fn a_reader_nobody_names_any_more_holds_nothing() {
    let bench = Bench::new();
    let journal = bench.try_open(&["store", "gone"]).unwrap();
    for seed in 0..5 {
        journal.append(messages(seed, 1, 10)).await.unwrap();
    }
    journal.commit("store", 3);
    journal.close().await;
    let journal = bench.try_open(&["store"]).unwrap();
    journal.flush().await.unwrap();
    assert_eq!(numbers(&read_all(&journal, 1).await), [4, 5]);
}

fn notes(index: u32) -> Annotations {
    Annotations {
        repeats: vec![index],
        booted: vec![(index + 1, Timestamp(7))],
        gaps: vec![(index, 3)],
        ..Annotations::default()
    }
}

#[tokio::test]
async fn annotations_are_seen_at_once_and_durable_with_the_state_that_covers_them() {
    let bench = Bench::new();
    let journal = bench.try_open(&["decode"]).unwrap();
    for seed in 0..3 {
        journal.append(messages(seed, 5, 10)).await.unwrap();
    }
    journal.annotate(1, notes(1));
    journal.annotate(3, notes(3));
    let seen = read_all(&journal, 1).await;
    assert_eq!([&seen[0].annotations, &seen[2].annotations], [&notes(1), &notes(3)]);

    journal.save_state(vec![("a/b/c".to_owned(), vec![1]), ("a/b/d".to_owned(), vec![2])], 0);
    journal.save_state(vec![("a/b/c".to_owned(), vec![3])], 1);
    journal.close().await;

    let journal = bench.try_open(&["decode"]).unwrap();
    assert_eq!(journal.committed("decode"), 1);
    let state = journal.load_state().await.unwrap();
    assert_eq!(state, [("a/b/c".to_owned(), vec![3]), ("a/b/d".to_owned(), vec![2])]);
    let seen = read_all(&journal, 2).await;
    assert_eq!(seen[1].annotations, Annotations::default(), "not covered, so decoded again");
}

#[tokio::test]
async fn numbers_go_on_behind_what_others_remember() {
    let bench = Bench::new();
    let journal = bench.open();
    journal.continue_after(500).await.unwrap();
    assert_eq!((journal.last(), journal.committed("alert")), (500, 500));
    assert_eq!(journal.append(messages(0, 1, 10)).await.unwrap(), 501);
    journal.continue_after(300).await.unwrap();
    journal.close().await;
    let journal = bench.open();
    assert_eq!((journal.last(), journal.committed("store")), (501, 500));
    assert_eq!(numbers(&journal.read(501, 1).await.unwrap()), [501]);
}

#[tokio::test]
async fn every_commit_is_synced() {
    let bench = Bench::new();
    bench.open().close().await;
    let journal = bench.open();
    on_the_writer(&journal, |connection| {
        let setting = |sql| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(setting("SELECT synchronous || '' FROM pragma_synchronous"), "2");
        assert_eq!(setting("PRAGMA journal_mode"), "wal");
        assert_eq!(setting("SELECT auto_vacuum || '' FROM pragma_auto_vacuum"), "2");
    })
    .await;
}
