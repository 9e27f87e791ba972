//! Timelines: what comes, minute by minute, and what happens.

mod others;
mod seen;
mod stations;
mod times;
mod windows;

use super::*;
use crate::{
    alert::testing::*,
    rule::{Against, Condition, Rule, Silence, Summed, Wanted},
};

#[test]
fn a_warm_fridge_fires_after_half_an_hour_and_resolves_after_a_quarter_of_calm() {
    let timeline = [minutes(0, 40, 0, "t=9"), minutes(41, 60, 0, "t=5")].concat();
    check(&[too_warm()], &timeline, 60, "0 firing too_warm d0\n 56 resolved too_warm d0");
}

#[test]
fn a_short_breach_says_nothing() {
    let timeline = [minutes(0, 29, 0, "t=9"), minutes(30, 90, 0, "t=7.5")].concat();
    check(&[too_warm()], &timeline, 90, "");
}

#[test]
fn the_timer_rings_though_the_next_reading_is_still_to_come() {
    let five = Rule { hold: MINUTE * 5, ..rule("door", is("door", true)) };
    check(&[five], "0.5 d0 door=true", 9, "0.5 firing door d0");
}

#[test]
fn missing_data_freezes_and_never_resolves() {
    let silent_while_pending = [minutes(0, 9, 0, "t=9"), minutes(100, 108, 0, "t=9")].concat();
    check(&[too_warm()], &silent_while_pending, 108, "");
    // 19 minutes passed while the data were fresh: 11 are left at minute 100.
    let goes_on = [minutes(0, 9, 0, "t=9"), minutes(100, 111, 0, "t=9")].concat();
    check(&[too_warm()], &goes_on, 112, "0 firing too_warm d0");
    let silent_while_firing = minutes(0, 31, 0, "t=9");
    check(&[too_warm()], &silent_while_firing, 5000, "0 firing too_warm d0");
    let sensor_gone = [minutes(0, 9, 0, "t=9"), minutes(10, 200, 0, "door=false")].concat();
    check(&[too_warm(), rule("door", is("door", true))], &sensor_gone, 200, "");
}

#[test]
fn unless_stops_the_timer() {
    let waits = Rule { unless: Some(is("defrost", true)), ..too_warm() };
    let timeline = [
        "0 d0 defrost=false".to_owned(),
        minutes(0, 9, 0, "t=9"),
        "10 d0 defrost=true t=9".to_owned(),
        minutes(11, 49, 0, "t=9"),
        "50 d0 defrost=false t=9".to_owned(),
        minutes(51, 69, 0, "t=9"),
    ];
    check(std::slice::from_ref(&waits), &timeline.join("\n"), 69, "");
    let timeline = [timeline.join("\n"), minutes(70, 71, 0, "t=9")].join("\n");
    check(&[waits], &timeline, 71, "0 firing too_warm d0");
}

#[test]
fn so_many_bad_readings_in_a_row() {
    let not_ready = Rule { readings: 2, ..rule("not_ready", is("ready", false)) };
    let timeline = "0 d0 ready=false\n 1 d0 ready=true\n 2 d0 ready=false\n 3 d0 ready=false";
    check(std::slice::from_ref(&not_ready), timeline, 5, "2 firing not_ready d0");
    let other = "0 d0 ready=false\n 1 d0 t=4\n 2 d0 t=4";
    check(&[not_ready, too_warm()], other, 5, "");
}

#[test]
fn silence_is_told_from_the_registry_and_ends_with_a_message() {
    let rules = [rule("silent", silent())];
    let expected = "10 firing silent d1\n 10 firing silent d2\n 14 firing silent d0\n 20 resolved silent d0\n 30 firing silent d0";
    check(&rules, "4 d0 t=4\n 20 d0 online", 30, expected);
}

#[test]
fn a_sleeper_may_be_silent_and_a_last_will_may_not() {
    let rules = [rule("silent", silent())];
    let others = [minutes(0, 120, 1, "t=1"), minutes(0, 120, 2, "t=1")].concat();
    let with = |line: &str| {
        let mut lines: Vec<_> = others.lines().map(str::to_owned).collect();
        lines.push(line.to_owned());
        lines.sort_by_key(|line| line.split(' ').next().unwrap().parse::<u32>().unwrap());
        lines.join("\n")
    };
    check(&rules, &with("3 d0 sleeping"), 120, "93 firing silent d0");
    check(&rules, &with("3 d0 lost"), 100, "10 firing silent d0");
}

