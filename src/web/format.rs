//! How opening hours are written for people.

use crate::registry::Opens;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY: u16 = 24 * 60;

/// `24h`, `08:00-22:00` when every day is alike, else `Mon 08:00-22:00, Tue …`.
pub(super) fn opens(opens: &Opens) -> String {
    let Opens::Week(spans) = opens else { return "24h".to_owned() };
    let daily: Vec<_> = spans.iter().map(|(from, to)| (from % DAY, to - from)).collect();
    match daily.split_first() {
        Some((first, rest)) if spans.len() == 7 && rest.iter().all(|day| day == first) => {
            hours(first.0, first.0 + first.1)
        }
        _ => {
            let day = |from: u16| DAYS.get(usize::from(from / DAY) % 7).copied().unwrap_or("?");
            let spans =
                spans.iter().map(|(from, to)| format!("{} {}", day(*from), hours(*from, *to)));
            spans.collect::<Vec<_>>().join(", ")
        }
    }
}

fn hours(from: u16, to: u16) -> String {
    let clock = |minute: u16| format!("{:02}:{:02}", minute % DAY / 60, minute % 60);
    let end = if to.is_multiple_of(DAY) { "24:00".to_owned() } else { clock(to) };
    format!("{}-{end}", clock(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_hours_read_as_people_write_them() {
        let week = |from: u16, to: u16| (0..7).map(|d| (d * DAY + from, d * DAY + to)).collect();
        for (hours, expected) in [
            (Opens::Always, "24h"),
            (Opens::Week(week(480, 1320)), "08:00-22:00"),
            (Opens::Week(week(1320, 1800)), "22:00-06:00"),
            (Opens::Week(week(480, 1440)), "08:00-24:00"),
            (
                Opens::Week(vec![(480, 1320), (DAY + 600, DAY + 720)]),
                "Mon 08:00-22:00, Tue 10:00-12:00",
            ),
            (Opens::Week(vec![]), ""),
        ] {
            assert_eq!(opens(&hours), expected);
        }
    }
}
