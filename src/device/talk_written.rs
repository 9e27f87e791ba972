//! `[[commands]]`, `[config]` and `[echo]` as a person writes them.

use std::time::Duration;

use serde::Deserialize;
use toml::de::DeTable;

use crate::{
    problem::{Sheet, Tree},
    rule::Text,
};

use super::{
    talk::{Argument, ArgumentKind, Echo, EchoBody, Heartbeat, Operation, Talk},
    written::is_name,
};

/// A command holds at least and at most this long: a device may sleep for a day.
const EXPIRES: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(48);
const EVERY: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(10)..=Duration::from_hours(24);
const TEXT_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenOperation {
    op: String,
    name: Text,
    #[serde(rename = "do")]
    hint: Option<Text>,
    #[serde(with = "humantime_serde", default = "a_minute")]
    expires: Duration,
}

fn a_minute() -> Duration {
    Duration::from_mins(1)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenArgument {
    name: Option<Text>,
    kind: Kind,
    range: Option<[f64; 2]>,
    words: Option<Vec<String>>,
    max: Option<usize>,
    #[serde(default)]
    required: bool,
    default: Option<serde_json::Value>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Number,
    Whole,
    State,
    Words,
    Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEcho {
    #[serde(with = "humantime_serde")]
    every: Duration,
    heartbeat: Heartbeat,
    #[serde(default)]
    sends: EchoBody,
}

/// Takes the three sections out of a profile's table.
pub(super) fn talk<'a>(sheet: &mut Sheet<'a>, table: &mut DeTable<'a>) -> Talk {
    let mut commands: Vec<Operation> = Vec::new();
    for (i, value) in sheet.list(table, "", "commands").into_iter().enumerate() {
        let (key, span) = (format!("commands[{i}]"), value.span());
        let Some(operation) = operation(sheet, &key, value) else { continue };
        if commands.iter().any(|other| other.op == operation.op) {
            let what = format!("{:?} is another command's op", operation.op);
            sheet.note(&key, Some(span), what, "give it one of its own");
        }
        commands.push(operation);
    }
    let settings = sheet.entries(table, "", "config");
    let config = arguments(sheet, "config", settings);
    for setting in &config {
        if setting.required || setting.default.is_some() {
            let what = "a setting is neither required nor has it a default";
            sheet.note(&format!("config.{}", setting.name), None, what, "leave it out");
        }
    }
    let echo = sheet.take::<WrittenEcho>("", table, "echo").map(|written| echo(sheet, &written));
    Talk { commands, config, echo }
}

fn operation<'a>(sheet: &mut Sheet<'a>, key: &str, value: Tree<'a>) -> Option<Operation> {
    let span = value.span();
    let toml::de::DeValue::Table(mut table) = value.into_inner() else {
        sheet.note(key, Some(span), "expected a table", "write [[commands]]");
        return None;
    };
    let inside = format!("{key}.args");
    let given = sheet.entries(&mut table, key, "args");
    let args = arguments(sheet, &inside, given);
    let rest = Tree::new(span.clone(), toml::de::DeValue::Table(table));
    let WrittenOperation { op, name, hint, expires } = sheet.read(key, rest)?;
    if !is_name(&op) {
        sheet.note(&format!("{key}.op"), Some(span.clone()), "is no name", "use a-z, 0-9 and _");
    }
    if !EXPIRES.contains(&expires) {
        let what = "must lie between 1 s and 48 h";
        sheet.note(&format!("{key}.expires"), Some(span), what, "");
    }
    Some(Operation { op, name, hint, args, expires })
}

fn echo(sheet: &mut Sheet<'_>, written: &WrittenEcho) -> Echo {
    if !EVERY.contains(&written.every) {
        sheet.note("echo.every", None, "must lie between 10 s and 24 h", "");
    }
    Echo { every: written.every, heartbeat: written.heartbeat, sends: written.sends }
}

fn arguments<'a>(
    sheet: &mut Sheet<'a>,
    key: &str,
    entries: Vec<(std::borrow::Cow<'a, str>, Tree<'a>)>,
) -> Vec<Argument> {
    let mut arguments = Vec::new();
    for (name, value) in entries {
        let (key, span) = (format!("{key}.{name}"), value.span());
        let Some(written) = sheet.read::<WrittenArgument>(&key, value) else { continue };
        match argument(&name, written) {
            Ok(argument) => arguments.push(argument),
            Err((what, cure)) => sheet.note(&key, Some(span), what, cure),
        }
    }
    arguments
}

