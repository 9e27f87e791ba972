//! Rules as people write them: what is read, and which mistakes are named.

mod overrides;

use super::*;

/// Checks a rule whose `when` and more are given, against a few metrics.
fn check_text(toml: &str) -> Result<Rule, Vec<String>> {
    let head = "id = \"r\"\nseverity = \"minor\"\n";
    let texts = if toml.contains("says") { "" } else { "says = { en = \"a\", zh = \"b\" }\n" };
    let text = format!("{head}{texts}do = {{ en = \"c\", zh = \"d\" }}\n{toml}");
    let written: Written =
        toml::from_str(&text).map_err(|error| vec![error.message().to_owned()])?;
    let symbol = |name| Symbol::intern(name).unwrap();
    let words = [symbol("scheduled"), symbol("locked")];
    let own = [
        (symbol("temp_c"), Shape::Number),
        (symbol("in_total"), Shape::Counter),
        (symbol("out_total"), Shape::Counter),
        (symbol("open"), Shape::State),
        (symbol("mode"), Shape::Words(&words)),
        (symbol("selftest_at"), Shape::Time),
    ];
    let people = vec![(symbol("occupancy"), Shape::Number), (symbol("presence"), Shape::State)];
    let others = Shapes::from([("people".to_owned(), people)]);
    let known = Known { own: &own, others: &others };
    check(written, &known, false).map_err(|mistakes| {
        let show = |m: Mistake| format!("{}: {} ({})", m.key, m.what, m.cure);
        mistakes.into_iter().map(show).collect()
    })
}

#[test]
fn every_kind_of_condition_is_read() {
    let symbol = |name| Symbol::intern(name).unwrap();
    let minutes = Duration::from_mins;
    for (when, expected) in [
        (
            "above = { metric = \"temp_c\", limit = 8, clear = 7 }",
            Condition::Above { metric: symbol("temp_c"), limit: 8.0, clear: 7.0 },
        ),
        (
            "below = { metric = \"temp_c\", limit = 0 }",
            Condition::Below { metric: symbol("temp_c"), limit: 0.0, clear: 0.0 },
        ),
        (
            "exceeds = { metric = \"temp_c\", other = \"in_total\", limit = 4, clear = 2 }",
            Condition::Against {
                metric: symbol("temp_c"),
                other: symbol("in_total"),
                how: Against::Difference,
                limit: 4.0,
                clear: 2.0,
            },
        ),
        (
            "share = { metric = \"in_total\", of = \"out_total\", limit = 0.2 }",
            Condition::Against {
                metric: symbol("in_total"),
                other: symbol("out_total"),
                how: Against::Share,
                limit: 0.2,
                clear: 0.2,
            },
        ),
        (
            "is = { metric = \"open\", not = true }",
            Condition::Is { metric: symbol("open"), value: Wanted::State(false) },
        ),
        (
            "is = { metric = \"mode\", not = \"locked\" }",
            Condition::Is { metric: symbol("mode"), value: Wanted::NotWord(symbol("locked")) },
        ),
        (
            "is = { metric = \"temp_c\", not = 0 }",
            Condition::Is { metric: symbol("temp_c"), value: Wanted::NotNumber(0.0) },
        ),
        ("absent_for = {}", Condition::AbsentFor { metric: None, within: Silence::ByInterval }),
        (
            "stuck_for = { metric = \"selftest_at\", within = \"26h\" }",
            Condition::StuckFor {
                metric: symbol("selftest_at"),
                within: minutes(26 * 60),
                tolerance: 0.0,
            },
        ),
        (
            "sum_over = { times = \"open\", limit = 0, within = \"20m\" }",
            Condition::SumOver {
                what: Summed::Times(symbol("open")),
                limit: 0.0,
                within: minutes(20),
            },
        ),
        (
            "sum_over = { growth = \"in_total\", limit = 2, within = \"10m\" }",
            Condition::SumOver {
                what: Summed::Growth(symbol("in_total")),
                limit: 2.0,
                within: minutes(10),
            },
        ),
    ] {
        let rule = check_text(&format!("when = {{ {when} }}"));
        assert_eq!(rule.map(|rule| rule.when), Ok(expected), "{when}");
    }
    let held = "sum_over = { held = { above = { metric = \"temp_c\", limit = 8 } }, \
                longer_than = \"2h\", within = \"4h\" }";
    let rule = check_text(&format!("when = {{ any = [ {{ {held} }} ] }}")).unwrap();
    let Condition::Any(list) = rule.when else { panic!("{:?}", rule.when) };
    assert!(
        matches!(list[0], Condition::SumOver { limit, .. } if (7199.9..7200.1).contains(&limit))
    );
}

