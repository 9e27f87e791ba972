//! What is known of a device's numbers: timelines, and a model.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

#[test]
fn a_device_takes_64_bytes() {
    assert_eq!(size_of::<Trace>(), 64);
}

/// Takes these numbers of one boot; expects `N`ew, `R`epeat, or how many are given up.
#[track_caller]
fn check(numbers: &[u32], expected: &str) {
    let mut run = Run::default();
    let said: Vec<String> = numbers
        .iter()
        .map(|number| match run.take(*number, None) {
            Number::New { missing: 0 } => "N".to_owned(),
            Number::New { missing } => missing.to_string(),
            Number::Repeat => "R".to_owned(),
        })
        .collect();
    assert_eq!(said.join(" "), expected, "{numbers:?}");
}

#[test]
fn a_repeat_is_known_however_old() {
    check(&[5, 5, 6, 5, 7, 6], "N R N R N R");
    check(&[1, 2, 40, 41], "N N N N");
    let mut numbers: Vec<u32> = (1..=500).collect();
    numbers.push(1);
    check(&numbers, &format!("{}R", "N ".repeat(500)));
}

#[test]
fn what_overtakes_is_no_gap() {
    check(&[3, 1, 2, 2, 4], "N N N R N");
    check(&[1, 50, 2, 3, 2], "N N N N R");
}

#[test]
fn a_gap_is_counted_once_when_64_later_ones_came() {
    check(&[1, 2, 4, 66, 67, 68, 69], "N N N N 1 N 1");
    check(&[1, 200, 264, 265], "N 135 63 1");
    check(&[1, 3, 68, 2], "N N 2 N");
}

#[test]
fn a_step_no_gap_can_explain_is_a_new_beginning() {
    check(&[1, 2_000_000, 1, 2_000_001], "N N N N");
    check(&[u32::MAX, u32::MAX, 0, u32::MAX], "N R N R");
}

#[test]
fn numbers_that_begin_anew_later_in_time_are_no_repeats() {
    let mut run = Run::default();
    for number in 1..=10 {
        run.take(number, Some(1000 + number * 60));
    }
    assert_eq!(run.take(3, Some(1180)), Number::Repeat);
    assert_eq!(run.take(1, Some(9000)), Number::New { missing: 0 });
    assert_eq!(run.take(2, Some(9060)), Number::New { missing: 0 });
}

#[test]
fn the_boot_before_is_still_known() {
    let mut trace = Trace::default();
    let mut take = |boot, number| {
        let (run, missing) = trace.run(boot);
        (run.take(number, None), missing)
    };
    let new = (Number::New { missing: 0 }, 0);
    assert_eq!(take(17, 8), new);
    assert_eq!(take(18, 1), new);
    assert_eq!(take(17, 10), new);
    assert_eq!(take(18, 2), new);
    assert_eq!(take(17, 8), (Number::Repeat, 0));
    assert_eq!(take(18, 1), (Number::Repeat, 0));
    assert_eq!(take(19, 1), (Number::New { missing: 0 }, 1), "9 of boot 17 is given up");
    assert_eq!(take(20, 1), new);
}

proptest! {
    /// In order but for overtaking within the window, without loss, anything repeated any time.
    #[test]
    fn each_number_is_new_once_whatever_is_repeated(
        length in 1_u32..300,
        first in 0_u32..1000,
        swaps in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..30), 0..40),
        repeats in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..100),
    ) {
        let mut order: Vec<u32> = (first..first + length).collect();
        for (at, by) in swaps {
            let at = at.index(order.len());
            let to = (at + by).min(order.len() - 1);
            if order[at].abs_diff(first + u32::try_from(at).unwrap()) == 0
                && order[to].abs_diff(first + u32::try_from(to).unwrap()) == 0 {
                order.swap(at, to);
            }
        }
        for (what, behind) in repeats {
            let what = what.index(order.len());
            let number = order[what];
            let behind = what + 1 + behind.index(order.len() - what);
            order.insert(behind, number);
        }
        let mut run = Run::default();
        let mut known = HashSet::new();
        for number in order {
            let expected = if known.insert(number) { Number::New { missing: 0 } } else { Number::Repeat };
            prop_assert_eq!(run.take(number, None), expected, "{}", number);
        }
    }

    /// Every number between the first and the last is new, given up, or still awaited.
    #[test]
    fn what_is_missing_adds_up(steps in prop::collection::vec(1_u32..100, 1..200)) {
        let mut run = Run::default();
        run.take(7, None);
        let (mut number, mut taken, mut missing) = (7, 1_u64, 0);
        for step in steps {
            number += step;
            taken += 1;
            match run.take(number, None) {
                Number::New { missing: more } => missing += more,
                Number::Repeat => prop_assert!(false, "{} is new", number),
            }
        }
        prop_assert_eq!(taken + missing + run.holes(0), u64::from(number - 7 + 1));
    }

    #[test]
    fn a_trace_is_read_back(numbers in prop::collection::vec((0_u64..4, 0_u32..200), 0..50)) {
        let mut trace = Trace::default();
        for (boot, number) in numbers {
            trace.run(boot).0.take(number, Some(number));
        }
        prop_assert_eq!(Trace::from_bytes(&trace.to_bytes()), Some(trace));
    }

    #[test]
    fn a_damaged_trace_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 65), number in any::<u32>()) {
        if let Some(mut trace) = Trace::from_bytes(&bytes) {
            trace.run(u64::from(number)).0.take(number, Some(number));
        }
    }
}
