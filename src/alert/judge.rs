//! Is a condition breached? Pure: of what a device is remembered by, and the time.

use super::{
    Verdict,
    facts::Facts,
    plan::{Check, Kept, Test},
};
use crate::reading::Timestamp;

/// What a rule says now, with its `unless`.
pub(crate) fn judge_rule(check: &Check, facts: &Facts<'_>) -> Verdict {
    let verdict = judge(&check.when, facts);
    let excused = verdict == Verdict::Breached
        && check.unless.as_ref().is_some_and(|test| judge(test, facts) == Verdict::Breached);
    if excused { Verdict::Excused } else { verdict }
}

pub(crate) fn judge(test: &Test, facts: &Facts<'_>) -> Verdict {
    ask(test, facts).unwrap_or(Verdict::Unknown)
}

/// `None` where a metric never came: a part of `any` whose sensor a device does not have must not
/// keep the other parts from clearing it.
fn ask(test: &Test, facts: &Facts<'_>) -> Option<Verdict> {
    match test {
        Test::Above { cell, limit, clear } => {
            facts.number(*cell, |value| Verdict::of(value > *limit, value <= *clear))
        }
        Test::Below { cell, limit, clear } => {
            facts.number(*cell, |value| Verdict::of(value < *limit, value >= *clear))
        }
        Test::Outside { cell, low, high, margin } => facts.number(*cell, |value| {
            let inside = value >= low + margin && value <= high - margin;
            Verdict::of(value < *low || value > *high, inside)
        }),
        Test::Against { cells, how, limit, clear } => facts.against(*cells, *how, [*limit, *clear]),
        Test::Is { cell, value } => facts.is(*cell, *value),
        Test::Faster { window, by } => facts.faster(*window, *by),
        Test::Stuck { window } => facts.stuck(*window),
        Test::Sum { window, limit } => facts.sum(*window, *limit),
        Test::Usual { window, times, least } => facts.unusual(*window, *times, *least),
        Test::Reaches { window, value, within } => facts.reaches(*window, *value, *within),
        Test::AbsentLink { within } => Some(facts.life.judge_link(*within, facts.now)),
        Test::AbsentData { cell, within } => {
            let came = facts.cell(*cell).map(|cell| cell.came);
            Some(facts.life.judge_data(came, *within, facts.now))
        }
        Test::Older { cell, than } => facts.older(*cell, *than),
        Test::Expires { date, within } => {
            let near = facts.place.date(*date).map(|date| facts.now >= date - *within);
            near.map(|near| Verdict::of(near, !near))
        }
        Test::Past { date, than } => {
            let past = facts.place.date(*date).map(|date| facts.now >= date + *than);
            past.map(|past| Verdict::of(past, !past))
        }
        Test::During { from, to } => {
            let inside = facts.place.is_during(*from, *to, facts.now);
            inside.map(|inside| Verdict::of(inside, !inside))
        }
        Test::Open(wanted) => {
            let same = facts.place.is_open(facts.now).map(|open| open == *wanted);
            same.map(|same| Verdict::of(same, !same))
        }
        Test::All(parts) => Some(all(parts, facts)),
        Test::Any(parts) => {
            let known = parts.iter().filter_map(|part| ask(part, facts));
            Some(Verdict::any(known))
        }
    }
}

/// One good part settles it: what stands behind it (the hours, mostly, which cost more) is not asked.
fn all(parts: &[Test], facts: &Facts<'_>) -> Verdict {
    let mut verdict = None;
    for part in parts {
        let next = judge(part, facts);
        if next == Verdict::Cleared {
            return next;
        }
        verdict = Some(verdict.map_or(next, |before| Verdict::all([before, next].into_iter())));
    }
    verdict.unwrap_or(Verdict::Unknown)
}

fn first(parts: &[Test], facts: &Facts<'_>) -> Timestamp {
    let each = parts.iter().map(|part| fresh_until(part, facts));
    each.min().unwrap_or(Timestamp(i64::MAX))
}

/// Until when the values that a condition rests on say anything. States are sent when they change,
/// so they hold while the device is there; numbers hold while they keep coming.
pub(crate) fn fresh_until(test: &Test, facts: &Facts<'_>) -> Timestamp {
    let forever = Timestamp(i64::MAX);
    let number = |cell: usize| {
        facts.cell(cell).map_or(forever, |known| facts.number_until(cell, known.came))
    };
    let state =
        |cell: usize| facts.cell(cell).map_or(forever, |known| facts.state_until(cell, known.came));
    match test {
        Test::Above { cell, .. } | Test::Below { cell, .. } | Test::Outside { cell, .. } => {
            number(*cell)
        }
        Test::Against { cells: [cell, other], .. } => number(*cell).min(state(*other)),
        Test::Is { cell, .. } => state(*cell),
        Test::Sum { window, .. } if facts.plan.is_counted_seldom(*window) => forever,
        Test::Faster { window, .. }
        | Test::Stuck { window }
        | Test::Sum { window, .. }
        | Test::Usual { window, .. }
        | Test::Reaches { window, .. } => {
            match facts.plan.windows.get(*window).map(|window| &window.of) {
                Some(
                    Kept::Extremes { cell, .. }
                    | Kept::Still { cell, .. }
                    | Kept::Growth { cell }
                    | Kept::Share { part: cell, .. }
                    | Kept::Usual { cell }
                    | Kept::Course { cell },
                ) => number(*cell),
                Some(Kept::Times { cell }) => state(*cell),
                Some(Kept::Held(test)) => fresh_until(test, facts),
                // How much it grew since then stays true.
                Some(Kept::Fired | Kept::Since { .. }) | None => forever,
            }
        }
        Test::AbsentLink { .. }
        | Test::AbsentData { .. }
        | Test::Older { .. }
        | Test::Expires { .. }
        | Test::Past { .. }
        | Test::During { .. }
        | Test::Open(_) => forever,
        Test::All(parts) => first(parts, facts),
        // While one part holds, it does not matter that another grew old.
        Test::Any(parts) => {
            let bad = parts.iter().filter(|part| judge(part, facts) == Verdict::Breached);
            bad.map(|part| fresh_until(part, facts)).max().unwrap_or(first(parts, facts))
        }
    }
}
