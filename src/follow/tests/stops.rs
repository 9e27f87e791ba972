//! Stopping, restarting, falling behind, catching up.

use super::*;

#[tokio::test]
async fn one_who_follows_closely_gets_what_is_queued_and_then_the_end() {
    let mut bench = Bench::new();
    let mut life = bench.live(16);
    let mut follower = life.follower("store", 0, 16);
    bench.decode(&mut life);
    for _ in 0..5 {
        life.append(2, true).await;
    }
    drop(life.appended);
    soon(bench.stages.join_next()).await.unwrap().unwrap().unwrap();
    for number in 1..=5 {
        assert_eq!(soon(follower.next()).await.unwrap().group, number);
    }
    assert!(soon(follower.next()).await.is_none());
}

#[tokio::test]
async fn one_who_lags_is_told_of_the_end_at_once() {
    let mut bench = Bench::new();
    let mut life = bench.live(16);
    let mut laggard = life.follower("store", 0, 1);
    let mut close = life.follower("alert", 0, 64);
    bench.decode(&mut life);
    for _ in 0..20 {
        life.append(1, true).await;
    }
    take(&mut close, 20).await;
    drop(life.appended);
    soon(bench.stages.join_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(soon(laggard.next()).await.unwrap().group, 1);
    assert!(soon(laggard.next()).await.is_none());
    assert_eq!(laggard.position(), 1);
}

#[tokio::test]
async fn a_stage_that_catches_up_stops_when_told() {
    let mut bench = Bench::new();
    let life = bench.live(16);
    for _ in 0..50 {
        life.append(1, false).await;
    }
    life.journal.close().await;
    let mut life = bench.live(16);
    bench.decode(&mut life);
    drop(life.appended);
    soon(bench.stages.join_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(life.journal.committed(DECODE), 0, "it had not begun");
}

#[tokio::test]
async fn followers_go_on_from_their_own_positions_after_a_restart() {
    let mut bench = Bench::new();
    let mut life = bench.live(16);
    let mut follower = life.follower("store", 0, 64);
    bench.decode(&mut life);
    for count in [1, 2, 3, 4, 5, 6] {
        life.append(count, true).await;
    }
    take(&mut follower, 6).await;
    follower.commit(2);
    drop(life.appended);
    soon(bench.stages.join_next()).await.unwrap().unwrap().unwrap();
    life.journal.close().await;

    let mut life = bench.live(16);
    let ahead = life.journal.committed("store");
    assert_eq!((ahead, life.journal.committed(DECODE)), (2, 6));
    let mut store = life.follower("store", ahead, 1);
    let mut alert = life.follower("alert", 5, 1);
    bench.decode(&mut life);
    life.append(7, true).await;
    let all = expected(&[1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(take(&mut store, 7).await, all[2..]);
    assert_eq!(take(&mut alert, 7).await, all[5..]);
    assert_eq!(store.lag(), 0);
}

#[tokio::test]
async fn a_group_the_queue_had_no_room_for_is_decoded_all_the_same() {
    let mut bench = Bench::new();
    let mut life = bench.live(16);
    let mut follower = life.follower("store", 0, 16);
    bench.decode(&mut life);
    life.append(3, false).await;
    assert_eq!(take(&mut follower, 1).await, expected(&[3]));
}

#[tokio::test]
async fn live_misses_what_it_has_no_room_for_and_holds_nobody_up() {
    let mut bench = Bench::new();
    let mut life = bench.live(64);
    let mut newest = life.fanout.as_mut().unwrap().live(2);
    let mut follower = life.follower("store", 0, 64);
    bench.decode(&mut life);
    for _ in 0..10 {
        life.append(1, true).await;
    }
    take(&mut follower, 10).await;
    assert_eq!(newest.recv().await.unwrap().group, 1);
    assert_eq!(newest.recv().await.unwrap().group, 2);
    life.append(1, true).await;
    assert_eq!(soon(newest.recv()).await.unwrap().group, 11);
}

/// Counts how often groups were decoded for the first time.
static FIRST: Mutex<Vec<u64>> = Mutex::new(Vec::new());

#[derive(Debug, Default)]
struct Logging(Counting);

impl Decode for Logging {
    fn decode(
        &mut self,
        group: u64,
        messages: &Messages,
        registry: &Arc<Registry>,
    ) -> (Decoded, Annotations) {
        FIRST.lock().unwrap().push(group);
        self.0.decode(group, messages, registry)
    }
    fn changed_state(&mut self, registry: &Registry) -> Vec<(String, Vec<u8>)> {
        self.0.changed_state(registry)
    }
    fn restore(&mut self, rows: Vec<(String, Vec<u8>)>, registry: &Registry) {
        self.0.restore(rows, registry);
    }
}

#[tokio::test]
async fn a_group_is_decoded_for_the_first_time_once() {
    let mut bench = Bench::new();
    let mut life = bench.live(1);
    let mut follower = life.follower("store", 0, 1);
    let stage = run(
        life.coming.take().unwrap(),
        life.journal.clone(),
        Logging::default(),
        bench.registry.clone(),
        life.fanout.take().unwrap(),
        Counters::default(),
    );
    bench.stages.spawn(stage);
    for group in 0..30 {
        life.append(1, group % 3 > 0).await;
    }
    take(&mut follower, 30).await;
    assert_eq!(*FIRST.lock().unwrap(), (1..=30).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_memory_is_saved_while_groups_trickle() {
    let mut bench = Bench::new();
    let mut life = bench.live(16);
    let mut follower = life.follower("store", 0, 16);
    bench.decode(&mut life);
    life.append(3, true).await;
    take(&mut follower, 1).await;
    assert_eq!(life.journal.committed(DECODE), 0);
    tokio::time::pause();
    tokio::time::advance(SAVE_AFTER).await;
    tokio::time::resume();
    soon(async {
        while life.journal.committed(DECODE) < 1 {
            task::yield_now().await;
        }
    })
    .await;
    life.journal.flush().await.unwrap();
    let state = life.journal.load_state().await.unwrap();
    assert_eq!(state, [("seen".to_owned(), 3_u32.to_le_bytes().to_vec())]);
}

#[tokio::test]
async fn the_memory_is_saved_when_it_covers_too_little() {
    let mut bench = Bench::new();
    let mut life = bench.live(16);
    let mut follower = life.follower("store", 0, 16);
    bench.decode(&mut life);
    life.append(SAVE_MESSAGES - 1, true).await;
    take(&mut follower, 1).await;
    assert_eq!(life.journal.committed(DECODE), 0);
    life.append(1, true).await;
    take(&mut follower, 2).await;
    assert_eq!(life.journal.committed(DECODE), 2);
}
