//! Readings as InfluxDB's line protocol, in our own rendering: every name is escaped, numbers are
//! always floats, what has no place in a line is left out.
//!
//! ```text
//! fridge,district=putuo,station=shuxinwan,device=fridge-1 temp_c=4.1,door_open=false 1767225600123
//! ```

use std::fmt::Write as _;

use crate::{
    reading::{Sample, Timestamp, Value},
    registry::Device,
};

/// Lines, one after the other, and how many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    text: String,
    count: usize,
}

impl Lines {
    /// One reading; nothing when it has no sample that can be written.
    pub fn reading(&mut self, device: &Device, samples: &[Sample], at: Timestamp) {
        let mut path = device.path.split('/');
        let mut tag = |name| (name, path.next().unwrap_or_default());
        let tags = [tag("district"), tag("station"), tag("device")];
        let fields = samples.iter().map(|sample| (sample.metric.as_str(), sample.value));
        self.point(&device.profile.id, &tags, fields, at);
    }

    /// One point of any measurement; empty tags are left out, as the protocol wants it.
    pub fn point<'a>(
        &mut self,
        measurement: &str,
        tags: &[(&str, &str)],
        fields: impl IntoIterator<Item = (&'a str, Value)>,
        at: Timestamp,
    ) {
        let start = self.text.len();
        push_escaped(&mut self.text, measurement, &[',', ' ']);
        for (name, value) in tags.iter().filter(|(_, value)| !value.is_empty()) {
            self.text.push(',');
            push_escaped(&mut self.text, name, &[',', ' ', '=']);
            self.text.push('=');
            push_escaped(&mut self.text, value, &[',', ' ', '=']);
        }
        let head = self.text.len();
        for (name, value) in fields {
            self.field(name, value, head);
        }
        if self.text.len() == head {
            self.text.truncate(start);
            return;
        }
        self.text.push(' ');
        // Writing to a text never fails.
        write!(self.text, "{}", at.0).ok();
        self.text.push('\n');
        self.count += 1;
    }

    fn field(&mut self, name: &str, value: Value, head: usize) {
        if matches!(value, Value::Number(number) if !number.is_finite()) {
            return;
        }
        self.text.push(if self.text.len() == head { ' ' } else { ',' });
        push_escaped(&mut self.text, name, &[',', ' ', '=']);
        self.text.push('=');
        match value {
            Value::Number(number) => self.text += zmij::Buffer::new().format_finite(number),
            Value::State(state) => self.text += if state { "true" } else { "false" },
            Value::Word(word) => {
                self.text.push('"');
                push_escaped(&mut self.text, word.as_str(), &['"', '\\']);
                self.text.push('"');
            }
        }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Puts `other` behind what is here.
    pub fn append(&mut self, other: &Self) {
        self.text += &other.text;
        self.count += other.count;
    }

    /// The first and the second half; `None` where there is but one line.
    pub fn halves(&self) -> Option<(Self, Self)> {
        let half = self.count / 2;
        let at = self.text.match_indices('\n').nth(half.checked_sub(1)?)?.0 + 1;
        let (first, second) = self.text.split_at(at);
        let part = |text: &str, count| Self { text: text.to_owned(), count };
        Some((part(first, half), part(second, self.count - half)))
    }

    /// The same lines with those of one series side by side, each series in the order it had.
    #[must_use]
    pub fn by_series(&self) -> Self {
        let mut lines: Vec<&str> = self.text.split_inclusive('\n').collect();
        lines.sort_by_key(|line| line.split_once(' ').map(|(series, _)| series));
        Self { text: lines.concat(), count: self.count }
    }
}

/// A line feed would end the line and let what follows be a line of its own: it becomes a space.
fn push_escaped(text: &mut String, part: &str, special: &[char]) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if part.bytes().all(plain) {
        return text.push_str(part);
    }
    for symbol in part.chars() {
        let symbol = if symbol == '\n' || symbol == '\r' { ' ' } else { symbol };
        if special.contains(&symbol) {
            text.push('\\');
        }
        text.push(symbol);
    }
}

