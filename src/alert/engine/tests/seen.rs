//! Rules about what is seen of a device itself.

use super::*;

fn device(metric: &str) -> crate::reading::Symbol {
    symbol(&format!("device.{metric}"))
}

#[test]
fn a_device_whose_values_are_refused_half_an_hour_long() {
    let refused = Condition::Is { metric: device("implausible"), value: Wanted::State(true) };
    let rules = [Rule { hold: MINUTE * 30, ..rule("refused", refused) }];
    let lines = |from, to| minutes(from, to, 0, "refused");
    let good = |from, to| minutes(from, to, 0, "t=4");
    // Only what it refuses comes, beside signs of life.
    let bad = |from: u32, to: u32| {
        let each = (from..=to).map(|m| format!("{m} d0 refused\n{m} d0 online\n"));
        each.collect::<Vec<_>>().concat()
    };
    let timeline = [good(0, 4), bad(5, 40), good(41, 42)].concat();
    check(&rules, &timeline, 42, "5 firing refused d0\n 41 resolved refused d0");
    let timeline = [good(0, 4), lines(5, 20), good(21, 60)].concat();
    check(&rules, &timeline, 60, "");
}

#[test]
fn a_clock_that_is_off() {
    let limit = Condition::Above { metric: device("clock_off_s"), limit: 300.0, clear: 240.0 };
    let mut engine = Engine::new(town(&[rule("clock", limit)], 1), minute(0.0), MINUTE);
    let mut diary = Diary::default();
    for (number, (at, off)) in (1..).zip([(0.0, 0.0), (1.0, 6.0), (2.0, 4.5), (3.0, 0.0)]) {
        let mut group = Group::new(number).reading(0, at, "t=4");
        group.0.readings[0].claimed = Some(minute(at + off));
        diary.note(engine.apply(&group.0, minute(at)));
    }
    assert_eq!(diary.lines, "1 firing clock d0\n3 resolved clock d0\n");
}

#[test]
fn boots_are_counted_by_their_number_and_forgotten_after_a_day() {
    let what = Summed::Growth(device("boots_total"));
    let often = Condition::SumOver { what, limit: 2.0, within: MINUTE * 1440 };
    let rules = [rule("boots", often)];
    let lines = ["0 d0 boot=1", "1 d0 boot=1", "2 d0 boot=2", "3 d0 boot=3", "9 d0 boot=3"];
    check(&rules, &lines.join("\n"), 20, "");
    let timeline = [&lines[..], &["10 d0 boot=9"]].concat().join("\n");
    let mut engine = Engine::new(town(&rules, 1), minute(0.0), MINUTE);
    let mut happened = Vec::new();
    for (number, line) in (1..).zip(timeline.lines()) {
        let (at, boot) = line.split_once(" d0 boot=").unwrap();
        let at: f64 = at.parse().unwrap();
        let group = Group::new(number).born(0, at, boot.parse().ok());
        happened.extend(engine.apply(&group.0, minute(at)).happenings);
    }
    assert_eq!(happened.len(), 1, "{happened:?}");
    happened.extend(engine.tick(minute(1400.0)).happenings);
    assert_eq!(happened.len(), 1, "{happened:?}");
    happened.extend(engine.tick(minute(1480.0)).happenings);
    assert!(matches!(happened[1], Happening::Resolved { .. }), "{happened:?}");
}

#[test]
fn messages_that_never_came_are_a_share_of_those_that_did() {
    let what = Summed::Share(device("missing_total"), device("messages_total"));
    let lost = Condition::SumOver { what, limit: 0.05, within: MINUTE * 60 };
    let rules = [rule("lost", lost)];
    // One in an hour of sixty, then four more.
    let with = |extra: &str| {
        let lines = [minutes(0, 119, 0, "t=4"), extra.to_owned(), minutes(121, 200, 0, "t=4")];
        lines.concat()
    };
    check(&rules, &with("120 d0 missing=1\n"), 200, "");
    let timeline = with("120 d0 missing=5\n");
    check(&rules, &timeline, 200, "120 firing lost d0\n 180 resolved lost d0");
}