#[test]
fn a_missing_metric_is_no_silence_of_the_device() {
    let within = Silence::Fixed(MINUTE * 20);
    let missing = Condition::AbsentFor { metric: Some(symbol("t")), within };
    let timeline = ["0 d0 t=4\n".to_owned(), minutes(1, 30, 0, "door=true")].concat();
    check(&[rule("no_t", missing.clone())], &timeline, 30, "20 firing no_t d0");
    check(&[rule("no_t", missing)], "0 d0 t=4", 60, "");
}

#[test]
fn fast_changes_stuck_values_and_sums() {
    let t = symbol("t");
    let rises = Condition::ChangesFaster { metric: t, by: 2.0, within: MINUTE * 15 };
    let slow = "0 d0 t=4\n 10 d0 t=5\n 20 d0 t=6\n 30 d0 t=7";
    check(&[rule("rise", rises.clone())], slow, 30, "");
    let fast = "0 d0 t=4\n 5 d0 t=5\n 10 d0 t=6.1\n 20 d0 t=6.2";
    check(&[rule("rise", rises)], fast, 30, "10 firing rise d0\n 20 resolved rise d0");

    let stuck = Condition::StuckFor { metric: t, within: MINUTE * 20, tolerance: 0.1 };
    let timeline = [minutes(0, 30, 0, "t=4"), "31 d0 t=5".to_owned()].concat();
    check(&[rule("stuck", stuck)], &timeline, 31, "20 firing stuck d0\n 31 resolved stuck d0");

    let what = Summed::Held(Box::new(warm()));
    let sum = Condition::SumOver { what, limit: 1200.0, within: MINUTE * 240 };
    let on_off = (0..80).map(|at| format!("{at} d0 t={}", if at % 20 < 10 { 9 } else { 5 }));
    let timeline = on_off.collect::<Vec<_>>().join("\n");
    check(&[rule("sum", sum)], &timeline, 80, "41 firing sum d0");

    let grown = Condition::SumOver { what: Summed::Growth(t), limit: 5.0, within: MINUTE * 60 };
    let timeline = "0 d0 t=100\n 1 d0 t=103\n 2 d0 t=1\n 3 d0 t=3\n 90 d0 t=3";
    check(&[rule("grown", grown)], timeline, 90, "3 firing grown d0\n 90 resolved grown d0");

    let what = Summed::Times(symbol("door"));
    let times = Condition::SumOver { what, limit: 1.0, within: MINUTE * 60 };
    let timeline =
        "0 d0 door=false\n 1 d0 door=true\n 2 d0 door=true\n 3 d0 door=false\n 4 d0 door=true";
    check(&[rule("times", times)], timeline, 5, "4 firing times d0");
}

#[test]
fn all_any_outside_and_numbers_that_must_not_be() {
    let t = symbol("t");
    let outside = Condition::Outside { metric: t, low: 0.0, high: 8.0, margin: 1.0 };
    let timeline = "0 d0 t=-1\n 1 d0 t=0.5\n 2 d0 t=1";
    check(&[rule("out", outside)], timeline, 2, "0 firing out d0\n 2 resolved out d0");
    let both = Condition::All(vec![warm(), is("door", false)]);
    let timeline = "0 d0 t=9\n 1 d0 door=true\n 2 d0 door=false\n 3 d0 t=5";
    check(&[rule("both", both)], timeline, 3, "2 firing both d0\n 3 resolved both d0");
    let fault = Condition::Is { metric: symbol("code"), value: Wanted::NotNumber(0.0) };
    let one = Condition::Any(vec![is("ready", false), fault]);
    // The other device has no code at all, and still gets well.
    let timeline = "0 d0 code=7 ready=true\n 1 d0 code=0\n 2 d1 ready=false\n 3 d1 ready=true";
    let expected = "0 firing one d0\n 1 resolved one d0\n 2 firing one d1\n 3 resolved one d1";
    check(&[rule("one", one)], timeline, 3, expected);
}

