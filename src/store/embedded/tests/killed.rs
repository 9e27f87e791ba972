//! A process that flushes and folds without end is killed: what it said is on disk is there, and
//! exactly up to the stored position, each point once.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use super::*;
use crate::store::embedded::entry::DAY;

const START: i64 = 20_000 * DAY;
/// Names the directory to the child.
const DIR: &str = "WAYSTATION_TEST_STORE_DIR";
const NAME: &str = "store::embedded::tests::killed::the_child_that_is_killed";

/// Group `number`: one new point, and one that every group writes anew.
fn nth(number: u64, registry: &Arc<Registry>) -> Arc<Decoded> {
    let n = i64::try_from(number).unwrap();
    let new = (0, "temp_c", START + n * 1000, Value::State(true));
    let again = (1, "temp_c", START, Value::Number(f64::from(u32::try_from(number).unwrap())));
    group(number, registry, &[new, again])
}

#[test]
fn the_child_that_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let mut worked = Worked::open(Path::new(&dir));
    let registry = registry();
    for number in 1.. {
        // As after any restart, the first of them are there already.
        worked.keeper.take(nth(number, &registry), Timestamp(0));
        if number % 3 == 0
            && let Some(upto) = worked.flush()
        {
            println!("committed {upto}");
        }
        if number % 30 == 0 {
            worked.fold(20_000);
        }
    }
}

fn start(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the child after it committed `commits` times; tells the last it said.
fn kill_after(mut child: Child, commits: usize) -> u64 {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let committed = |line: String| line.strip_prefix("committed ")?.parse().ok();
    let seen = lines.by_ref().filter_map(committed).take(commits).last();
    child.kill().unwrap();
    // What it managed to say before the kill counts too.
    let rest = lines.filter_map(committed).last();
    child.wait().unwrap();
    rest.or(seen).unwrap()
}

#[test]
fn after_a_kill_each_point_is_there_exactly_once() {
    let dir = tempfile::tempdir().unwrap();
    for commits in [1, 7, 12, 20, 31] {
        let committed = kill_after(start(dir.path()), commits);
        let worked = Worked::open(dir.path());
        let position = worked.store.position();
        assert!(position >= committed, "{committed} was committed, {position} is there");
        let points = worked.points(0, "temp_c", 0, i64::MAX);
        let expected = (1..=i64::try_from(position).unwrap()).map(|n| START + n * 1000);
        let found = points.iter().map(|point| point.at.0);
        assert!(found.eq(expected), "each of the {position} groups once, {} found", points.len());
        let again = worked.points(1, "temp_c", 0, i64::MAX);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].value.as_number().map(|n| n.to_string()), Some(position.to_string()));
    }
}
