//! Rules that look at other devices of their station.

use super::*;
use crate::registry::Registry;

fn above(metric: &str, limit: f64) -> Condition {
    Condition::Above { metric: symbol(metric), limit, clear: limit }
}

fn beside_people(rules: Vec<Rule>) -> Arc<Registry> {
    let people = profile("people", "occupancy=number presence=state in_total=counter", vec![]);
    Arc::new(station(&[&profile("chair", "on=state", rules), &people, &people]))
}

#[test]
fn numbers_of_several_are_the_largest_while_they_are_fresh() {
    let crowd = || beside_people(vec![rule("crowd", above("people.occupancy", 5.0))]);
    let timeline = "1 d1 occupancy=3\n 2 d2 occupancy=7\n 3 d2 occupancy=4\n 4 d1 occupancy=6";
    let expected = "2 firing crowd d0\n 3 resolved crowd d0\n 4 firing crowd d0";
    check_in(crowd(), timeline, 5, expected);
    // The other counter is gone: what it said last counts for ten minutes.
    let timeline = ["2 d2 occupancy=7\n".to_owned(), minutes(3, 20, 1, "occupancy=3")].concat();
    check_in(crowd(), &timeline, 20, "2 firing crowd d0\n 13 resolved crowd d0");
    // Both are gone: nobody knows.
    check_in(crowd(), "2 d2 occupancy=7", 60, "2 firing crowd d0");
}

#[test]
fn a_state_holds_if_any_device_says_so_and_is_there() {
    let idle = Condition::All(vec![is("on", true), is("people.presence", false)]);
    let rules = vec![Rule { hold: MINUTE * 5, ..rule("idle", idle) }];
    let lines = [
        "0 d0 on=true\n 0 d1 presence=true\n 0 d2 presence=false\n".to_owned(),
        minutes(1, 9, 0, "on=true"),
        "10 d1 presence=false\n".to_owned(),
        minutes(11, 30, 0, "on=true"),
    ];
    check_in(beside_people(rules), &lines.concat(), 30, "10 firing idle d0");
}

#[test]
fn counters_of_several_grow_as_all_of_them_grow() {
    let what = Summed::Growth(symbol("people.in_total"));
    let busy = Condition::SumOver { what, limit: 2.0, within: MINUTE * 60 };
    let lines = [
        "0 d1 in_total=1000",
        // The first that comes of a second counter is no crowd.
        "1 d2 in_total=500",
        "2 d1 in_total=1001",
        // It starts again from zero.
        "3 d2 in_total=1",
        "4 d1 in_total=1002",
    ];
    let town = beside_people(vec![rule("busy", busy)]);
    check_in(town, &lines.join("\n"), 5, "4 firing busy d0");
}

#[test]
fn mains_lost_mutes_appliances_and_no_longer() {
    let cold = Rule { unless: Some(is("mains.mains_ok", false)), ..too_warm() };
    let fridge = profile("fridge", "t=number", vec![cold]);
    let mains = profile("mains", "mains_ok=state", vec![]);
    let town = Arc::new(station(&[&fridge, &mains]));
    let both = |from, to, ok: bool| {
        let mains = minutes(from, to, 1, &format!("mains_ok={ok}"));
        let lines = mains.lines().zip(from..=to).map(|(line, m)| format!("{line}\n{m} d0 t=9\n"));
        lines.collect::<Vec<_>>().concat()
    };
    let timeline = [both(0, 9, true), both(10, 100, false), both(101, 130, true)].concat();
    check_in(town, &timeline, 130, "0 firing too_warm d0");
}

#[test]
fn an_event_of_another_happens_once() {
    let what = Summed::Times(symbol("presence.sos"));
    let twice = Condition::SumOver { what, limit: 1.0, within: MINUTE * 60 };
    let light = profile("light", "on=state", vec![rule("twice", twice)]);
    let presence = profile("presence", "sos=state motion=state", vec![]);
    let town = || Arc::new(station(&[&light, &presence]));
    let once = "0 d1 event sos=true\n 1 d1 event motion=true\n 2 d1 motion=false";
    check_in(town(), once, 5, "");
    check_in(town(), "0 d1 event sos=true\n 3 d1 event sos=true", 5, "3 firing twice d0");
}

#[test]
fn a_text_shows_what_another_device_says() {
    let mut crowd = rule("crowd", is("on", true));
    crowd.says.en = "{people.occupancy} inside, tested {people.never}".into();
    let mut engine = Engine::new(beside_people(vec![crowd]), minute(0.0), MINUTE);
    engine.apply(&Group::new(1).reading(1, 0.0, "occupancy=7").0, minute(0.0));
    let raised = engine.apply(&Group::new(2).reading(0, 1.0, "on=true").0, minute(1.0));
    let Happening::Raised { alert, .. } = &raised.happenings[0] else { panic!("{raised:?}") };
    assert_eq!(alert.says.en, "7 inside, tested –");
}