#[test]
fn a_part_that_grew_old_does_not_stop_the_one_that_holds() {
    let either = Condition::Any(vec![warm(), is("door", true)]);
    let slow = Rule { hold: MINUTE * 15, ..rule("either", either) };
    let timeline = ["0 d0 t=5\n".to_owned(), minutes(5, 30, 0, "door=true")].concat();
    check(&[slow], &timeline, 30, "5 firing either d0");
}

#[test]
fn one_metric_is_compared_with_another_that_seldom_comes() {
    let against = |how, limit, clear| Condition::Against {
        metric: symbol("t"),
        other: symbol("code"),
        how,
        limit,
        clear,
    };
    let hotter = rule("hotter", against(Against::Difference, 4.0, 2.0));
    let timeline =
        ["0 d0 code=26\n".to_owned(), minutes(0, 40, 0, "t=30"), minutes(41, 50, 0, "t=30.5")];
    let timeline = [timeline.concat(), "51 d0 t=28.5\n 52 d0 t=28".to_owned()].concat();
    check(&[hotter], &timeline, 52, "41 firing hotter d0\n 52 resolved hotter d0");
    // A share of nothing is unknown, not large.
    let many = rule("many", against(Against::Share, 0.2, 0.2));
    let timeline = "0 d0 t=3\n 1 d0 code=0\n 2 d0 code=15\n 3 d0 code=14\n 4 d0 t=2";
    check(&[many], timeline, 4, "3 firing many d0\n 4 resolved many d0");
}

#[test]
fn late_readings_neither_raise_nor_clear() {
    let rules = [rule("warm", warm())];
    check(&rules, "100 d0 late@1 t=9", 110, "");
    check(&rules, "100 d0 t=9\n 101 d0 late@1 t=5", 110, "100 firing warm d0");
}

#[test]
fn where_late_readings_count_they_say_when_it_happened() {
    let cold_chain = Rule { on_backfill: true, ..too_warm() };
    let late = (0..40).map(|at| format!("100 d0 late@{at} t=9\n")).collect::<Vec<_>>().concat();
    check(std::slice::from_ref(&cold_chain), &late, 110, "0 firing too_warm d0 late");
    let back = [late, "101 d0 t=5".to_owned()].concat();
    check(&[cold_chain], &back, 110, "0 firing too_warm d0 late\n 101 resolved too_warm d0");
}

#[test]
fn a_latched_alert_waits_for_a_person_who_may_be_early() {
    let opened = Rule { latched: true, ..rule("opened", is("open", true)) };
    let mut engine = Engine::new(town(&[opened], 1), minute(0.0), Duration::ZERO);
    let mut diary = Diary::default();
    let raised =
        diary.note(engine.apply(&Group::new(1).reading(0, 1.0, "open=true").0, minute(1.0)));
    let Happening::Raised { alert, .. } = &raised.happenings[0] else { panic!("{raised:?}") };
    diary.note(engine.apply(&Group::new(2).reading(0, 2.0, "open=false").0, minute(2.0)));
    diary.note(engine.apply(&Group::new(3).reading(0, 3.0, "open=true").0, minute(3.0)));
    assert!(engine.confirm("putuo/s1/d0", "another", "Li", minute(4.0)).is_none());
    diary.note(engine.confirm("putuo/s1/d0", &alert.id, "Li", minute(4.0)).unwrap());
    diary.note(engine.apply(&Group::new(4).reading(0, 5.0, "open=true").0, minute(5.0)));
    diary.note(engine.apply(&Group::new(5).reading(0, 6.0, "open=false").0, minute(6.0)));
    diary.note(engine.apply(&Group::new(6).reading(0, 7.0, "open=true").0, minute(7.0)));
    let expected = "1 firing opened d0\n4 resolved opened d0 confirmed\n7 firing opened d0\n";
    assert_eq!(diary.lines, expected);
}