#[test]
fn conditions_on_shares_records_times_and_others_are_read() {
    let symbol = |name| Symbol::intern(name).unwrap();
    let minutes = Duration::from_mins;
    for (when, expected) in [
        (
            "sum_over = { growth = \"in_total\", share_of = \"out_total\", limit = 0.1, within = \
             \"1h\" }",
            Condition::SumOver {
                what: Summed::Share(symbol("in_total"), symbol("out_total")),
                limit: 0.1,
                within: minutes(60),
            },
        ),
        (
            "sum_over = { fired = \"forced\", limit = 2, within = \"24h\" }",
            Condition::SumOver {
                what: Summed::Fired(symbol("forced")),
                limit: 2.0,
                within: minutes(24 * 60),
            },
        ),
        (
            "sum_over = { growth = \"in_total\", since = \"replaced_filter\", limit = 2000 }",
            Condition::GrownSince {
                metric: symbol("in_total"),
                limit: 2000.0,
                record: symbol("record.replaced_filter"),
            },
        ),
        (
            "above_usual = { growth = \"in_total\", times = 10, within = \"1h\", least = 5 }",
            Condition::AboveUsual {
                metric: symbol("in_total"),
                times: 10.0,
                within: minutes(60),
                least: 5.0,
            },
        ),
        (
            "reaches = { metric = \"temp_c\", value = 8, within = \"4h\", over = \"15m\" }",
            Condition::Reaches {
                metric: symbol("temp_c"),
                value: 8.0,
                within: minutes(240),
                over: minutes(15),
            },
        ),
        (
            "older_than = { metric = \"selftest_at\", than = \"26h\" }",
            Condition::OlderThan { metric: symbol("selftest_at"), than: minutes(26 * 60) },
        ),
        (
            "older_than = { record = \"cleaned\", than = \"30days\" }",
            Condition::OlderThan { metric: symbol("record.cleaned"), than: minutes(30 * 24 * 60) },
        ),
        (
            "older_than = { date = \"filter\", than = \"30days\" }",
            Condition::OlderThan { metric: symbol("date.filter"), than: minutes(30 * 24 * 60) },
        ),
        (
            "expires_within = { date = \"pads\", within = \"90days\" }",
            Condition::ExpiresWithin { date: symbol("date.pads"), within: minutes(90 * 24 * 60) },
        ),
        (
            "during = { from = \"22:00\", to = \"06:00\" }",
            Condition::During { from: 22 * 60, to: 6 * 60 },
        ),
        ("station_open = false", Condition::StationOpen(false)),
        (
            "above = { profile = \"people\", metric = \"occupancy\", limit = 0 }",
            Condition::Above { metric: symbol("people.occupancy"), limit: 0.0, clear: 0.0 },
        ),
        (
            "is = { profile = \"device\", metric = \"implausible\", value = true }",
            Condition::Is { metric: symbol("device.implausible"), value: Wanted::State(true) },
        ),
    ] {
        let rule = check_text(&format!("when = {{ {when} }}"));
        assert_eq!(rule.map(|rule| rule.when), Ok(expected), "{when}");
    }
}

#[test]
fn every_mistake_is_named_with_its_cure() {
    let fine = "when = { is = { metric = \"open\", value = true } }\n";
    let in_when = |when: &str| format!("when = {{ {when} }}");
    for (toml, expected) in [
        (
            in_when("above = { metric = \"tmp_c\", limit = 8 }"),
            "when.above: unknown metric \"tmp_c\" (did you mean \"temp_c\"?)",
        ),
        (
            in_when("above = { metric = \"open\", limit = 8 }"),
            "when.above: open is true or false, not a number or a counter ()",
        ),
        (
            in_when("above = { metric = \"temp_c\", limit = 8, clear = 9 }"),
            "when.above: clear = 9 lies above limit = 8 (clear must be at or under limit)",
        ),
        (
            in_when("below = { metric = \"temp_c\", limit = 8, clear = 7 }"),
            "when.below: clear = 7 lies under limit = 8 (clear must be at or over limit)",
        ),
        (
            in_when("outside = { metric = \"temp_c\", low = 9, high = 2 }"),
            "when.outside: low = 9 is not under high = 2 (swap them)",
        ),
        (
            in_when("outside = { metric = \"temp_c\", low = 2, high = 4, margin = 1 }"),
            "when.outside: margin = 1 leaves nothing between low and high (make it smaller, not \
             negative)",
        ),
        (
            in_when("exceeds = { metric = \"temp_c\", other = \"temp_c\", limit = 4 }"),
            "when.exceeds: compares temp_c with itself (name another metric)",
        ),
        (
            in_when("share = { metric = \"in_total\", of = \"out_total\", limit = 1, clear = 2 }"),
            "when.share: clear = 2 lies above limit = 1 (clear must be at or under limit)",
        ),
        (
            in_when("is = { metric = \"open\", value = 1 }"),
            "when.is: open is true or false, it can never be 1 ()",
        ),
        (
            in_when("is = { metric = \"mode\", value = \"lockt\" }"),
            "when.is: unknown word \"lockt\" (did you mean \"locked\"?)",
        ),
        (
            in_when("is = { metric = \"open\" }"),
            "when.is: needs either value or not (write value = …)",
        ),
        (
            in_when("changes_faster = { metric = \"temp_c\", by = 0, within = \"1m\" }"),
            "when.changes_faster: by = 0 is no change (positive = up, negative = down)",
        ),
        (
            in_when("stuck_for = { metric = \"temp_c\", within = \"500days\" }"),
            "when.stuck_for.within: is longer than 400 days ()",
        ),
        (
            in_when("absent_for = { within = \"0s\" }"),
            "when.absent_for.within: is shorter than a second ()",
        ),
        (
            in_when("sum_over = { growth = \"temp_c\", limit = 1, within = \"1h\" }"),
            "when.sum_over: temp_c is a number, not a counter ()",
        ),
        (
            in_when("sum_over = { times = \"open\", within = \"1h\" }"),
            "when.sum_over: needs held and longer_than, or limit and one of growth, times and fired ()",
        ),
        (in_when("all = []"), "when.all: is empty (name at least one condition)"),
        (format!("{fine}for = \"500days\""), "for: is longer than 400 days ()"),
        (format!("{fine}readings = 0"), "readings: must lie between 1 and 1000 ()"),
        (
            format!("{fine}says = {{ en = \"{{temp}}\", zh = \"b\" }}"),
            "says.en: unknown metric \"temp\" (did you mean \"temp_c\"?)",
        ),
        (
            format!("{fine}says = {{ en = \"a\", zh = \" \" }}"),
            "says.zh: is empty (say it in both languages)",
        ),
        (
            format!("{fine}says = {{ en = \"{{temp_c\", zh = \"b\" }}"),
            "says.en: a { is never closed (close it, or leave it out)",
        ),
        (
            format!("{fine}needs = \"capacity\""),
            "needs: needs = \"capacity\" goes with exactly one condition with a limit (use \
             one above or below)",
        ),
    ] {
        assert_eq!(check_text(&toml), Err(vec![expected.to_owned()]), "{toml}");
    }
}

