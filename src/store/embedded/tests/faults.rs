//! Damage, retention, and files that are not ours.

use rusqlite::params;

use super::*;
use crate::store::{
    Datum, QuestionError,
    embedded::{OpenError, disk, entry::DAY, sweep},
};

const START: i64 = 20_000 * DAY;
const ALWAYS: (i64, i64) = (0, i64::MAX);

fn with_three_days(dir: &Path) -> Worked {
    let mut worked = Worked::open(dir);
    let registry = registry();
    for day in 0..3 {
        let at = START + i64::from(day) * DAY;
        let value = Value::Number(f64::from(day));
        let number = u64::try_from(day).unwrap() + 1;
        worked.keeper.take(group(number, &registry, &[(0, "temp_c", at, value)]), Timestamp(0));
        worked.flush().unwrap();
    }
    worked
}

fn numbers(worked: &Worked) -> Vec<f64> {
    let points = worked.points(0, "temp_c", ALWAYS.0, ALWAYS.1);
    points.iter().filter_map(|point| point.value.as_number()).collect()
}

fn damage(worked: &Worked, table: &str, day: Day) {
    let writer = worked.store.0.writer();
    let shift = if table == "days" { 31 } else { 47 };
    let sql = format!("SELECT id, block FROM {table} WHERE id >> {shift} = ?");
    let (id, mut block): (i64, Vec<u8>) =
        writer.db.query_row(&sql, [day], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    block[3] ^= 0x10;
    let sql = format!("UPDATE {table} SET block = ? WHERE id = ?");
    assert_eq!(writer.db.execute(&sql, params![block, id]).unwrap(), 1);
}

#[test]
fn a_damaged_part_is_reported_and_skipped_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let worked = with_three_days(dir.path());
    damage(&worked, "parts", 20_001);
    assert_eq!(numbers(&worked), [0.0, 2.0]);
    assert_eq!(worked.store.damaged_rows(), 1);

    worked.fold(20_001);
    assert_eq!(numbers(&worked), [0.0, 2.0]);
    let count = "SELECT count(*) FROM damaged WHERE came_from = 'parts'";
    let writer = worked.store.0.writer();
    let aside: i64 = writer.db.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(aside, 1, "what could not be read is set aside, not deleted");
}

#[test]
fn damaged_summaries_are_made_up_for_by_the_points() {
    let dir = tempfile::tempdir().unwrap();
    let worked = with_three_days(dir.path());
    worked.fold(20_001);
    damage(&worked, "hours", 20_001);
    let windows = worked.windows(0, "temp_c", (START, START + 3 * DAY), Duration::from_hours(1));
    assert_eq!(
        windows.iter().map(|w| w.mean).collect::<Vec<_>>(),
        [Some(0.0), Some(1.0), Some(2.0)]
    );
    assert_eq!(worked.store.damaged_rows(), 1);
}

#[test]
fn a_damaged_day_leaves_the_other_days() {
    let dir = tempfile::tempdir().unwrap();
    let worked = with_three_days(dir.path());
    (20_000..20_003).for_each(|day| worked.fold(day));
    damage(&worked, "days", 20_000);
    assert_eq!(numbers(&worked), [1.0, 2.0]);
}

#[test]
fn old_days_go_and_newer_stay() {
    let dir = tempfile::tempdir().unwrap();
    let worked = with_three_days(dir.path());
    worked.fold(20_000);
    worked.fold(20_001);
    let sweep = || {
        while sweep::step(&mut worked.store.0.writer().db, 20_002).unwrap() {}
    };
    sweep();
    assert_eq!(numbers(&worked), [2.0]);
    let left = "SELECT (SELECT count(*) FROM days) + (SELECT count(*) FROM hours) + (SELECT count(*) FROM parts)";
    let left: i64 = worked.store.0.writer().db.query_row(left, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1, "only the part of the last day");
}

#[test]
fn a_file_that_is_no_store_is_named_with_a_cure() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(disk::FILE);
    std::fs::write(&file, "this is not a database, but it is long enough to look at").unwrap();
    let error = Embedded::open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("store.sqlite"), "{error}");
    assert!(error.to_string().contains("move it away"), "{error}");
    assert!(std::fs::read(&file).unwrap().starts_with(b"this is not"), "left as it was");
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(with_three_days(dir.path()));
    let db = rusqlite::Connection::open(dir.path().join(disk::FILE)).unwrap();
    db.pragma_update(None, "user_version", 9).unwrap();
    let error = Embedded::open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 9, .. }), "{error:?}");
}

#[test]
fn samples_before_1970_are_counted_and_the_rest_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut worked = Worked::open(dir.path());
    let one = Value::Number(1.0);
    let samples = [(0, "temp_c", -1, one), (0, "temp_c", START, one)];
    worked.keeper.take(group(1, &registry(), &samples), Timestamp(0));
    assert_eq!(numbers(&worked), [1.0]);
}

#[test]
fn too_large_an_answer_names_the_cure() {
    let dir = tempfile::tempdir().unwrap();
    let mut worked = Worked::open(dir.path());
    let samples: Vec<_> =
        (0..=100_000).map(|n| (0, "temp_c", START + n * 10, Value::State(true))).collect();
    worked.keeper.take(group(1, &registry(), &samples), Timestamp(0));
    let error = worked.store.0.windows(&query(0, "temp_c", 0, i64::MAX, None)).unwrap_err();
    assert!(matches!(error, QuestionError::TooManyPoints), "{error:?}");
    assert!(error.to_string().contains("ask for a window"), "{error}");
    let week = (START, START + 7 * DAY);
    assert_eq!(worked.windows(0, "temp_c", week, Duration::from_hours(24)).len(), 1);
    assert_eq!(worked.store.0.latest(&path(0)).unwrap()[0].value, Datum::State(true));
}

#[test]
fn a_day_with_more_flushes_than_numbers_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut worked = with_three_days(dir.path());
    let renumber = "UPDATE parts SET id = id | 65535 WHERE id >> 47 = 20000";
    assert_eq!(worked.store.0.writer().db.execute(renumber, []).unwrap(), 1);
    let late = [(0, "temp_c", START + 1, Value::Number(7.0))];
    worked.keeper.take(group(4, &registry(), &late), Timestamp(0));
    worked.flush().unwrap();
    assert_eq!(numbers(&worked), [0.0, 7.0, 1.0, 2.0]);
}
