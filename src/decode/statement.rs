//! What devices say of themselves: `birth` (what they are), `status` (whether they are there), and
//! `reply` (what became of a command).
//!
//! A birth may say with which settings the device runs: `{"config":{"revision":3}}`. It is the place
//! for that, because the broker keeps it: whoever starts later hears of it, too. A device that took
//! new settings publishes its birth again.

use std::time::Duration;

use super::{
    Birth, Code, Decoded, Presence, PresenceState, Reply, ReplyState,
    contract::COMMAND_ID_MAX,
    message::{Incoming, Payload, read},
    show,
    token::{Flaw, Refusal, Source, Token, deeper, skip},
};
use crate::registry::Device;

/// Behind a dot: a key of the object inside.
const BIRTH: &[&str] =
    &["profile", "model", "firmware", "serial", "boot", "reports_every_s", "config.revision"];
const REPLY: &[&str] = &["id", "state", "reason"];
const STATUS: &[&str] = &["state", "sleep_s"];
/// Intervals beyond this are a mistake.
pub(crate) const LONGEST_S: f64 = 366.0 * 24.0 * 3600.0;

pub(super) fn birth(
    incoming: &Incoming<'_>,
    device: &Device,
    out: &mut Decoded,
) -> Result<(), Flaw> {
    let mut birth = Birth {
        device: device.slot,
        message: incoming.id,
        received: incoming.message.received,
        profile: None,
        model: None,
        firmware: None,
        serial: None,
        boot: None,
        reports_every: None,
        config: None,
        retained: incoming.is_old(),
    };
    let heard = fields(incoming, BIRTH, out, &mut |key, token| {
        match key {
            "profile" => birth.profile = text(token)?,
            "model" => birth.model = text(token)?,
            "firmware" => birth.firmware = text(token)?,
            "serial" => birth.serial = text(token)?,
            "boot" => birth.boot = count(token)?,
            "config.revision" => birth.config = count(token)?,
            _ => birth.reports_every = interval(token)?,
        }
        Ok(())
    })?;
    if !heard {
        return Ok(());
    }
    if let Some(profile) = birth.profile.as_ref().filter(|said| **said != device.profile.id) {
        let (code, path) = (Code::BadValue, "/profile".to_owned());
        let expected = format!("{:?}, as the device is registered", device.profile.id);
        incoming.refuse(out, Refusal { code, path, found: show::quoted(profile), expected });
    }
    out.births.push(birth);
    Ok(())
}

pub(super) fn presence(
    incoming: &Incoming<'_>,
    device: &Device,
    out: &mut Decoded,
) -> Result<(), Flaw> {
    let (mut state, mut sleeps, mut refused) = (None, None, false);
    let heard = fields(incoming, STATUS, out, &mut |key, token| {
        if key == "state" {
            refused = true;
            state = Some(presence_state(token)?);
        } else {
            sleeps = interval(token)?;
        }
        Ok(())
    })?;
    let Some(state) = state else {
        if heard && !refused {
            let (path, found) = ("/state".to_owned(), "none".to_owned());
            let expected = expected_state();
            incoming.refuse(out, Refusal { code: Code::Empty, path, found, expected });
        }
        return Ok(());
    };
    let (message, received) = (incoming.id, incoming.message.received);
    let retained = incoming.is_old();
    out.presence.push(Presence { device: device.slot, message, received, state, sleeps, retained });
    Ok(())
}

/// An answer that the broker kept is of a command of another day: nothing comes of it.
pub(super) fn reply(
    incoming: &Incoming<'_>,
    device: &Device,
    out: &mut Decoded,
) -> Result<(), Flaw> {
    let (mut id, mut state, mut reason) = (None, None, None);
    let (mut id_refused, mut state_refused) = (false, false);
    let heard = fields(incoming, REPLY, out, &mut |key, token| {
        match key {
            "id" => {
                id_refused = true;
                id = command_id(token)?;
            }
            "state" => {
                state_refused = true;
                state = Some(reply_state(token)?);
            }
            _ => reason = text(token)?,
        }
        Ok(())
    })?;
    for (key, missing, expected) in [
        ("id", id.is_none() && !id_refused, "the command's id".to_owned()),
        ("state", state.is_none() && !state_refused, expected_reply()),
    ] {
        if heard && missing {
            let (path, found) = (format!("/{key}"), "none".to_owned());
            incoming.refuse(out, Refusal { code: Code::Empty, path, found, expected });
        }
    }
    if let (Some(id), Some(state), false) = (id, state, incoming.is_old()) {
        let (message, received) = (incoming.id, incoming.message.received);
        out.replies.push(Reply { device: device.slot, message, received, id, state, reason });
    }
    Ok(())
}

