//! What overrides may change, and what not.

use super::*;

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

#[test]
fn overrides_reach_into_every_kind_of_condition() {
    let minutes = Duration::from_mins;
    let symbol = |name| Symbol::intern(name).unwrap();
    let (counter, temp_c) = (symbol("in_total"), symbol("temp_c"));
    for (when, change, expected) in [
        (
            "sum_over = { growth = \"in_total\", since = \"cleaned\", limit = 60 }",
            "limit = 90",
            Condition::GrownSince {
                metric: counter,
                limit: 90.0,
                record: symbol("record.cleaned"),
            },
        ),
        (
            "share = { metric = \"in_total\", of = \"out_total\", limit = 0.2 }",
            "limit = 0.5",
            Condition::Against {
                metric: counter,
                other: symbol("out_total"),
                how: Against::Share,
                limit: 0.5,
                clear: 0.5,
            },
        ),
        (
            "above_usual = { growth = \"in_total\", times = 10, within = \"1h\", least = 5 }",
            "times = 4\nwithin = \"2h\"",
            Condition::AboveUsual { metric: counter, times: 4.0, within: minutes(120), least: 5.0 },
        ),
        (
            "reaches = { metric = \"temp_c\", value = 8, within = \"4h\", over = \"15m\" }",
            "value = 10",
            Condition::Reaches {
                metric: temp_c,
                value: 10.0,
                within: minutes(240),
                over: minutes(15),
            },
        ),
        (
            "older_than = { record = \"cleaned\", than = \"30days\" }",
            "than = \"1h\"",
            Condition::OlderThan { metric: symbol("record.cleaned"), than: minutes(60) },
        ),
        (
            "expires_within = { date = \"pads\", within = \"90days\" }",
            "within = \"1h\"",
            Condition::ExpiresWithin { date: symbol("date.pads"), within: minutes(60) },
        ),
    ] {
        let rule = changed(when, change).unwrap().unwrap();
        assert_eq!(rule.when, expected, "{when} {change}");
    }
    let night = "during = { from = \"22:00\", to = \"06:00\" }";
    let error = "this rule has no within to change".to_owned();
    assert_eq!(changed(night, "within = \"1h\""), Err(error));
}
