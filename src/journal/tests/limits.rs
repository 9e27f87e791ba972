//! A journal at its limit, and a disk without room.

use std::time::Duration;

use super::*;

const LIMIT: ByteSize = ByteSize::mib(4);

/// Appends until the journal refuses.
async fn fill(journal: &Journal) -> AppendError {
    loop {
        if let Err(refused) = journal.append(messages(journal.last() + 1, 10, 1000)).await {
            return refused;
        }
        assert!(journal.last() < 10_000, "there is no limit");
    }
}

fn bytes_on_disk(bench: &Bench) -> u64 {
    let files = std::fs::read_dir(bench.dir.path()).unwrap().map(Result::unwrap);
    let ours = files.filter(|file| !file.file_name().to_string_lossy().ends_with("-shm"));
    ours.map(|file| file.metadata().unwrap().len()).sum()
}

#[tokio::test]
async fn a_full_journal_takes_nothing_and_goes_on_when_its_readers_do() {
    let bench = Bench::bounded(LIMIT, WhenFull::StopAcknowledging);
    let journal = bench.open();
    let refused = fill(&journal).await;
    assert!(matches!(refused, AppendError::Full { slowest: "alert" | "store", .. }), "{refused:?}");
    let last = journal.last();
    assert!(last > 200, "{last} groups of 10 KB in 4 MiB");
    assert!(bytes_on_disk(&bench) <= LIMIT.0);
    let trouble = bench.readiness.troubles()["journal"].clone();
    assert!(trouble.contains("full") && trouble.contains("4MiB"), "{trouble}");

    journal.commit("store", last);
    assert!(matches!(fill(&journal).await, AppendError::Full { slowest: "alert", .. }));
    assert_eq!(numbers(&read_all(&journal, 1).await).len(), usize::try_from(last).unwrap());

    journal.commit("alert", last - 5);
    let number = journal.append(messages(0, 10, 1000)).await.unwrap();
    assert_eq!(number, last + 1);
    assert!(bench.readiness.troubles().is_empty());
    assert_eq!(numbers(&journal.read(1, 1).await.unwrap()), [last - 4]);
}

#[tokio::test]
async fn a_full_journal_is_not_in_trouble_any_more_once_it_has_room() {
    let bench = Bench::bounded(LIMIT, WhenFull::StopAcknowledging);
    let journal = bench.open();
    fill(&journal).await;
    journal.commit("store", journal.last());
    journal.commit("alert", journal.last());
    let relieved = async {
        while !bench.readiness.troubles().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), relieved).await.unwrap();
}

#[tokio::test]
async fn a_group_larger_than_the_journal_is_taken_when_there_is_nothing_to_wait_for() {
    let bench = Bench::bounded(ByteSize::kib(300), WhenFull::StopAcknowledging);
    let journal = bench.open();
    assert_eq!(journal.append(messages(1, 1, 1 << 20)).await, Ok(1));
    assert!(matches!(journal.append(messages(2, 1, 1)).await, Err(AppendError::Full { .. })));
    journal.commit("store", 1);
    journal.commit("alert", 1);
    assert_eq!(journal.append(messages(2, 1, 1 << 20)).await, Ok(2));
}

#[tokio::test]
async fn dropping_the_oldest_is_counted_and_said() {
    let bench = Bench::bounded(LIMIT, WhenFull::DropOldest);
    let journal = bench.open();
    for seed in 1..=1000 {
        assert_eq!(journal.append(messages(seed, 10, 1000)).await.unwrap(), seed);
    }
    assert!(bytes_on_disk(&bench) <= LIMIT.0);
    let left = numbers(&read_all(&journal, 1).await);
    assert_eq!(left, (left[0]..=1000).collect::<Vec<_>>());
    assert!(left.len() > 200, "{} left", left.len());
    let dropped = (left[0] - 1) * 10;
    assert!(bench.shows(&format!("waystation_journal_dropped_messages_total {dropped}")));
    let trouble = bench.readiness.troubles()["journal"].clone();
    assert!(trouble.contains(&dropped.to_string()), "{trouble}");
}

#[tokio::test]
async fn what_everybody_passed_goes_before_anything_is_dropped() {
    let bench = Bench::bounded(LIMIT, WhenFull::DropOldest);
    let journal = bench.open();
    for seed in 1..=1000 {
        journal.append(messages(seed, 10, 1000)).await.unwrap();
        journal.commit("store", seed);
        journal.commit("alert", seed);
    }
    assert!(bench.shows("waystation_journal_dropped_messages_total 0"));
    assert!(bench.readiness.troubles().is_empty());
}

#[tokio::test]
async fn free_pages_are_used_again_and_given_back_when_there_are_many() {
    let bench = Bench::new();
    let journal = bench.open();
    for seed in 0..40 {
        journal.append(messages(seed, 1, 1 << 20)).await.unwrap();
    }
    let full = bytes_on_disk(&bench);
    assert!(full > 40 << 20, "{full}");
    journal.commit("store", 40);
    journal.commit("alert", 40);
    let shrunk = async {
        while bytes_on_disk(&bench) > full - (4 << 20) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), shrunk).await.unwrap();
}

/// SQLite answers a file that may not grow as it answers a full disk.
#[tokio::test]
async fn without_room_on_disk_nothing_is_taken_until_there_is_room_again() {
    let bench = Bench::new();
    let journal = bench.open();
    journal.append(messages(1, 10, 1000)).await.unwrap();
    on_the_writer(&journal, |connection| {
        let pages: u32 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        connection.execute_batch(&format!("PRAGMA max_page_count = {}", pages + 8)).unwrap();
    })
    .await;
    let refused = fill(&journal).await;
    assert!(matches!(&refused, AppendError::Unavailable { reason } if reason.contains("no room")));
    let last = journal.last();
    journal.save_state(vec![("a".to_owned(), vec![0; 40_000])], 0);
    journal.flush().await.unwrap_err();
    let trouble = bench.readiness.troubles()["journal"].clone();
    assert!(trouble.contains("no room"), "{trouble}");

    on_the_writer(&journal, |connection| {
        connection.execute_batch("PRAGMA max_page_count = 1000000").unwrap();
    })
    .await;
    assert_eq!(journal.append(messages(last + 1, 10, 1000)).await, Ok(last + 1));
    assert!(bench.readiness.troubles().is_empty());
    journal.close().await;

    let journal = bench.open();
    let groups = read_all(&journal, 1).await;
    assert_eq!(numbers(&groups), (1..=last + 1).collect::<Vec<_>>());
    assert!(groups.iter().all(|group| group.messages == messages(group.number, 10, 1000)));
    let state = journal.load_state().await.unwrap();
    assert_eq!(state, [("a".to_owned(), vec![0; 40_000])], "what could not be saved waited");
}

#[tokio::test]
async fn a_connection_in_doubt_is_opened_again() {
    let bench = Bench::new();
    let journal = bench.open();
    journal.append(messages(1, 1, 100)).await.unwrap();
    on_the_writer(&journal, |connection| {
        connection.execute_batch("PRAGMA query_only = 1").unwrap();
    })
    .await;
    let refused = journal.append(messages(2, 1, 100)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable { .. }), "{refused:?}");
    assert_eq!(journal.append(messages(2, 1, 100)).await, Ok(2));
}