/// Reads an object and hands over the fields in `known`; others are passed over. False when there
/// is no body, with which a retained message is taken away.
fn fields(
    incoming: &Incoming<'_>,
    known: &[&str],
    out: &mut Decoded,
    take: &mut dyn FnMut(&str, &Token<'_>) -> Result<(), Refusal>,
) -> Result<bool, Flaw> {
    if incoming.message.payload.is_empty() {
        return Ok(false);
    }
    let mut each = |key: &str, token: &Token<'_>| {
        if let Err(refusal) = take(key, token) {
            let path = format!("/{}", key.replace('.', "/"));
            incoming.refuse(out, Refusal { path, ..refusal });
        }
    };
    read(incoming.message.payload, |source| match source {
        Payload::Json(json) => object(json, known, &mut each),
        Payload::Cbor(cbor) => object(cbor, known, &mut each),
    })?;
    Ok(true)
}

fn object<'a>(
    source: &mut impl Source<'a>,
    known: &[&str],
    each: &mut dyn FnMut(&str, &Token<'_>),
) -> Result<(), Flaw> {
    let token = source.value()?;
    if token != Token::Object {
        return Err(Flaw::new(Code::NotAnObject, String::new(), token.found(), "an object"));
    }
    members(source, known, "", deeper(0)?, each)?;
    source.end()
}

/// The members of one object; those of an object inside it when a name in `known` goes on there.
fn members<'a>(
    source: &mut impl Source<'a>,
    known: &[&str],
    outer: &str,
    depth: u32,
    each: &mut dyn FnMut(&str, &Token<'_>),
) -> Result<(), Flaw> {
    let mut seen = Vec::new();
    while let Some(key) = source.key()? {
        let token = source.value()?;
        let name = format!("{outer}{key}");
        let inside = format!("{name}.");
        let holds = known.iter().any(|known| known.starts_with(&inside));
        if !holds && !known.contains(&name.as_str()) {
            skip(source, &token, depth)?;
            continue;
        }
        if seen.contains(&name) {
            let (path, found) = (format!("/{}", name.replace('.', "/")), "it twice".to_owned());
            return Err(Flaw::new(Code::DoubledKey, path, found, "each key once"));
        }
        if holds && token == Token::Object {
            members(source, known, &inside, deeper(depth)?, each)?;
        } else {
            if !holds {
                each(&name, &token);
            }
            skip(source, &token, depth)?;
        }
        seen.push(name);
    }
    Ok(())
}

fn wrong(token: &Token<'_>, expected: &str) -> Refusal {
    let (found, expected) = (token.found(), expected.to_owned());
    Refusal { code: Code::WrongType, path: String::new(), found, expected }
}

fn text(token: &Token<'_>) -> Result<Option<String>, Refusal> {
    match token {
        Token::Null => Ok(None),
        Token::Text(text) => Ok(Some(show::cut(text))),
        _ => Err(wrong(token, "a text")),
    }
}

fn command_id(token: &Token<'_>) -> Result<Option<String>, Refusal> {
    match token {
        Token::Null => Ok(None),
        Token::Text(text) if (1..=COMMAND_ID_MAX).contains(&text.chars().count()) => {
            Ok(Some(text.to_string()))
        }
        _ => Err(wrong(token, "the command's id as it came, a text")),
    }
}

fn reply_state(token: &Token<'_>) -> Result<ReplyState, Refusal> {
    let expected = expected_reply();
    let Token::Text(word) = token else { return Err(wrong(token, &expected)) };
    match word.as_ref() {
        "accepted" => Ok(ReplyState::Accepted),
        "done" => Ok(ReplyState::Done),
        "failed" => Ok(ReplyState::Failed),
        "expired" => Ok(ReplyState::Expired),
        _ => {
            let (code, found) = (Code::BadValue, token.found());
            Err(Refusal { code, path: String::new(), found, expected })
        }
    }
}

fn expected_reply() -> String {
    r#"one of "accepted", "done", "failed", "expired""#.to_owned()
}

fn count(token: &Token<'_>) -> Result<Option<u64>, Refusal> {
    let expected = "a whole number of at least 0";
    match token {
        Token::Null => Ok(None),
        Token::Number(number) => number.as_count().map(Some).ok_or_else(|| wrong(token, expected)),
        _ => Err(wrong(token, expected)),
    }
}

fn interval(token: &Token<'_>) -> Result<Option<Duration>, Refusal> {
    let seconds = match token {
        Token::Null => return Ok(None),
        Token::Number(number) => number.as_float(),
        _ => return Err(wrong(token, "a number of seconds")),
    };
    if (0.0..=LONGEST_S).contains(&seconds) {
        return Ok(Some(Duration::from_secs_f64(seconds)));
    }
    let expected = "seconds, from 0 to a year".to_owned();
    Err(Refusal { code: Code::BadValue, path: String::new(), found: token.found(), expected })
}

fn presence_state(token: &Token<'_>) -> Result<PresenceState, Refusal> {
    let expected = expected_state();
    let Token::Text(word) = token else { return Err(wrong(token, &expected)) };
    match word.as_ref() {
        "online" => Ok(PresenceState::Online),
        "sleeping" => Ok(PresenceState::Sleeping),
        "offline" => Ok(PresenceState::Offline),
        "lost" => Ok(PresenceState::Lost),
        _ => {
            let (code, found) = (Code::BadValue, token.found());
            Err(Refusal { code, path: String::new(), found, expected })
        }
    }
}

fn expected_state() -> String {
    r#"one of "online", "sleeping", "offline", "lost""#.to_owned()
}
