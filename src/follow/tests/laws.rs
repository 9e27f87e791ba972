//! Every follower sees every group once, in order, and all see the same.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// A group of so many messages; whether the queue to the decoding stage had room for it.
    Append(u32, bool),
    /// This follower takes a group, if there is one it has not seen.
    Next(usize),
    /// This follower begins to wait and changes its mind.
    Cancel(usize),
    /// The others get to run.
    Yield(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u32..5, prop::bool::weighted(0.8)).prop_map(|(count, deliver)| Step::Append(count, deliver)),
        4 => (0_usize..3).prop_map(Step::Next),
        1 => (0_usize..3).prop_map(Step::Cancel),
        2 => (1_u8..6).prop_map(Step::Yield),
    ]
}

fn in_a_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn play(steps: Vec<Step>, queues: [usize; 3], queue: usize) -> (Vec<u32>, Vec<Vec<Seen>>) {
    let mut bench = Bench::new();
    let mut life = bench.live(queue);
    let mut followers = queues.map(|queue| life.follower("store", 0, queue));
    bench.decode(&mut life);
    let mut sizes = Vec::new();
    let mut found = vec![Vec::new(), Vec::new(), Vec::new()];
    for step in steps {
        match step {
            Step::Append(count, deliver) => {
                life.append(count, deliver).await;
                sizes.push(count);
            }
            Step::Next(who) if followers[who].lag() > 0 => {
                let decoded = soon(followers[who].next()).await.unwrap();
                found[who].push(seen(&decoded));
            }
            Step::Cancel(who) => {
                let once = futures_util::future::poll_immediate(followers[who].next());
                found[who].extend(once.await.flatten().map(|decoded| seen(&decoded)));
            }
            Step::Yield(times) => {
                for _ in 0..times {
                    task::yield_now().await;
                }
            }
            Step::Next(_) => {}
        }
    }
    for (follower, found) in followers.iter_mut().zip(&mut found) {
        found.extend(take(follower, life.journal.last()).await);
    }
    (sizes, found)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_follower_sees_every_group_once_in_order(
        steps in prop::collection::vec(step(), 0..60),
        queues in [1_usize..4, 1_usize..4, 1_usize..40],
        queue in 1_usize..8,
    ) {
        let (sizes, found) = in_a_runtime(play(steps, queues, queue));
        for seen in found {
            prop_assert_eq!(seen, expected(&sizes));
        }
    }

    /// The memory is saved when a life ends well; one that is cut off leaves an older one behind.
    #[test]
    fn after_a_crash_decoding_decides_the_same(
        lives in prop::collection::vec((prop::collection::vec(1_u32..5, 0..8), any::<bool>()), 1..4),
    ) {
        let (sizes, found) = in_a_runtime(relive(lives));
        prop_assert_eq!(found, expected(&sizes));
    }
}

/// Lives of the process, each ending well or cut off; what one who reads all of it sees at the end.
async fn relive(lives: Vec<(Vec<u32>, bool)>) -> (Vec<u32>, Vec<Seen>) {
    let mut bench = Bench::new();
    let mut all = Vec::new();
    for (sizes, ends_well) in lives {
        let mut life = bench.live(4);
        let mut close = life.follower("alert", all.len().try_into().unwrap(), 64);
        bench.decode(&mut life);
        for count in &sizes {
            life.append(*count, true).await;
        }
        let before = all.len();
        all.extend(&sizes);
        let seen = take(&mut close, life.journal.last()).await;
        assert_eq!(seen, expected(&all)[before..]);
        if ends_well {
            drop(life.appended);
            soon(bench.stages.join_next()).await.unwrap().unwrap().unwrap();
        } else {
            bench.stages.shutdown().await;
        }
        life.journal.close().await;
    }
    let mut life = bench.live(4);
    let mut laggard = life.follower("store", 0, 1);
    bench.decode(&mut life);
    (all, take(&mut laggard, life.journal.last()).await)
}
