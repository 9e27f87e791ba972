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
    let metrics = [
        (symbol("temp_c"), Shape::Number),
        (symbol("in_total"), Shape::Counter),
        (symbol("open"), Shape::State),
        (symbol("mode"), Shape::Words(&words)),
        (symbol("selftest_at"), Shape::Time),
    ];
    check(written, &metrics, false).map_err(|mistakes| {
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
            in_when("stuck_for = { metric = \"temp_c\", within = \"40days\" }"),
            "when.stuck_for.within: is longer than 31 days ()",
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
            "when.sum_over: needs held and longer_than, or growth and limit, or times and limit ()",
        ),
        (in_when("all = []"), "when.all: is empty (name at least one condition)"),
        (format!("{fine}for = \"90days\""), "for: is longer than 31 days ()"),
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
            format!("{fine}by_station = \"capacity\""),
            "by_station: by_station = \"capacity\" needs exactly one condition with a limit (use \
             one above or below)",
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

fn changed(when: &str, change: &str) -> Result<Option<Rule>, String> {
    let mut rule = check_text(&format!("when = {{ {when} }}")).unwrap();
    let change: Override = toml::from_str(change).unwrap();
    change.apply(&mut rule).map(|enabled| enabled.then_some(rule))
}

#[test]
fn overrides_change_numbers_and_nothing_else() {
    let warm = "above = { metric = \"temp_c\", limit = 8, clear = 7 }";
    let temp_c = Symbol::intern("temp_c").unwrap();
    for (change, limit, clear) in [
        ("limit = 10", 10.0, 9.0),
        ("limit = 10\nclear = 5", 10.0, 5.0),
        ("for = \"1h\"", 8.0, 7.0),
    ] {
        let rule = changed(warm, change).unwrap().unwrap();
        assert_eq!(rule.when, Condition::Above { metric: temp_c, limit, clear }, "{change}");
    }
    assert_eq!(changed(warm, "enabled = false"), Ok(None));
    let rule = changed(warm, "for = \"1h\"\nseverity = \"critical\"").unwrap().unwrap();
    assert_eq!((rule.hold, rule.severity), (Duration::from_hours(1), Severity::Critical));

    let twice = format!("any = [ {{ {warm} }}, {{ {warm} }} ]");
    for (when, change, error) in [
        (warm, "low = 1", "this rule has no low to change"),
        (warm, "clear = 9", "clear = 9 lies above limit = 8"),
        (twice.as_str(), "limit = 1", "this rule has more than one limit"),
        (
            "is = { metric = \"open\", value = true }",
            "limit = 1",
            "this rule has no limit to change",
        ),
    ] {
        assert_eq!(changed(when, change), Err(error.to_owned()), "{change}");
    }
}
