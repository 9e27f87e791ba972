//! What holds whatever comes, whenever somebody looks.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{
    alert::testing::*,
    rule::{Condition, Rule, Silence, Summed},
};

/// Seconds since the one before, device, what it says, whether it comes late.
type Script = Vec<(u32, u32, u8, bool)>;

const METRICS: [&str; 8] =
    ["t=9", "t=7.5", "t=4", "t=-1", "door=true", "door=false", "defrost=true", "defrost=false t=9"];

fn script() -> impl Strategy<Value = Script> {
    let line = (0u32..400, 0u32..3, 0u8..8, prop::bool::weighted(0.2));
    proptest::collection::vec(line, 1..60)
}

fn numbers() -> Vec<Rule> {
    let t = symbol("t");
    let cold = Condition::Below { metric: t, limit: 0.0, clear: 1.0 };
    let rises = Condition::ChangesFaster { metric: t, by: 2.0, within: MINUTE * 15 };
    vec![
        Rule { hold: MINUTE * 7, clear_after: MINUTE * 3, ..rule("warm", warm()) },
        Rule { readings: 2, ..rule("cold", cold) },
        rule("rises", rises),
    ]
}

fn all() -> Vec<Rule> {
    let mut rules = numbers();
    let open = rule("open", is("door", true));
    rules.push(Rule { unless: Some(is("defrost", true)), hold: MINUTE * 2, ..open });
    rules.push(rule("silent", silent()));
    rules
}

/// Three fridges that look at each other, at the clock, at dates and at records, and their station.
fn linked() -> Arc<Registry> {
    let opened = Summed::Times(symbol("fridge.door"));
    let fired = Summed::Fired(symbol("open"));
    let checked = symbol("record.checked");
    let (hour, day) = (MINUTE * 60, MINUTE * 1440);
    let early = Condition::During { from: 8 * 60 + 30, to: 9 * 60 };
    let mut rules = all();
    rules.extend([
        Rule { unless: Some(early.clone()), ..rule("other", is("fridge.defrost", true)) },
        rule("opened", Condition::SumOver { what: opened, limit: 2.0, within: hour }),
        rule("often", Condition::SumOver { what: fired, limit: 1.0, within: hour }),
        rule("early", Condition::All(vec![is("door", true), early])),
        rule("unchecked", Condition::OlderThan { metric: checked, than: hour }),
        Rule { hold: MINUTE * 9, ..rule("open_hours", Condition::StationOpen(true)) },
        rule("soon", Condition::ExpiresWithin { date: symbol("date.pads"), within: day }),
    ]);
    let fridge = profile("fridge", "t=number door=state defrost=state", rules);
    let absent = Condition::AbsentFor { metric: None, within: Silence::Fixed(MINUTE * 7) };
    let own = profile("station", "occupancy=number", vec![rule("away", absent)]);
    let mut town = station(&[&fridge, &fridge, &fridge, &own]);
    let day = |day: u16| (day * 1440 + 500, day * 1440 + 560);
    town.stations[0].opens = crate::registry::Opens::Week((0..7).map(day).collect());
    Arc::new(with_dates(town, &[("date.pads", 1500.0)]))
}

/// Plays a script; `late` keeps its late readings, `look` ticks at so many moments in between.
fn play(rules: &[Rule], script: &Script, late: bool, look: u32, grace: Duration) -> Vec<Happening> {
    play_in(town(rules, 3), script, late, look, grace)
}

fn play_in(
    registry: Arc<Registry>,
    script: &Script,
    late: bool,
    look: u32,
    grace: Duration,
) -> Vec<Happening> {
    let mut engine = Engine::new(registry, minute(0.0), grace);
    let (mut happened, mut now) = (Vec::new(), 0.0);
    for (number, (pause, device, what, is_late)) in (1..).zip(script) {
        let pause = f64::from(*pause) / 60.0;
        for part in 1..=look {
            let moment = minute(now + pause * f64::from(part) / f64::from(look + 1));
            happened.extend(engine.tick(moment.plus_millis(-1)).happenings);
        }
        now += pause;
        let group = Group::new(number);
        let metrics = METRICS[usize::from(*what)];
        let group = match (*is_late, late) {
            (true, true) => group.late(*device, now, now - 60.0, metrics),
            (true, false) => group,
            (false, _) => group.reading(*device, now, metrics),
        };
        happened.extend(engine.apply(&group.0, minute(now)).happenings);
    }
    happened.extend(engine.tick(minute(now + 600.0)).happenings);
    happened
}

fn sorted(happened: &[Happening]) -> BTreeSet<String> {
    happened.iter().map(|happening| format!("{happening:?}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn firing_and_resolved_take_turns(script in script(), look in 0u32..3) {
        let (mut open, mut ended) = (BTreeSet::new(), BTreeSet::new());
        for happening in play(&all(), &script, true, look, Duration::ZERO) {
            match happening {
                Happening::Raised { alert, .. } => {
                    let one = (alert.rule.clone(), alert.device.clone());
                    prop_assert!(!open.iter().any(|(_, other)| *other == one), "twice {one:?}");
                    prop_assert!(!ended.contains(&alert.id), "an id is used once");
                    open.insert((alert.id, one));
                }
                Happening::Resolved { id, .. } => {
                    let before = open.len();
                    open.retain(|(other, _)| *other != id);
                    prop_assert_eq!(open.len() + 1, before, "nothing was open");
                    ended.insert(id);
                }
            }
        }
    }

    #[test]
    fn it_does_not_matter_how_often_somebody_looks(script in script(), look in 1u32..4) {
        let seldom = play(&all(), &script, true, 0, Duration::ZERO);
        let often = play(&all(), &script, true, look, Duration::ZERO);
        prop_assert_eq!(sorted(&seldom), sorted(&often));
    }

    #[test]
    fn nor_where_devices_look_at_each_other_and_at_the_clock(script in script(), look in 1u32..4) {
        let seldom = play_in(linked(), &script, true, 0, Duration::ZERO);
        let often = play_in(linked(), &script, true, look, Duration::ZERO);
        prop_assert_eq!(sorted(&seldom), sorted(&often));
    }

    #[test]
    fn late_readings_change_nothing_where_they_do_not_count(script in script()) {
        let with = play(&numbers(), &script, true, 1, Duration::ZERO);
        let without = play(&numbers(), &script, false, 1, Duration::ZERO);
        // The message that began a breach has the same place in the journal in both.
        prop_assert_eq!(sorted(&with), sorted(&without));
    }

    #[test]
    fn nobody_is_silent_in_the_grace(script in script(), grace in 0u32..60) {
        let silence = [rule("silent", silent())];
        for happening in play(&silence, &script, true, 1, MINUTE * grace) {
            if let Happening::Raised { alert, .. } = happening {
                prop_assert!(alert.since >= minute(f64::from(grace) + 10.0));
            }
        }
    }
}