type Mistake = (String, &'static str);

fn argument(name: &str, written: WrittenArgument) -> Result<Argument, Mistake> {
    if !is_name(name) {
        return Err((format!("{name:?} is no name"), "use a-z, 0-9 and _"));
    }
    let kind = kind(&written)?;
    if let Some(default) = written.default.as_ref().filter(|default| !kind.fits(default)) {
        let what = format!("default: expected {}, found {default}", kind.expected());
        return Err((what, "the default must be allowed, too"));
    }
    if written.required && written.default.is_some() {
        let what = "is required and has a default".to_owned();
        return Err((what, "leave one of them out"));
    }
    let label = written.name.unwrap_or(Text { en: name.to_owned(), zh: name.to_owned() });
    let (required, default) = (written.required, written.default);
    Ok(Argument { name: name.to_owned(), label, kind, required, default })
}

fn kind(written: &WrittenArgument) -> Result<ArgumentKind, Mistake> {
    let only = |right: bool, what: &'static str| {
        if right {
            Ok(())
        } else {
            Err((format!("this kind needs {what}, and nothing else"), what))
        }
    };
    let WrittenArgument { range, words, max, .. } = written;
    match written.kind {
        Kind::Number | Kind::Whole => {
            only(range.is_some() && words.is_none() && max.is_none(), "range = [lowest, highest]")?;
            let range = range.filter(|[low, high]| low <= high);
            let range = range.ok_or(("the range holds nothing".to_owned(), "lowest first"))?;
            Ok(match written.kind {
                Kind::Whole => ArgumentKind::Whole { range },
                _ => ArgumentKind::Number { range },
            })
        }
        Kind::State => {
            only(range.is_none() && words.is_none() && max.is_none(), "no range, words or max")?;
            Ok(ArgumentKind::State)
        }
        Kind::Words => {
            let some = words.as_ref().filter(|words| !words.is_empty());
            only(some.is_some() && range.is_none() && max.is_none(), "words = [\"a\", …]")?;
            Ok(ArgumentKind::Words(some.cloned().unwrap_or_default()))
        }
        Kind::Text => {
            let max = max.filter(|max| (1..=TEXT_MAX).contains(max));
            only(
                max.is_some() && range.is_none() && words.is_none(),
                "max = 1 to 1000 characters",
            )?;
            Ok(ArgumentKind::Text { max: max.unwrap_or_default() })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::device::parse;

    const HEAD: &str = "id = \"x\"\nname = { en = \"X\", zh = \"X\" }\nfacility = \"x\"\n\
        reports_every = \"60s\"\n[metrics.temp_c]\n";

    fn problems(text: &str) -> Vec<String> {
        let whole = format!("{HEAD}{text}");
        let parsed = parse(Path::new("x.toml"), &whole);
        parsed.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_may_be_said_is_read() {
        let text = r#"
            [[commands]]
            op = "eject"
            name = { en = "Eject", zh = "弹出" }
            do = { en = "Stand by.", zh = "在旁" }
            expires = "2m"
            args.slot = { kind = "whole", range = [1, 500], required = true }
            args.why = { kind = "text", max = 40 }
            [config.report_s]
            kind = "whole"
            range = [10, 3600]
            [echo]
            every = "9m"
            heartbeat = "status"
        "#;
        let profile = parse(Path::new("x.toml"), &format!("{HEAD}{text}")).unwrap();
        let talk = &profile.talk;
        let eject = talk.operation("eject").unwrap();
        assert_eq!(eject.expires, Duration::from_mins(2));
        assert!(eject.args[0].required && !eject.args[1].required);
        assert_eq!(talk.config[0].kind, ArgumentKind::Whole { range: [10.0, 3600.0] });
        let echo = talk.echo.unwrap();
        assert_eq!((echo.every, echo.sends), (Duration::from_mins(9), EchoBody::Same));
    }

    #[test]
    fn every_mistake_is_named_with_its_key_and_cure() {
        let found = problems(
            r#"
            [[commands]]
            op = "Eject"
            name = { en = "Eject", zh = "弹出" }
            expires = "0s"
            args.slot = { kind = "whole" }
            args.far = { kind = "number", range = [2, 1] }
            args.mode = { kind = "words", words = ["a"], default = "b" }
            args.both = { kind = "state", required = true, default = true }
            args.long = { kind = "text", max = 100000 }
            args.odd = { kind = "colour" }
            [[commands]]
            op = "a"
            nam = { en = "A", zh = "A" }
            [config.x]
            kind = "state"
            default = true
            [echo]
            every = "1s"
            heartbeat = "status"
            "#,
        )
        .join("\n");
        for part in [
            "commands[0].op: is no name",
            "commands[0].expires: must lie between",
            "commands[0].args.slot: this kind needs range",
            "commands[0].args.far: the range holds nothing",
            "commands[0].args.mode: default: expected one of a, found \"b\"",
            "commands[0].args.both: is required and has a default",
            "commands[0].args.long: this kind needs max",
            "commands[0].args.odd",
            "commands[1].nam",
            "config.x: a setting is neither",
            "echo.every: must lie between",
        ] {
            assert!(found.contains(part), "no {part:?} in\n{found}");
        }
    }
}