#[cfg(test)]
mod tests {
    use influxdb_line_protocol::{FieldValue, parse_lines};
    use proptest::prelude::*;

    use super::*;
    use crate::reading::Symbol;

    fn point(tags: &[(&str, &str)], fields: &[(&str, Value)]) -> String {
        let mut lines = Lines::default();
        lines.point("fridge", tags, fields.iter().copied(), Timestamp(1_767_225_600_123));
        lines.as_str().to_owned()
    }

    #[test]
    fn a_reading_is_one_line() {
        let word = Symbol::intern("locked").unwrap();
        let line = point(
            &[("district", "putuo"), ("device", "fridge-1")],
            &[
                ("temp_c", Value::Number(4.0)),
                ("door_open", Value::State(false)),
                ("mode", Value::Word(word)),
            ],
        );
        let expected = "fridge,district=putuo,device=fridge-1 temp_c=4.0,door_open=false,mode=\"locked\" 1767225600123\n";
        assert_eq!(line, expected);
    }

    #[test]
    fn what_has_no_place_in_a_line_is_left_out() {
        assert_eq!(point(&[], &[("a", Value::Number(f64::NAN))]), "");
        assert_eq!(
            point(
                &[("station", "")],
                &[("a", Value::Number(f64::INFINITY)), ("b", Value::State(true))]
            ),
            "fridge b=true 1767225600123\n"
        );
    }

    #[test]
    fn halves_hold_all_lines() {
        let mut lines = Lines::default();
        for count in 0..5_i64 {
            lines.point("m", &[], [("a", Value::State(true))], Timestamp(count));
        }
        let (first, second) = lines.halves().unwrap();
        assert_eq!((first.len(), second.len()), (2, 3));
        assert_eq!(format!("{}{}", first.as_str(), second.as_str()), lines.as_str());
        let (one, _) = first.halves().unwrap();
        assert_eq!(one.halves(), None);
    }

    #[test]
    fn lines_of_one_series_keep_their_order() {
        let mut lines = Lines::default();
        for (tag, at) in [("b", 2), ("a", 3), ("b", 1), ("a", 3)] {
            lines.point("m", &[("t", tag)], [("x", Value::State(at == 1))], Timestamp(at));
        }
        let sorted = lines.by_series();
        let expected = "m,t=a x=false 3\nm,t=a x=false 3\nm,t=b x=false 2\nm,t=b x=true 1\n";
        assert_eq!((sorted.as_str(), sorted.len()), (expected, 4));
    }

    proptest! {
        /// Names are whatever a file may hold; the reference parser must read back what we meant.
        #[test]
        fn another_parser_reads_what_was_written(
            measurement in "[a-z_ ,=\"\u{4e00}-\u{4e0f}]{1,12}",
            tag in "[a-z ,=\"\u{4e00}-\u{4e0f}]{1,12}",
            field in "[a-z_ ,=\"]{1,12}",
            number in any::<f64>().prop_filter("finite", |number| number.is_finite()),
            text in "[a-z \"\\\\,=\n]{0,6}",
            at in any::<i64>(),
        ) {
            let word = Symbol::intern(&text).unwrap();
            let mut lines = Lines::default();
            let fields = [(field.as_str(), Value::Number(number)), ("word", Value::Word(word))];
            lines.point(&measurement, &[("tag", &tag)], fields, Timestamp(at));
            let parsed: Vec<_> = parse_lines(lines.as_str()).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(parsed.len(), 1);
            let line = &parsed[0];
            prop_assert_eq!(line.series.measurement.as_str(), &measurement);
            prop_assert_eq!(line.tag_value("tag").unwrap().to_string(), tag);
            prop_assert_eq!(line.timestamp, Some(at));
            let (name, value) = &line.field_set[0];
            prop_assert_eq!(name.as_str(), &field);
            prop_assert!(matches!(value, FieldValue::F64(read) if read.to_bits() == number.to_bits()), "{value:?}");
            let FieldValue::String(read) = &line.field_set[1].1 else { panic!("{value:?}") };
            prop_assert_eq!(read.as_str(), &text.replace('\n', " "));
        }
    }
}
