//! Which keys a schema refuses because they name a person's credential.
//!
//! A schema's patterns see less than decoding: no word beside letters that are not ASCII, no word
//! in capitals of its own making (`myCARDno`).

use serde_json::{Value, json};

use crate::decode::personal::{SIGNS, WORDS, is_in};

/// No key names a credential, but for metrics that the profile knows.
pub(super) fn names_nobody(known: &[&str]) -> Value {
    let nobody = json!({ "not": { "pattern": pattern() } });
    let own: Vec<&&str> = known.iter().filter(|name| is_in(name)).collect();
    if own.is_empty() { nobody } else { json!({ "anyOf": [{ "enum": own }, nobody] }) }
}

/// Each word between other signs in any case, or as a hump of `camelCase`.
fn pattern() -> String {
    const BORDER: &str = r"[ -/:-@\[-`\{-~]";
    let each = |form: fn(&str) -> String| {
        let forms: Vec<String> = WORDS.iter().map(|word| form(word)).collect();
        forms.join("|")
    };
    let alone = each(|word| word.chars().map(both_cases).collect());
    let hump = each(|word| capital(word, |first| first.to_ascii_uppercase().to_string()));
    let first_hump = each(|word| capital(word, both_cases));
    let signs = SIGNS.join("|");
    format!(
        "(^|{BORDER})({alone})($|{BORDER})|[a-z]({hump})($|{BORDER}|[A-Z])|(^|{BORDER})({first_hump})[A-Z]|{signs}"
    )
}

fn both_cases(letter: char) -> String {
    format!("[{}{letter}]", letter.to_ascii_uppercase())
}

fn capital(word: &str, first: impl Fn(char) -> String) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(first).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}
