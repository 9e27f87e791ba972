//! When time alone turns a condition: opening hours, hours of the day, ages, dates.

use super::{facts::Facts, plan::Test};
use crate::reading::Timestamp;

/// The first moment after `after` at which the condition may turn though nothing comes.
pub(crate) fn next_turn(test: &Test, facts: &Facts<'_>, after: Timestamp) -> Option<Timestamp> {
    let turn = match test {
        Test::Older { cell, than } => facts.moment(*cell).map(|then| then + *than),
        Test::Expires { date, within } => facts.place.date(*date).map(|date| date - *within),
        Test::Past { date, than } => facts.place.date(*date).map(|date| date + *than),
        Test::During { from, to } => facts.place.next_edge(*from, *to, after),
        Test::Open(_) => facts.place.next_opening(after),
        Test::Sum { window, .. } if facts.plan.is_counted_seldom(*window) => {
            facts.next_leave(*window, after)
        }
        Test::All(parts) | Test::Any(parts) => {
            parts.iter().filter_map(|part| next_turn(part, facts, after)).min()
        }
        _ => None,
    };
    turn.filter(|turn| *turn > after)
}
