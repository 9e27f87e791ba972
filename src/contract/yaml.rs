//! YAML of a JSON value: block style, every text in double quotes as JSON has them.

use std::fmt::Write;

use serde_json::Value;

/// The value as a YAML document.
pub fn yaml(value: &Value) -> String {
    let mut text = String::new();
    put(&mut text, value, 0);
    text.trim_start_matches('\n').to_owned()
}

/// Writes what stands behind a key or a dash, with the end of its line.
fn put(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            text.push('\n');
            for (key, value) in members {
                indent(text, depth);
                write!(text, "{}:", name(key)).ok();
                put(text, value, depth + 1);
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            text.push('\n');
            for value in elements {
                indent(text, depth);
                text.push('-');
                put(text, value, depth + 1);
            }
        }
        plain => drop(writeln!(text, " {plain}")),
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// A plain word stays bare; anything that YAML could read as something else is quoted.
fn name(key: &str) -> String {
    let is_plain = key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&key);
    if is_plain { key.to_owned() } else { Value::from(key).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_and_lists_stand_in_blocks() {
        let value = json!({
            "a": 1, "b": [1, "x: y", {"c": null}, []], "$ref": "#/x", "n": {}, "e": {"f": [[2]]},
        });
        let expected = "\"$ref\": \"#/x\"\na: 1\nb:\n  - 1\n  - \"x: y\"\n  -\n    c: null\n  - []\n\
            e:\n  f:\n    -\n      - 2\n\"n\": {}\n";
        assert_eq!(yaml(&value), expected);
    }
}
