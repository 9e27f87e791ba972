//! Puts values into what a rule says: `Fridge at {temp_c} °C`.

use crate::{reading::Value, rule::Text};

/// Fills both languages. `value` knows what stands in braces; what is unknown shows as a dash.
pub(crate) fn fill(text: &Text, value: impl Fn(&str) -> Option<String>) -> Text {
    Text { en: fill_one(&text.en, &value), zh: fill_one(&text.zh, &value) }
}

/// Says that it was over, or had begun, before we heard of it.
pub(crate) fn while_offline(text: &Text) -> Text {
    Text {
        en: format!("{} (happened while offline)", text.en),
        zh: format!("{}（发生在离线期间）", text.zh),
    }
}

fn fill_one(text: &str, value: &impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        filled.push_str(value(name).as_deref().unwrap_or("–"));
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

/// Numbers as a person would read them out: one place behind the point, none where it is zero.
pub(crate) fn show(value: Value) -> String {
    match value {
        Value::Number(number) if number.abs() < 100.0 => {
            let shown = format!("{number:.1}");
            let short = shown.strip_suffix(".0").unwrap_or(&shown);
            if short == "-0" { "0".to_owned() } else { short.to_owned() }
        }
        Value::Number(number) => format!("{number:.0}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_the_text_as_people_read_them() {
        let table = [
            ("Fridge at {t} °C", 8.4444, "Fridge at 8.4 °C"),
            ("Fridge at {t} °C", 9.0, "Fridge at 9 °C"),
            ("Freezer at {t} °C", -0.04, "Freezer at 0 °C"),
            ("{t} W", 1234.56, "1235 W"),
            ("{other} and {t}", 1.0, "– and 1"),
            ("a {brace without end", 1.0, "a {brace without end"),
            ("{t}{t}", 5.5, "5.55.5"),
        ];
        for (text, number, expected) in table {
            let value = |name: &str| (name == "t").then(|| show(Value::Number(number)));
            assert_eq!(fill_one(text, &value), expected);
        }
    }
}
