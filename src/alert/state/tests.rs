use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn hold(raise: u32, clear: u32) -> Hold {
    Hold { raise_after: MINUTE * raise, readings: 1, clear_after: MINUTE * clear, latched: false }
}

/// Plays a timeline, one verdict a minute: `#` breached, `-` between, `.` cleared, `?` unknown,
/// `x` excused. Expects one state a minute: `N`ormal, `P`ending, `F`iring, `C`learing.
#[track_caller]
fn check(hold: Hold, timeline: &str, expected: &str) {
    let mut state = State::Normal;
    let mut now = Timestamp(0);
    let mut seen = String::new();
    for symbol in timeline.chars() {
        (state, _) = step(state, verdict(symbol), Asked::ByReading, now, hold);
        seen.push(letter(state));
        now = now + MINUTE;
    }
    assert_eq!(seen, expected, "timeline {timeline}");
}

fn verdict(symbol: char) -> Verdict {
    match symbol {
        '#' => Verdict::Breached,
        '-' => Verdict::Between,
        '.' => Verdict::Cleared,
        '?' => Verdict::Unknown,
        'x' => Verdict::Excused,
        other => panic!("no verdict is written {other:?}"),
    }
}

fn letter(state: State) -> char {
    match state {
        State::Normal => 'N',
        State::Pending { .. } => 'P',
        State::Firing => 'F',
        State::Clearing { .. } => 'C',
        State::Ended => 'E',
    }
}

#[test]
fn fires_at_once_without_a_hold() {
    check(hold(0, 0), ".#.", "NFN");
}

#[test]
fn fires_only_after_an_unbroken_breach() {
    check(hold(2, 0), "##.###", "PPNPPF");
    check(hold(2, 0), "##-###", "PPNPPF");
}

#[test]
fn hysteresis_neither_raises_nor_resolves() {
    check(hold(0, 0), "-#--.", "NFFFN");
}

#[test]
fn resolves_only_after_unbroken_calm() {
    check(hold(0, 2), "#..-...", "FCCFCCN");
}

#[test]
fn missing_data_freezes_and_the_timer_goes_on_with_what_it_had_left() {
    check(hold(2, 0), "#?????#", "PPPPPPP");
    check(hold(2, 0), "#?????##", "PPPPPPPF");
    check(hold(3, 0), "##?##", "PPPPF");
    check(hold(0, 2), "#.????.", "FCCCCCC");
    check(hold(0, 2), "#.????..", "FCCCCCCN");
    check(hold(0, 0), "?#???.?", "NFFFFNN");
}

#[test]
fn an_excuse_stops_the_timer_but_ends_nothing_that_fires() {
    check(hold(2, 0), "xx#xxx#", "NNPPPPP");
    check(hold(2, 0), "xx#xxx##", "NNPPPPPF");
    check(hold(0, 0), "#xx.", "FFFN");
    check(hold(0, 2), "#.x..", "FCFCC");
}

#[test]
fn so_many_readings_in_a_row_must_be_bad() {
    let three = Hold { readings: 3, ..hold(0, 0) };
    check(three, "##.###", "PPNPPF");
    check(three, "##??#", "PPPPF");
    let now = Timestamp(0);
    let (state, _) = step(State::Normal, Verdict::Breached, Asked::ByReading, now, three);
    let asked_again = step(state, Verdict::Breached, Asked::ByTimer, now, three);
    assert_eq!(asked_again, (state, None), "a timer is no reading");
}

#[test]
fn a_latched_alert_does_not_end_by_itself() {
    let latched = Hold { latched: true, ..hold(0, 1) };
    check(latched, "#....#..", "FFFFFFFF");
}

#[test]
fn what_a_person_ended_must_be_good_before_it_fires_again() {
    let mut state = State::Ended;
    let mut seen = String::new();
    for symbol in "#-?x#.#".chars() {
        (state, _) = step(state, verdict(symbol), Asked::ByReading, Timestamp(0), hold(0, 0));
        seen.push(letter(state));
    }
    assert_eq!(seen, "EEEEENF");
}

proptest! {
    #[test]
    fn raised_and_resolved_take_turns(
        timeline in "[#.?x-]{0,200}", raise in 0u32..4, clear in 0u32..4, readings in 1u32..4,
    ) {
        let hold = Hold { readings, ..hold(raise, clear) };
        let mut state = State::Normal;
        let mut now = Timestamp(0);
        let mut firing = false;
        for symbol in timeline.chars() {
            let (next, change) = step(state, verdict(symbol), Asked::ByReading, now, hold);
            match change {
                Some(Change::Raised) => prop_assert!(!std::mem::replace(&mut firing, true)),
                Some(Change::Resolved) => prop_assert!(std::mem::replace(&mut firing, false)),
                None => {}
            }
            // Asking again at the same instant says nothing new.
            let again = step(next, verdict(symbol), Asked::ByTimer, now, hold);
            prop_assert_eq!(again, (next, None));
            state = next;
            now = now + MINUTE;
        }
        prop_assert_eq!(firing, state.is_open());
    }

    #[test]
    fn an_hour_more_on_the_clock_changes_no_remaining_time(
        timeline in "[#.?x-]{1,60}", at in 0usize..60, hours in -2i64..3,
    ) {
        let hold = hold(2, 2);
        let jump = hours * 3_600_000;
        let (mut plain, mut shifted) = (State::Normal, State::Normal);
        let mut moved = 0;
        for (minute, symbol) in timeline.chars().enumerate() {
            if minute == at {
                shifted = shifted.shifted(jump);
                moved = jump;
            }
            let now = Timestamp(i64::try_from(minute).unwrap() * 60_000);
            let there = now.plus_millis(moved);
            let a = step(plain, verdict(symbol), Asked::ByReading, now, hold);
            let b = step(shifted, verdict(symbol), Asked::ByReading, there, hold);
            prop_assert_eq!(a.1, b.1);
            (plain, shifted) = (a.0, b.0);
        }
    }
}
