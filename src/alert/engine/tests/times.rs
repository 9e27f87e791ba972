//! Rules that begin and end at moments nobody reports. Minute 0 is a Friday, 08:00.

use super::*;

fn at_night() -> Condition {
    Condition::During { from: 22 * 60, to: 6 * 60 }
}

#[test]
fn a_rule_begins_and_ends_with_the_hour_though_nothing_comes() {
    let night = [rule("night", at_night())];
    let expected = "840 firing night d0\n 1320 resolved night d0\n 2280 firing night d0";
    check_in(town(&night, 1), "", 2300, expected);
    let held = [Rule { hold: MINUTE * 30, clear_after: MINUTE * 5, ..rule("night", at_night()) }];
    let expected = "840 firing night d0\n 1325 resolved night d0";
    check_in(town(&held, 1), "", 1400, expected);
}

#[test]
fn an_open_door_is_graver_at_night_from_the_very_minute() {
    let open = [rule("open", Condition::All(vec![is("open", true), at_night()]))];
    let lines = (0..280).map(|n| format!("{} d0 open=true", 3 + n * 5));
    let timeline = lines.collect::<Vec<_>>().join("\n");
    let expected = "840 firing open d0\n 1320 resolved open d0";
    check_in(town(&open, 1), &timeline, 1400, expected);
}

#[test]
fn what_excuses_a_rule_ends_on_time() {
    let warm = Rule { unless: Some(at_night()), hold: MINUTE * 20, ..rule("warm", warm()) };
    let lines = (0..125).map(|n| format!("{} d0 t=9", 832 + n * 4));
    let timeline = lines.collect::<Vec<_>>().join("\n");
    // 8 of 20 minutes passed before the night, the other 12 behind it: at 06:12.
    check_in(town(std::slice::from_ref(&warm), 1), &timeline, 1331, "");
    check_in(town(&[warm], 1), &timeline, 1333, "832 firing warm d0");
}

#[test]
fn a_moment_that_a_metric_names_grows_old() {
    let than = MINUTE * 60;
    let old = [rule("old", Condition::OlderThan { metric: symbol("tested"), than })];
    let (first, second) = (minute(0.0).0, minute(90.0).0);
    let timeline = format!("5 d0 tested={first}\n 90 d0 tested={second}");
    let expected = "60 firing old d0\n 90 resolved old d0\n 150 firing old d0";
    check(&old, &timeline, 200, expected);
    // One that is older than the one before counts at once.
    let timeline = format!("5 d0 tested={first}\n 10 d0 tested={}", first - 3_600_000);
    check(&old, &timeline, 20, "10 firing old d0");
}

#[test]
fn a_clock_that_is_set_is_looked_at_anew() {
    let mut engine = Engine::new(town(&[rule("night", at_night())], 1), minute(0.0), MINUTE);
    let mut diary = Diary::default();
    diary.note(engine.tick(minute(800.0)));
    engine.shift(3_600_000);
    diary.note(engine.tick(minute(860.0)));
    assert_eq!(diary.lines, "860 firing night d0\n");
}

#[test]
fn a_rule_that_is_new_after_a_reload_looks_at_the_clock_at_once() {
    let mut engine = Engine::new(town(&[too_warm()], 1), minute(0.0), MINUTE);
    let mut diary = Diary::default();
    diary.note(engine.tick(minute(900.0)));
    diary.note(engine.reload(town(&[too_warm(), rule("night", at_night())], 1), minute(900.0)));
    diary.note(engine.tick(minute(901.0)));
    assert_eq!(diary.lines, "900 firing night d0\n");
}

#[test]
fn a_date_comes_nearer_and_passes() {
    let date = symbol("date.pads");
    let within = |minutes| Condition::ExpiresWithin { date, within: MINUTE * minutes };
    let mut soon = rule("soon", within(1440));
    soon.says.en = "Pads end on {date.pads}".into();
    let aed = profile("aed", "ready=state", vec![soon, rule("past", within(0))]);
    let town = || Arc::new(with_dates(station(&[&aed, &aed]), &[("date.pads", 3000.0)]));
    check_in(town(), "", 4000, "1560 firing soon d0\n 3000 firing past d0");
    let mut engine = Engine::new(town(), minute(0.0), MINUTE);
    let raised = engine.tick(minute(2000.0));
    let Happening::Raised { alert, .. } = &raised.happenings[0] else { panic!("{raised:?}") };
    assert_eq!(alert.says.en, "Pads end on 2027-01-17");
    // Replaced: the registry has another date now.
    let mut diary = Diary::default();
    diary.note(raised);
    let later = with_dates(station(&[&aed, &aed]), &[("date.pads", 300_000.0)]);
    diary.note(engine.reload(Arc::new(later), minute(2100.0)));
    diary.note(engine.tick(minute(2101.0)));
    assert_eq!(diary.lines, "1560 firing soon d0\n2100 resolved soon d0\n");
}

