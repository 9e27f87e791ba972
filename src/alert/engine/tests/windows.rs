//! Rules that look back over a span, or ahead.

use super::*;

#[test]
fn a_share_of_two_counters() {
    let what = Summed::Share(symbol("denied"), symbol("asked"));
    let share = Condition::SumOver { what, limit: 0.5, within: MINUTE * 60 };
    let timeline = "0 d0 denied=10 asked=100\n 1 d0 denied=11 asked=104\n \
                    2 d0 denied=15 asked=108\n 3 d0 denied=15 asked=114";
    check(&[rule("share", share)], timeline, 3, "2 firing share d0\n 3 resolved share d0");
}

#[test]
fn a_rule_that_fires_too_often_is_counted_and_forgotten() {
    let what = Summed::Fired(symbol("forced"));
    let often = Condition::SumOver { what, limit: 2.0, within: MINUTE * 64 };
    let rules = [rule("forced", is("open", true)), rule("lock", often)];
    let opens = [0, 10, 20].map(|m| format!("{m} d0 open=true\n{} d0 open=false\n", m + 1));
    let expected = "0 firing forced d0\n 1 resolved forced d0\n 10 firing forced d0\n \
                    11 resolved forced d0\n 20 firing forced d0\n 20 firing lock d0\n \
                    21 resolved forced d0\n 64 resolved lock d0";
    check(&rules, &opens.concat(), 100, expected);
}

#[test]
fn growth_since_a_record_counts_from_when_it_was_first_heard_of() {
    let (metric, record) = (symbol("litres"), symbol("record.replaced_filter"));
    let worn = Condition::GrownSince { metric, limit: 10.0, record };
    // A meter that starts from zero again has not run backwards.
    let timeline = "0 d0 litres=100\n 1 d0 litres=108\n 2 d0 litres=2\n 3 d0 litres=3";
    check(&[rule("worn", worn.clone())], timeline, 100, "3 firing worn d0");

    let mut engine = Engine::new(town(&[rule("worn", worn)], 1), minute(0.0), MINUTE);
    let mut diary = Diary::default();
    for (number, litres) in (1_u32..).zip([100, 109, 111, 112, 121, 123]) {
        let at = f64::from(number);
        let group = Group::new(u64::from(number)).reading(0, at, &format!("litres={litres}"));
        diary.note(engine.apply(&group.0, minute(at)));
        if number == 3 {
            let (done, at) = ([record], minute(at + 0.5));
            diary.note(engine.record("putuo/s1/d0", &done, at, &[], at).unwrap());
        }
    }
    assert_eq!(diary.lines, "3 firing worn d0\n3.5 resolved worn d0\n6 firing worn d0\n");
}

#[test]
fn more_than_usual_is_known_after_a_day() {
    let metric = symbol("denied");
    let unusual = Condition::AboveUsual { metric, times: 10.0, within: MINUTE * 60, least: 5.0 };
    // One an hour; bursts in the first day, and in the third.
    let mut total = 0;
    let lines = (0..72 * 6).map(|n| {
        total += u32::from(n % 6 == 0);
        total += if n == 60 { 30 } else { 0 };
        total += if n == 300 { 30 } else { 0 };
        format!("{} d0 denied={total}", n * 10)
    });
    let timeline = lines.collect::<Vec<_>>().join("\n");
    let expected = "3000 firing unusual d0\n 3060 resolved unusual d0";
    check(&[rule("unusual", unusual)], &timeline, 4310, expected);
}

#[test]
fn a_fridge_that_will_be_warm_is_told_of_and_when() {
    let (within, over) = (MINUTE * 240, MINUTE * 15);
    let warms = Condition::Reaches { metric: symbol("t"), value: 8.0, within, over };
    let mut foreseen = rule("foreseen", warms.clone());
    foreseen.says.en = "8 °C at {reaches}".into();
    let steady = minutes(0, 60, 0, "t=4");
    check(&[rule("foreseen", warms)], &steady, 60, "");

    let mut engine = Engine::new(town(&[foreseen], 1), minute(0.0), MINUTE);
    let mut raised = Vec::new();
    for at in 0..40_u32 {
        // From minute 10 on it warms by 0.1 a minute; one reading is far off.
        let t = if at == 5 { 30.0 } else { 4.0 + f64::from(at.saturating_sub(10)) / 10.0 };
        let group = Group::new(u64::from(at) + 1).reading(0, f64::from(at), &format!("t={t}"));
        raised.extend(engine.apply(&group.0, minute(f64::from(at))).happenings);
    }
    assert_eq!(raised.len(), 1, "{raised:?}");
    let Happening::Raised { alert, at } = &raised[0] else { panic!("{raised:?}") };
    assert!((minute(13.0)..minute(25.0)).contains(at), "{at}");
    let said = alert.says.en.strip_prefix("8 °C at ").unwrap();
    // It says so at 08:50 once all of its course is steep; before that, later.
    assert!(("08:50".."12:15").contains(&said), "{said}");
}
