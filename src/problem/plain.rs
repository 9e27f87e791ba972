//! What a parser says, in words for the person who wrote the file.

/// The candidate a person most likely meant, if any is close.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate));
    let (distance, candidate) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance * 2 <= candidate.chars().count().max(2)).then_some(candidate)
}

/// How many letters to add, drop or change (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((j, to), pair) in b.chars().enumerate().zip(row.windows(2)) {
            let (Some(diagonal), Some(above)) = (pair.first(), pair.get(1)) else { continue };
            let left = next.get(j).copied().unwrap_or(usize::MAX - 1);
            next.push((diagonal + usize::from(from != to)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// Splits a message of serde into what is wrong and what to do about it.
pub fn explain(message: &str) -> (String, String) {
    for (start, kind) in [("unknown field `", "key"), ("unknown variant `", "word")] {
        let Some((found, expected)) = message.strip_prefix(start).and_then(|m| m.split_once('`'))
        else {
            continue;
        };
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let cure = match nearest(found, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if known.is_empty() => "nothing belongs here".to_owned(),
            None => format!("known here: {}", known.join(", ")),
        };
        return (format!("unknown {kind} \"{found}\""), cure);
    }
    if let Some(field) = message.strip_prefix("missing field `") {
        let field = field.trim_end_matches('`');
        return (format!("\"{field}\" is missing"), format!("add {field} = …"));
    }
    for start in ["invalid type: ", "invalid value: "] {
        if let Some((found, expected)) =
            message.strip_prefix(start).and_then(|m| m.rsplit_once(", expected "))
        {
            return (format!("expected {}, found {found}", human(expected)), String::new());
        }
    }
    (message.replace('`', "\""), String::new())
}

/// The key that a parser did not expect, if that is what it says.
pub(super) fn unknown_field(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

fn human(expected: &str) -> &str {
    match expected {
        "f64" | "f32" => "a number",
        "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i32" | "i64" => "a whole number",
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        "a duration" => "a duration such as \"30m\"",
        other if other.starts_with("struct ") || other == "a map" => "a table",
        "a sequence" => "a list",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_or_none() {
        let known = ["limit", "clear", "metric"];
        for (word, expected) in [
            ("limt", Some("limit")),
            ("cleer", Some("clear")),
            ("metrics", Some("metric")),
            ("weather", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn parsers_are_quoted_in_plain_words() {
        for (message, what, cure) in [
            (
                "unknown field `limt`, expected one of `metric`, `limit`, `clear`",
                "unknown key \"limt\"",
                "did you mean \"limit\"?",
            ),
            ("unknown field `x`, expected `en` or `zh`", "unknown key \"x\"", "known here: en, zh"),
            ("missing field `zh`", "\"zh\" is missing", "add zh = …"),
            (
                "invalid type: string \"warm\", expected f64",
                "expected a number, found string \"warm\"",
                "",
            ),
        ] {
            assert_eq!(explain(message), (what.to_owned(), cure.to_owned()));
        }
    }
}
