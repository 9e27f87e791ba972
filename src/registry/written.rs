//! A stations file as a person writes it.
//!
//! Read in one go when it is right; piece by piece, for all its mistakes, when it is not.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use crate::{
    problem::{Problem, Sheet, Tree},
    rule::{Override, Text},
};

use super::{opens::Written as Opens, pieces};

/// Overrides by id of the rule.
pub(super) type Rules = BTreeMap<String, Override>;
/// Overrides by profile, then by id of the rule.
pub(super) type ProfileRules = BTreeMap<String, Rules>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) district: District,
    #[serde(default)]
    pub(super) rules: ProfileRules,
    #[serde(default)]
    pub(super) stations: Vec<Station>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct District {
    pub(super) id: String,
    pub(super) name: Text,
    pub(super) time_zone: String,
    #[serde(default)]
    pub(super) closed: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Station {
    pub(super) id: String,
    pub(super) name: Text,
    pub(super) position: Option<[f64; 2]>,
    pub(super) capacity: Option<u32>,
    #[serde(default)]
    pub(super) opens: Opens,
    #[serde(default)]
    pub(super) closed: Vec<String>,
    #[serde(default)]
    pub(super) moves: bool,
    pub(super) address: Option<Text>,
    pub(super) phone: Option<String>,
    pub(super) master: Option<String>,
    #[serde(default)]
    pub(super) rules: ProfileRules,
    #[serde(default)]
    pub(super) devices: Vec<Device>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Device {
    pub(super) id: String,
    pub(super) profile: String,
    #[serde(default, with = "humantime_serde")]
    pub(super) reports_every: Option<Duration>,
    #[serde(default)]
    pub(super) dates: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) frozen: bool,
    #[serde(default)]
    pub(super) rules: Rules,
}

impl Device {
    /// One of the profile of its own name, without anything more to say.
    pub(super) fn named(name: &str) -> Self {
        let (id, profile) = (name.to_owned(), name.to_owned());
        let (dates, rules) = (BTreeMap::new(), Rules::new());
        Self { id, profile, reports_every: None, dates, frozen: false, rules }
    }
}

/// Reads a whole file, or says everything that is wrong with its form.
pub(super) fn file(path: &Path, text: &str) -> Result<File, Vec<Problem>> {
    if let Some(file) = pieces::file(text) {
        return Ok(file);
    }
    if let Ok(file) = toml::from_str(text) {
        return Ok(file);
    }
    let mut sheet = Sheet::new(path, text);
    if let Some(table) = sheet.parse() {
        piece_by_piece(&mut sheet, table);
    }
    let problems = sheet.into_problems();
    if problems.is_empty() {
        let cure = "compare it with config/stations/putuo.toml";
        return Err(vec![Problem::new(path, "", "cannot be read", cure)]);
    }
    Err(problems)
}

fn piece_by_piece<'a>(sheet: &mut Sheet<'a>, mut table: DeTable<'a>) {
    if table.get("district").is_none() {
        sheet.note("district", None, "is missing", "add [district] with id, name and time_zone");
    }
    sheet.take::<District>("", &mut table, "district");
    rules(sheet, &mut table, "");
    for (i, value) in sheet.list(&mut table, "", "stations").into_iter().enumerate() {
        station(sheet, &format!("stations[{i}]"), value);
    }
    for (key, value) in &table {
        let cure = "known here: district, rules, stations";
        sheet.note(key.get_ref(), Some(value.span()), "unknown key", cure);
    }
}

fn station<'a>(sheet: &mut Sheet<'a>, key: &str, value: Tree<'a>) {
    let (span, inner) = (value.span(), value.into_inner());
    let DeValue::Table(mut table) = inner else {
        let what = format!("expected a table, found {}", inner.type_str());
        return sheet.note(key, Some(span), what, "write [[stations]]");
    };
    for (i, device) in sheet.list(&mut table, key, "devices").into_iter().enumerate() {
        sheet.read::<Device>(&format!("{key}.devices[{i}]"), device);
    }
    rules(sheet, &mut table, key);
    sheet.read::<Station>(key, toml::Spanned::new(span, DeValue::Table(table)));
}

fn rules<'a>(sheet: &mut Sheet<'a>, table: &mut DeTable<'a>, key: &str) {
    let prefix = if key.is_empty() { "rules".to_owned() } else { format!("{key}.rules") };
    for (profile, value) in sheet.entries(table, key, "rules") {
        let span = value.span();
        let DeValue::Table(rules) = value.into_inner() else {
            let cure = "write [rules.<profile>.<rule>]";
            sheet.note(&format!("{prefix}.{profile}"), Some(span), "expected a table", cure);
            continue;
        };
        for (rule, value) in rules {
            let key = format!("{prefix}.{profile}.{}", rule.get_ref());
            sheet.read::<Override>(&key, value);
        }
    }
}
