//! What was expected beside what happened, line by line.

use super::player::{Happened, Played};
use crate::device::{Expected, Timeline, Turn};

/// Lines for the author of the profile; none where all is as expected.
pub(super) fn differs(timeline: &Timeline, played: &Played) -> Vec<String> {
    let mut lines = played.refused.clone();
    let happened: Vec<&Happened> =
        played.happened.iter().filter(|happened| counts(timeline, &happened.rule)).collect();
    let compared = compare(&timeline.expects, &happened);
    if compared.iter().any(|line| !line.starts_with(SAME)) {
        lines.extend(compared);
    }
    lines
}

const SAME: &str = "  ";

/// Whether what this rule does is compared.
pub(super) fn counts(timeline: &Timeline, rule: &str) -> bool {
    timeline.rules.iter().any(|compared| compared.as_str() == rule)
}

/// The longest common lines stay; what stands between them was missed (`-`) or came uncalled (`+`).
fn compare(expected: &[Expected], happened: &[&Happened]) -> Vec<String> {
    let lengths = common(expected, happened);
    let length =
        |i: usize, j: usize| lengths.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    loop {
        match (expected.get(i), happened.get(j)) {
            (None, None) => return lines,
            (Some(wanted), Some(came)) if same(wanted, came) => {
                lines.push(format!("{SAME}{}", wanted_line(wanted)));
                (i, j) = (i + 1, j + 1);
            }
            (Some(wanted), came) if came.is_none() || length(i + 1, j) >= length(i, j + 1) => {
                lines.push(format!("- {}   (expected; did not happen)", wanted_line(wanted)));
                i += 1;
            }
            (_, came) => {
                let came = came.map(|came| came_line(came)).unwrap_or_default();
                lines.push(format!("+ {came}   (happened; not expected)"));
                j += 1;
            }
        }
    }
}

/// Lengths of the longest common tails.
fn common(expected: &[Expected], happened: &[&Happened]) -> Vec<Vec<usize>> {
    let mut below = vec![0; happened.len() + 1];
    let mut rows = vec![below.clone()];
    for wanted in expected.iter().rev() {
        let mut row = vec![0];
        for (came, (right_below, under)) in
            happened.iter().zip(below.iter().skip(1).zip(&below)).rev()
        {
            let right = row.last().copied().unwrap_or(0);
            row.push(if same(wanted, came) { right_below + 1 } else { right.max(*under) });
        }
        row.reverse();
        below.clone_from(&row);
        rows.push(row);
    }
    rows.reverse();
    rows
}

fn same(wanted: &Expected, came: &Happened) -> bool {
    (wanted.at, wanted.turn) == (came.at, came.turn)
        && wanted.rule == came.rule
        && wanted.says.as_ref().is_none_or(|says| *says == came.says)
}

fn wanted_line(wanted: &Expected) -> String {
    let says = wanted.says.as_ref().map(|says| format!(": {says}")).unwrap_or_default();
    format!("{} {} {}{says}", wanted.at, wanted.turn.as_str(), wanted.rule)
}

fn came_line(came: &Happened) -> String {
    let says = if came.turn == Turn::Firing { format!(": {}", came.says) } else { String::new() };
    format!("{} {} {}{says}", came.at, came.turn.as_str(), came.rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Moment;

    #[track_caller]
    fn check(expected: &str, happened: &str, lines: &[&str]) {
        let turn = |turn: &str| if turn == "f" { Turn::Firing } else { Turn::Resolved };
        let words = |line: &str| {
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            let minute: i64 = words[0].parse().unwrap();
            (Moment(minute * 60_000), turn(words[1].as_str()), words[2].clone())
        };
        let each = |text: &str| -> Vec<_> {
            text.split(", ").filter(|line| !line.is_empty()).map(words).collect()
        };
        let expected: Vec<_> = each(expected)
            .into_iter()
            .map(|(at, turn, rule)| Expected { at, turn, rule, says: None })
            .collect();
        let happened: Vec<_> = each(happened)
            .into_iter()
            .map(|(at, turn, rule)| Happened { at, turn, rule, says: "s".to_owned() })
            .collect();
        let compared = compare(&expected, &happened.iter().collect::<Vec<_>>());
        let short = |line: &String| line.split("   (").next().unwrap().to_owned();
        assert_eq!(compared.iter().map(short).collect::<Vec<_>>(), lines);
    }

    #[test]
    fn what_differs_stands_between_what_is_the_same() {
        check(
            "30 f warm, 75 r warm",
            "30 f warm, 75 r warm",
            &["  00:30 firing warm", "  01:15 resolved warm"],
        );
        check(
            "30 f warm, 75 r warm",
            "30 f warm, 80 r warm",
            &["  00:30 firing warm", "- 01:15 resolved warm", "+ 01:20 resolved warm"],
        );
        check("", "5 f door", &["+ 00:05 firing door: s"]);
        check(
            "1 f a, 2 f b",
            "2 f b, 3 r b",
            &["- 00:01 firing a", "  00:02 firing b", "+ 00:03 resolved b"],
        );
    }
}