#[test]
fn grace_and_a_lost_input_mute_silence_and_start_its_clock_anew() {
    let mut engine = Engine::new(town(&[rule("silent", silent())], 1), minute(0.0), MINUTE * 2);
    let mut diary = Diary::default();
    diary.note(engine.tick(minute(11.9)));
    assert_eq!(diary.lines, "", "grace");
    engine.input_lost();
    diary.note(engine.tick(minute(500.0)));
    engine.input_back(minute(500.0));
    diary.note(engine.tick(minute(509.9)));
    assert_eq!(diary.lines, "", "we could not hear");
    diary.note(engine.tick(minute(600.0)));
    assert_eq!(diary.lines, "510 firing silent d0\n");
    engine.input_lost();
    diary.note(engine.tick(minute(700.0)));
    engine.input_back(minute(700.0));
    diary.note(engine.tick(minute(701.0)));
    assert_eq!(diary.lines, "510 firing silent d0\n", "deafness resolves nothing");
}

#[test]
fn the_clock_may_jump_an_hour_either_way_without_a_storm() {
    for hours in [1, -1] {
        let rules = [too_warm(), rule("silent", silent())];
        let mut engine = Engine::new(town(&rules, 3), minute(0.0), Duration::ZERO);
        let mut diary = Diary::default();
        let jump = f64::from(hours) * 60.0;
        let mut moved = 0.0;
        for at in 0..40_u32 {
            if at == 20 {
                engine.shift(i64::from(hours) * 3_600_000);
                moved = jump;
            }
            // What waited in a queue while the clock was set still bears its old time.
            let received = f64::from(at) + if at == 20 { 0.0 } else { moved };
            let mut group = Group::new(u64::from(at) + 1).reading(0, received, "t=9");
            group = group.reading(1, received, "t=4").reading(2, received, "t=5");
            let clock = minute(f64::from(at) + moved);
            diary.note(engine.apply(&group.0, clock));
            diary.note(engine.tick(clock));
        }
        let since = if hours == 1 { "60" } else { "-60" };
        assert_eq!(diary.lines, format!("{since} firing too_warm d0\n"), "{hours} h");
    }
}

#[test]
fn a_reload_keeps_timers_and_takes_alerts_of_what_is_gone_along() {
    let both = [too_warm(), rule("door", is("door", true))];
    let mut engine = Engine::new(town(&both, 2), minute(0.0), Duration::ZERO);
    let mut diary = Diary::default();
    for at in 0..20_u32 {
        let received = f64::from(at);
        let group = Group::new(u64::from(at) + 1);
        let group =
            group.reading(0, received, "t=9 door=true").reading(1, received, "t=9 door=true");
        diary.note(engine.apply(&group.0, minute(received)));
    }
    // Another limit for another rule, no rule for doors, no second device.
    let new = [
        rule("cold", Condition::Below { metric: symbol("t"), limit: 0.0, clear: 1.0 }),
        too_warm(),
    ];
    diary.note(engine.reload(town_without(&new, 2, &[1]), minute(20.0)));
    for at in 20..32_u32 {
        let group = Group::new(u64::from(at) + 1).reading(0, f64::from(at), "t=9 door=true");
        diary.note(engine.apply(&group.0, minute(f64::from(at))));
    }
    let mut lines: Vec<_> = diary.lines.lines().collect();
    lines.sort_unstable();
    let expected = [
        "0 firing door d0",
        "0 firing door d1",
        "0 firing too_warm d0",
        "20 resolved door d0 removed",
        "20 resolved door d1 removed",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_is_open_in_the_ledger_is_open_whatever_the_rows_say() {
    let mut engine = Engine::new(town(&[too_warm()], 2), minute(0.0), Duration::ZERO);
    let open = |id: &str, device: &str, rule: &str| {
        (id.to_owned(), format!("putuo/s1/{device}"), rule.to_owned())
    };
    let (orphans, unreadable) = engine.restore(Restored {
        devices: vec![("putuo/s1/d1".into(), vec![1, 2, 3])],
        open: vec![
            open("a", "d0", "too_warm"),
            open("b", "d0", "gone"),
            open("c", "d9", "too_warm"),
        ],
        ..Restored::default()
    });
    assert_eq!(orphans, ["b", "c"]);
    assert_eq!(unreadable.len(), 1);
    let mut resolved = Vec::new();
    for at in 0..20_u32 {
        let group = Group::new(u64::from(at) + 1).reading(0, f64::from(at), "t=4");
        resolved.extend(engine.apply(&group.0, minute(f64::from(at))).happenings);
    }
    let expected = Happening::Resolved { id: "a".into(), at: minute(15.0), reason: None };
    assert_eq!(resolved, [expected]);
}