#[test]
fn mistakes_about_records_times_and_others_are_named_too() {
    let in_when = |when: &str| format!("when = {{ {when} }}");
    for (toml, expected) in [
        (
            in_when("sum_over = { growth = \"in_total\", limit = 1 }"),
            "when.sum_over: needs within, or since (write within = \"1h\")",
        ),
        (
            in_when(
                "sum_over = { growth = \"in_total\", limit = 1, within = \"1h\", since = \
                 \"cleaned\" }",
            ),
            "when.sum_over: since goes with growth and limit alone ()",
        ),
        (
            in_when("sum_over = { growth = \"in_total\", limit = 1, since = \"cleand\" }"),
            "when.sum_over: unknown record \"cleand\" (did you mean \"cleaned\"?)",
        ),
        (
            in_when(
                "above_usual = { growth = \"in_total\", times = 1, within = \"1h\", least = 5 }",
            ),
            "when.above_usual: times = 1, least = 5 make no sense (times must be over 1, least not \
             negative)",
        ),
        (
            in_when(
                "above_usual = { growth = \"in_total\", times = 9, within = \"25h\", least = 5 }",
            ),
            "when.above_usual: within is longer than a day (what is usual is a week's mean)",
        ),
        (
            in_when("reaches = { metric = \"open\", value = 8, within = \"4h\", over = \"1m\" }"),
            "when.reaches: open is true or false, not a number or a counter ()",
        ),
        (
            in_when("older_than = { metric = \"temp_c\", than = \"1h\" }"),
            "when.older_than: temp_c is a number, not a moment ()",
        ),
        (
            in_when("older_than = { than = \"1h\" }"),
            "when.older_than: needs one of metric, record and date ()",
        ),
        (
            in_when("expires_within = { date = \"pads\", within = \"500days\" }"),
            "when.expires_within.within: is longer than 400 days ()",
        ),
        (
            in_when("during = { from = \"22:00\", to = \"24:00\" }"),
            "when.during.to: \"24:00\" is no time of day (write it as \"22:00\")",
        ),
        (
            in_when("during = { from = \"22:00\", to = \"22:00\" }"),
            "when.during: from and to are the same ()",
        ),
        (
            in_when("above = { profile = \"peple\", metric = \"occupancy\", limit = 0 }"),
            "when.above: unknown profile \"peple\" (did you mean \"people\"?)",
        ),
        (
            in_when("above = { profile = \"people\", metric = \"ocupancy\", limit = 0 }"),
            "when.above: unknown metric \"ocupancy\" (did you mean \"occupancy\"?)",
        ),
        (
            in_when("is = { profile = \"device\", metric = \"implausable\", value = true }"),
            "when.is: unknown metric \"implausable\" (did you mean \"implausible\"?)",
        ),
    ] {
        assert_eq!(check_text(&toml), Err(vec![expected.to_owned()]), "{toml}");
    }
}

#[test]
fn several_mistakes_of_one_rule_come_together() {
    let found = check_text(
        "when = { above = { metric = \"no\", limit = 1, clear = 2 } }\nreadings = 0\n\
         unless = { is = { metric = \"nor\", value = true } }",
    );
    assert_eq!(found.unwrap_err().len(), 4);
}
