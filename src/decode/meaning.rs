//! What each refusal means, for the page that the authors of firmware read.

use super::Code;

impl Code {
    /// Every code, in the order in which a message is looked at.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::successors(Some(Self::BadTopic), |code| code.next())
    }

    fn next(self) -> Option<Self> {
        Some(match self {
            Self::BadTopic => Self::UnknownKind,
            Self::UnknownKind => Self::UnknownDevice,
            Self::UnknownDevice => Self::NotYours,
            Self::NotYours => Self::Retained,
            Self::Retained => Self::TooLarge,
            Self::TooLarge => Self::OverBudget,
            Self::OverBudget => Self::Empty,
            Self::Empty => Self::NotJson,
            Self::NotJson => Self::NotAnObject,
            Self::NotAnObject => Self::TooMany,
            Self::TooMany => Self::TooDeep,
            Self::TooDeep => Self::DoubledKey,
            Self::DoubledKey => Self::WrongType,
            Self::WrongType => Self::BadValue,
            Self::BadValue => Self::Implausible,
            Self::Implausible => Self::BadTime,
            Self::BadTime => Self::Personal,
            Self::Personal => return None,
        })
    }

    /// What was found, in one sentence.
    pub fn means(self) -> &'static str {
        match self {
            Self::BadTopic => "The topic is not the agreed one, or not UTF-8.",
            Self::UnknownKind => "The topic's last level is no kind that devices publish.",
            Self::UnknownDevice => "Nobody registered the device; it waits in quarantine.",
            Self::NotYours => "The topic is another device's than the one connected.",
            Self::TooLarge => "The payload is over the limit.",
            Self::TooMany => "More readings than one message may hold.",
            Self::TooDeep => "Objects and arrays inside each other, deeper than any of ours.",
            Self::Empty => "No payload, no metric, or no state where there must be one.",
            Self::NotJson => "Neither JSON nor CBOR; often cut off by a full buffer.",
            Self::NotAnObject => "A reading, or the message, is not an object.",
            Self::DoubledKey => "One key twice in one object.",
            Self::WrongType => "A value of another type; it alone is left out.",
            Self::BadValue => "An unknown word, or no finite number; it alone is left out.",
            Self::Implausible => "Outside the metric's range; it alone is left out.",
            Self::BadTime => {
                "A time that cannot be read or be true; uptime or receipt takes its place."
            }
            Self::Retained => "A retained message where only live ones count.",
            Self::Personal => "A key that names a person's credential; it alone is left out.",
            Self::OverBudget => "More messages than the device's budget; the rest is dropped.",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_listed_once() {
        let all: Vec<Code> = Code::all().take(100).collect();
        let different: BTreeSet<&str> = all.iter().map(|code| code.as_str()).collect();
        assert_eq!((all.len(), different.len()), (18, 18));
    }
}
