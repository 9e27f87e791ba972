//! How what devices sent is shown to people: cut, printable, and without what tells who a person is.

use super::personal;

const FOUND_CHARS: usize = 80;
const HEAD_BYTES: usize = 256;

/// Stands where a message names a person's credential.
pub(super) const WITHHELD: &str = "(withheld: it names a person's credential)";

/// At most 80 characters of it, on one line.
pub(super) fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(FOUND_CHARS).map(printable).collect();
    if cut.len() < text.len() && text.chars().nth(FOUND_CHARS).is_some() {
        cut.pop();
        cut.push('…');
    }
    cut
}

/// A text in quotes, at most 80 characters with them.
pub(super) fn quoted(text: &str) -> String {
    let start = text
        .char_indices()
        .nth(FOUND_CHARS)
        .map_or(text, |(end, _)| text.get(..end).unwrap_or(text));
    let quoted = serde_json::to_string(start).unwrap_or_default();
    if start.len() == text.len() && quoted.chars().count() <= FOUND_CHARS {
        return quoted;
    }
    let mut quoted: String = quoted.chars().take(FOUND_CHARS - 2).collect();
    quoted.push_str("…\"");
    quoted
}

/// The first bytes of something, printable.
pub(super) fn head(bytes: &[u8]) -> String {
    let start = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
    String::from_utf8_lossy(start).chars().map(printable).collect()
}

/// The first bytes of a payload, unless they name a person's credential.
pub(super) fn payload_head(payload: &[u8]) -> String {
    let head = head(payload);
    if personal::is_in(&head) { WITHHELD.to_owned() } else { head }
}

/// A key as a part of a JSON pointer, cut.
pub(super) fn pointer(key: &str) -> String {
    cut(key).replace('~', "~0").replace('/', "~1")
}

fn printable(c: char) -> char {
    if c.is_control() { '·' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_cut_to_80_characters() {
        for long in ["x".repeat(81), "冰".repeat(5000), "\"".repeat(79)] {
            assert!(cut(&long).chars().count() <= 80);
            assert!(quoted(&long).chars().count() <= 80, "{}", quoted(&long));
        }
        assert_eq!(cut(&"x".repeat(80)), "x".repeat(80));
        assert!(cut(&"x".repeat(81)).ends_with('…'));
        assert_eq!(quoted("warm"), r#""warm""#);
    }

    #[test]
    fn what_cannot_be_printed_is_a_dot() {
        assert_eq!(head(b"a\x00b\nc\xff"), "a·b·c\u{fffd}");
        assert_eq!(head(&[b'x'; 300]).len(), 256);
    }

    #[test]
    fn a_head_that_names_a_credential_is_withheld() {
        assert_eq!(payload_head(br#"{"card_no":"6222021"#), WITHHELD);
        assert_eq!(payload_head(br#"{"temp_c":4.1}"#), r#"{"temp_c":4.1}"#);
    }
}
