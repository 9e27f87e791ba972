//! Dates that a person wrote down of a device: until when its pads, its battery, its contents are good.

use std::{collections::BTreeMap, sync::Arc};

use jiff::tz::TimeZone;

use super::days::day;
use crate::{
    device::Profile,
    problem::nearest,
    reading::{Symbol, Timestamp},
};

/// A date that cannot be used: its key, what is wrong, what to do.
pub(super) type Mistake = (String, String, String);

/// The moments with which the dates begin in `zone`, by name; or all mistakes.
pub(super) fn dates(
    profile: &Profile,
    zone: &TimeZone,
    written: &BTreeMap<String, String>,
) -> Result<Arc<[(Symbol, Timestamp)]>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut found = Vec::with_capacity(written.len());
    for (name, text) in written {
        match date(profile, zone, name, text) {
            Ok(date) => found.push(date),
            Err((what, cure)) => mistakes.push((format!("dates.{name}"), what, cure)),
        }
    }
    if mistakes.is_empty() { Ok(found.into()) } else { Err(mistakes) }
}

fn date(
    profile: &Profile,
    zone: &TimeZone,
    name: &str,
    text: &str,
) -> Result<(Symbol, Timestamp), (String, String)> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !(1..=40).contains(&name.len()) || !name.chars().all(letter) {
        let cure = "use 1 to 40 of a-z, 0-9 and _".to_owned();
        return Err((format!("{name:?} is no name of a date"), cure));
    }
    if let Some(near) = misspelt(profile, name) {
        let what = format!("no rule of profile \"{}\" asks for this date", profile.id);
        return Err((what, format!("did you mean \"{near}\"?")));
    }
    let cure = || "write it as \"2027-05-01\"".to_owned();
    let day = day(text).map_err(|what| (what, cure()))?;
    let midnight = zone.to_timestamp(day.at(0, 0, 0, 0));
    let midnight = midnight.map_err(|_| (format!("{text:?} is out of the calendar"), cure()))?;
    let symbol = Symbol::intern(&format!("date.{name}"));
    let symbol = symbol.map_err(|error| (error.to_string(), String::new()))?;
    Ok((symbol, Timestamp(midnight.as_millisecond())))
}

/// A date under a name of its own is for people to read; one that a rule of the profile nearly asks
/// for is a slip that would keep the rule silent for ever.
fn misspelt(profile: &Profile, name: &str) -> Option<String> {
    let asked: Vec<_> = profile.rules.iter().flat_map(|rule| rule.when.dates()).collect();
    let names = || asked.iter().filter_map(|date| date.as_str().strip_prefix("date."));
    if names().any(|asked| asked == name) {
        return None;
    }
    nearest(name, names()).map(str::to_owned)
}