#[test]
fn the_public_cannot_enter_from_the_minute_it_should_be_open() {
    let shut = Condition::All(vec![is("locked", true), Condition::StationOpen(true)]);
    let door =
        profile("door", "locked=state", vec![Rule { hold: MINUTE * 10, ..rule("shut", shut) }]);
    let mut registry = station(&[&door]);
    let day = |day: u16| (day * 1440 + 480, day * 1440 + 1320);
    registry.stations[0].opens = crate::registry::Opens::Week((0..7).map(day).collect());
    // Minute 840 is 22:00, minute 1440 is 08:00.
    let lines = (0..88).map(|n| format!("{} d0 locked={}", 13 + n * 9, n < 30));
    let timeline = lines.collect::<Vec<_>>().join("\n");
    let expected = "13 firing shut d0\n 283 resolved shut d0";
    check_in(Arc::new(registry.clone()), &timeline, 800, expected);
    let locked = (0..165).map(|n| format!("{} d0 locked={}", 13 + n * 9, n > 50));
    let timeline = locked.collect::<Vec<_>>().join("\n");
    let expected = "472 firing shut d0\n 840 resolved shut d0\n 1440 firing shut d0";
    check_in(Arc::new(registry), &timeline, 1500, expected);
}

#[test]
fn a_record_that_was_never_made_counts_from_when_the_device_was_known() {
    let cleaned = symbol("record.cleaned");
    let old = Condition::OlderThan { metric: cleaned, than: MINUTE * 60 };
    let mut dirty = rule("dirty", old);
    dirty.says.en = "Cleaned {record.cleaned}".into();
    let rules =
        [dirty, rule("few", Condition::Below { metric: symbol("t"), limit: 3.0, clear: 3.0 })];
    let mut engine = Engine::new(town(&rules, 1), minute(0.0), Duration::ZERO);
    let mut diary = Diary::default();
    diary.note(engine.tick(minute(70.0)));
    let mut record = |engine: &mut Engine, now: f64, at: f64, found: &[_]| {
        let outcome = engine.record("putuo/s1/d0", &[cleaned], minute(at), found, minute(now));
        diary.note(outcome.unwrap());
        diary.note(engine.tick(minute(now + 0.5)));
    };
    record(&mut engine, 80.0, 75.0, &[]);
    // One that is told late takes nothing back.
    record(&mut engine, 100.0, 20.0, &[]);
    let two =
        crate::reading::Sample { metric: symbol("t"), value: crate::reading::Value::Number(2.0) };
    record(&mut engine, 110.0, 110.0, &[two]);
    record(&mut engine, 169.0, 105.0, &[]);
    record(&mut engine, 171.0, 100.0, &[]);
    let expected = "60 firing dirty d0\n80 resolved dirty d0\n110 firing few d0\n\
                    170 firing dirty d0\n";
    assert_eq!(diary.lines, expected);
    assert!(engine.record("putuo/s1/d9", &[cleaned], minute(0.0), &[], minute(0.0)).is_none());
}

#[test]
fn since_when_a_device_is_known_outlives_a_restart() {
    let old = Condition::OlderThan { metric: symbol("record.cleaned"), than: MINUTE * 60 };
    let rules = [rule("dirty", old)];
    let mut before = Engine::new(town(&rules, 1), minute(0.0), Duration::ZERO);
    before.tick(minute(10.0));
    let slots = before.take_dirty();
    let rows = before.rows(&slots);
    assert_eq!(rows.len(), 1);
    let devices = rows.into_iter().map(|(path, row)| (path.into(), row)).collect();
    let mut after = Engine::new(town(&rules, 1), minute(50.0), Duration::ZERO);
    after.restore(Restored { devices, now: Some(minute(10.0)), ..Restored::default() });
    let mut diary = Diary::default();
    diary.note(after.tick(minute(61.0)));
    assert_eq!(diary.lines, "60 firing dirty d0\n");
}
