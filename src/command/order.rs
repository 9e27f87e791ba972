//! What people ask for, checked against what the device's profile declares.

use std::time::Duration;

use serde_json::{Map, Value};

use super::model::{Command, State, Step};
use crate::{
    device::{Operation, Profile, admit},
    reading::Timestamp,
};

const EXPIRES_MAX: Duration = Duration::from_hours(48);
const NAME_MAX: usize = 80;

/// A command as somebody asks for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Order {
    pub op: String,
    pub args: Map<String, Value>,
    /// The operation's own, if left out.
    pub expires: Option<Duration>,
    /// Who asks.
    pub by: String,
}

/// What is asked for cannot be asked of this device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{says}")]
pub struct Refused {
    pub says: String,
    pub cure: String,
}

impl Refused {
    fn new(says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { says: says.into(), cure: cure.into() }
    }
}

impl Order {
    /// The command it makes for the device at `path`.
    pub(super) fn check(
        self,
        path: &str,
        profile: &Profile,
        id: String,
        now: Timestamp,
    ) -> Result<Command, Refused> {
        let by = name(&self.by)?;
        let operation =
            profile.talk.operation(&self.op).ok_or_else(|| unknown(&self.op, profile))?;
        let args = admit(&operation.args, self.args).map_err(|wrong| {
            let cure = format!("{} takes {}", operation.op, takes(operation));
            Refused::new(format!("args.{}", wrong.join("; args.")), cure)
        })?;
        let expires = self.expires.unwrap_or(operation.expires);
        if !(Duration::from_secs(1)..=EXPIRES_MAX).contains(&expires) {
            return Err(Refused::new("expires: expected 1 s to 48 h", "write \"60s\" or \"2h\""));
        }
        let history = vec![Step { state: State::Waiting, at: now }];
        Ok(Command {
            id,
            device: path.to_owned(),
            op: self.op,
            args,
            by,
            state: State::Waiting,
            asked: now,
            expires: now + expires,
            reason: None,
            history,
        })
    }
}

/// Settings that the profile declares, with values that fit.
pub(super) fn check_settings(
    settings: Map<String, Value>,
    profile: &Profile,
) -> Result<Map<String, Value>, Refused> {
    admit(&profile.talk.config, settings).map_err(|wrong| {
        let cure = format!("the profile {} says which settings there are", profile.id);
        Refused::new(format!("settings.{}", wrong.join("; settings.")), cure)
    })
}

/// Whoever asks has a name for the record.
pub(super) fn name(by: &str) -> Result<String, Refused> {
    let by = by.trim();
    if by.is_empty() || by.chars().count() > NAME_MAX {
        let cure = "say who asks, for the record";
        return Err(Refused::new(format!("by: expected 1 to {NAME_MAX} characters"), cure));
    }
    Ok(by.to_owned())
}

fn unknown(op: &str, profile: &Profile) -> Refused {
    let known: Vec<_> = profile.talk.commands.iter().map(|known| known.op.as_str()).collect();
    let cure = if known.is_empty() {
        format!("devices of the profile {} take no commands", profile.id)
    } else {
        format!("the profile {} has: {}", profile.id, known.join(", "))
    };
    Refused::new(format!("op: no operation is called {op:?}"), cure)
}

fn takes(operation: &Operation) -> String {
    let each = operation.args.iter().map(|argument| {
        let optional = if argument.required { "" } else { ", may be left out" };
        format!("{} ({}{optional})", argument.name, argument.kind.expected())
    });
    match each.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "no args".to_owned(),
        args => args,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn profile() -> Profile {
        let text = r#"
            id = "box"
            name = { en = "Box", zh = "柜" }
            facility = "x"
            reports_every = "60s"
            [metrics.temp_c]
            [[commands]]
            op = "eject"
            name = { en = "Eject", zh = "弹出" }
            args.slot = { kind = "whole", range = [1, 12], required = true }
            args.force = { kind = "state", default = false }
            [[commands]]
            op = "restart"
            name = { en = "Restart", zh = "重启" }
            expires = "10m"
            [config.report_s]
            kind = "whole"
            range = [10, 600]
        "#;
        crate::device::parse(std::path::Path::new("box.toml"), text).unwrap()
    }

    fn order(op: &str, args: Value) -> Order {
        let Value::Object(args) = args else { panic!("{args}") };
        Order { op: op.to_owned(), args, expires: None, by: " Wang ".to_owned() }
    }

    fn check(order: Order) -> Result<Command, Refused> {
        order.check("d/s/box-1", &profile(), "id".to_owned(), Timestamp(1000))
    }

    #[test]
    fn an_order_that_fits_becomes_a_command() {
        let command = check(order("eject", json!({"slot": 3}))).unwrap();
        assert_eq!(Value::Object(command.args), json!({"slot": 3, "force": false}));
        assert_eq!((command.by.as_str(), command.expires), ("Wang", Timestamp(61_000)));
        let restart = check(order("restart", json!({}))).unwrap();
        assert_eq!(restart.expires, Timestamp(601_000));
        let soon = Order { expires: Some(Duration::from_secs(5)), ..order("restart", json!({})) };
        assert_eq!(check(soon).unwrap().expires, Timestamp(6000));
    }

    #[test]
    fn one_that_does_not_says_what_would() {
        let says = |order: Order| check(order).map_err(|refused| (refused.says, refused.cure));
        let (says_, cure) = says(order("explode", json!({}))).unwrap_err();
        assert_eq!(says_, "op: no operation is called \"explode\"");
        assert_eq!(cure, "the profile box has: eject, restart");
        let (says_, cure) = says(order("eject", json!({"slot": 13, "x": 1}))).unwrap_err();
        assert!(
            says_.starts_with(
                "args.slot: expected a whole number from 1 to 12, found 13; args.x: unknown"
            ),
            "{says_}"
        );
        assert!(
            cure.starts_with(
                "eject takes slot (a whole number from 1 to 12), force (true or false, may"
            ),
            "{cure}"
        );
        let nobody = Order { by: "  ".to_owned(), ..order("restart", json!({})) };
        assert!(says(nobody).unwrap_err().0.starts_with("by: "));
        for expires in [Duration::ZERO, Duration::from_hours(49)] {
            let odd = Order { expires: Some(expires), ..order("restart", json!({})) };
            assert!(says(odd).unwrap_err().0.starts_with("expires: "));
        }
    }

    #[test]
    fn settings_are_those_of_the_profile() {
        let check = |settings: Value| {
            let Value::Object(settings) = settings else { panic!("{settings}") };
            check_settings(settings, &profile())
        };
        assert!(check(json!({"report_s": 60})).is_ok() && check(json!({})).is_ok());
        let refused = check(json!({"report_s": 1, "colour": "red"})).unwrap_err();
        assert!(
            refused.says.contains("settings.report_s: expected a whole number from 10"),
            "{refused}"
        );
        assert!(refused.says.contains("settings.colour: unknown"), "{refused}");
    }
}
