//! The lines of `expect`: which rule fires or resolves, when, and (if it says so) with which words.

use super::{
    Moment,
    written::{Flaw, Names, flaw},
};

/// What must happen at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub at: Moment,
    pub turn: Turn,
    pub rule: String,
    /// What the alert says in English, if the line says it.
    pub says: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Firing,
    Resolved,
}

impl Turn {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// `01:30 firing too_warm`, or `01:30 firing too_warm: Fridge at 9 °C`.
pub(super) fn expected(line: &str, names: &Names<'_>) -> Result<Expected, Flaw> {
    let cure = "write it as \"01:30 firing too_warm\"";
    let Some((at, rest)) = Moment::split(line) else {
        return Err(flaw("does not begin with a time", cure));
    };
    let (turn, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let turn = match turn {
        "firing" => Turn::Firing,
        "resolved" => Turn::Resolved,
        other => return Err(flaw(format!("expected firing or resolved, found \"{other}\""), cure)),
    };
    let (rule, says) = match rest.split_once(':') {
        Some((rule, says)) => (rule.trim(), Some(says.trim().to_owned())),
        None => (rest.trim(), None),
    };
    names.rule(rule)?;
    Ok(Expected { at, turn, rule: rule.to_owned(), says })
}
