//! What a rule says of a device at one moment.

/// Worse than yes or no: hysteresis has a middle, and what nobody measured says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Bad.
    Breached,
    /// In the hysteresis gap: neither bad nor good again.
    Between,
    /// Good.
    Cleared,
    /// The metric never came, or came too long ago: freezes whatever goes on.
    Unknown,
    /// Bad, but the rule's `unless` holds: raises nothing, and ends nothing that fires.
    Excused,
}

impl Verdict {
    /// Of a value that is bad, or good again, or neither.
    pub fn of(breached: bool, cleared: bool) -> Self {
        match (breached, cleared) {
            (true, _) => Self::Breached,
            (false, true) => Self::Cleared,
            (false, false) => Self::Between,
        }
    }

    /// Holds when every part holds; one good part is enough to clear it.
    pub fn all(parts: impl Iterator<Item = Self>) -> Self {
        parts.reduce(Self::best_of).unwrap_or(Self::Unknown)
    }

    /// Holds when one part holds; clears when every part is good.
    pub fn any(parts: impl Iterator<Item = Self>) -> Self {
        parts.reduce(Self::worst_of).unwrap_or(Self::Unknown)
    }

    fn best_of(self, other: Self) -> Self {
        self.first_of(other, [Self::Cleared, Self::Unknown, Self::Between])
    }

    fn worst_of(self, other: Self) -> Self {
        self.first_of(other, [Self::Breached, Self::Unknown, Self::Between])
    }

    /// Whichever of the two comes first in `order`; equal ones and the rest stay as they are.
    fn first_of(self, other: Self, order: [Self; 3]) -> Self {
        order.into_iter().find(|verdict| self == *verdict || other == *verdict).unwrap_or(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{self, Between, Breached, Cleared, Unknown};

    #[test]
    fn all_needs_every_part_and_any_needs_one() {
        let table = [
            ([Breached, Breached], Breached, Breached),
            ([Breached, Between], Between, Breached),
            ([Breached, Unknown], Unknown, Breached),
            ([Breached, Cleared], Cleared, Breached),
            ([Between, Cleared], Cleared, Between),
            ([Between, Unknown], Unknown, Unknown),
            ([Cleared, Unknown], Cleared, Unknown),
            ([Cleared, Cleared], Cleared, Cleared),
            ([Unknown, Unknown], Unknown, Unknown),
        ];
        for (parts, all, any) in table {
            let turned = [parts[1], parts[0]];
            for parts in [parts, turned] {
                assert_eq!(Verdict::all(parts.into_iter()), all, "all of {parts:?}");
                assert_eq!(Verdict::any(parts.into_iter()), any, "any of {parts:?}");
            }
        }
    }
}
