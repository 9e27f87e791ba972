//! A profile as a person writes it in TOML, section by section, so that every mistake is found.

use std::time::Duration;

use serde::Deserialize;
use toml::de::DeTable;

use crate::{
    problem::{Sheet, Tree, nearest},
    reading::Symbol,
    rule::{self, Known, Needs, Rule, Severity, Shape, Shapes, Text, Written},
};

use super::{
    Example, Expectation, Metric, MetricKind, Profile, STATION, Timeline,
    every::Every,
    talk_written,
    timeline::{self, Names},
};

const KEYS: [&str; 16] = [
    "id",
    "name",
    "facility",
    "reports_every",
    "derived",
    "backfill_alerts",
    "by_hand",
    "metrics",
    "silent",
    "rules",
    "simulate",
    "example",
    "timeline",
    "commands",
    "config",
    "echo",
];

#[derive(Deserialize)]
struct Span(#[serde(with = "humantime_serde")] Duration);

/// How the rule that every device has, `silent`, is for this type of device.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Silent {
    severity: Severity,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenMetric {
    name: Option<Text>,
    kind: Option<Kind>,
    words: Option<Vec<String>>,
    plausible: Option<[f64; 2]>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Number,
    Counter,
    State,
    Words,
    Time,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenExample {
    payload: String,
    yields: Option<toml::Table>,
    rejects: Option<String>,
}

/// Reads a whole profile; `None` where so much is missing that there is none.
pub(super) fn profile<'a>(
    sheet: &mut Sheet<'a>,
    mut table: DeTable<'a>,
    others: &Shapes<'_>,
    every: &Every,
) -> Option<Profile> {
    let table = &mut table;
    let id: Option<String> = required(sheet, table, "id");
    let name: Option<Text> = required(sheet, table, "name");
    let facility: Option<String> = required(sheet, table, "facility");
    let by_hand = sheet.take("", table, "by_hand").unwrap_or(false);
    let reports_every =
        if by_hand { Some(not_at_all(sheet, table)) } else { interval(sheet, table) };
    let derived = sheet.take("", table, "derived").unwrap_or(false);
    let backfill_alerts = sheet.take("", table, "backfill_alerts").unwrap_or(false);
    let silent: Option<Silent> = sheet.take("", table, "silent");
    let metrics = metrics(sheet, table);
    let own: Vec<_> = metrics.iter().map(|metric| (metric.symbol, shape(metric))).collect();
    let known = Known { own: &own, others };
    let Own { mut rules, needs, off, broken } = rules(sheet, table, &known, backfill_alerts);
    let nameless = Text::default();
    let mut shared = every.rules(name.as_ref().unwrap_or(&nameless), &known, &rules);
    // They are about things that send something.
    shared.retain(|_| !by_hand && !derived);
    for rule in shared.iter_mut().filter(|rule| rule.id.as_str() == "silent") {
        rule.severity = silent.as_ref().map_or(rule.severity, |silent| silent.severity);
    }
    let shared_ids = ids(&shared);
    let compared = ids(&rules);
    rules.append(&mut shared);
    let names = Names { known, rules: [ids(&rules), broken].concat(), compared };
    let timelines = timelines(sheet, table, &names);
    let simulate = sheet.take("", table, "simulate").unwrap_or_default();
    let examples = examples(sheet, table);
    let talk = talk_written::talk(sheet, table);
    leftovers(sheet, table);

    let (id, name, facility, reports_every) = (id?, name?, facility?, reports_every?);
    check_head(sheet, &id, &metrics, by_hand);
    check_derived(sheet, &id, derived);
    Some(Profile {
        id,
        name,
        facility,
        reports_every,
        metrics,
        rules,
        simulate,
        examples,
        timelines,
        derived,
        backfill_alerts,
        by_hand,
        needs,
        off,
        shared: shared_ids,
        talk,
    })
}

fn required<'a, T: Deserialize<'a>>(
    sheet: &mut Sheet<'a>,
    table: &mut DeTable<'a>,
    key: &'a str,
) -> Option<T> {
    if table.get(key).is_none() {
        sheet.note(key, None, "is missing", format!("add {key} = …"));
    }
    sheet.take("", table, key)
}

fn interval<'a>(sheet: &mut Sheet<'a>, table: &mut DeTable<'a>) -> Option<Duration> {
    let Span(every) = required(sheet, table, "reports_every")?;
    if !(Duration::from_secs(1)..=Duration::from_hours(48)).contains(&every) {
        sheet.note("reports_every", None, "must lie between 1 s and 48 h", "");
    }
    Some(every)
}

/// What has no electronics: a value found by hand holds until the next one, however late.
fn not_at_all(sheet: &mut Sheet<'_>, table: &mut DeTable<'_>) -> Duration {
    const NEVER: Duration = Duration::from_hours(24 * 365 * 100);
    for key in ["reports_every", "silent", "simulate", "example"] {
        if table.remove(key).is_some() {
            sheet.note(key, None, "has no place in a profile by_hand", "leave it out");
        }
    }
    NEVER
}

fn check_head(sheet: &mut Sheet<'_>, id: &str, metrics: &[Metric], by_hand: bool) {
    if !is_name(id) {
        sheet.note("id", None, format!("{id:?} is no id"), "use 1 to 48 of a-z, 0-9 and _");
    }
    if metrics.is_empty() && !by_hand {
        sheet.note("metrics", None, "there are none", "add [metrics.temp_c] or another");
    }
}

/// What is derived is of the station, and nothing else may take its name.
fn check_derived(sheet: &mut Sheet<'_>, id: &str, derived: bool) {
    match (id == STATION, derived) {
        (true, false) => {
            let what = format!("profile {STATION:?} is what is derived of a station");
            sheet.note("id", None, what, "use another id, or say derived = true");
        }
        (false, true) => {
            let what = "nothing is derived for a profile of this name";
            sheet.note("derived", None, what, format!("leave it out; only {STATION:?} has it"));
        }
        _ => {}
    }
}

/// What may be an InfluxDB measurement or field, a JSON key and a word in a topic.
pub(super) fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (1..=48).contains(&name.len()) && name.chars().all(letter)
}

fn leftovers(sheet: &mut Sheet<'_>, table: &DeTable<'_>) {
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let cure = match nearest(name, KEYS) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("known here: {}", KEYS.join(", ")),
        };
        sheet.note(name, Some(value.span()), "unknown key", cure);
    }
}

fn metrics<'a>(sheet: &mut Sheet<'a>, table: &mut DeTable<'a>) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for (name, value) in sheet.entries(table, "", "metrics") {
        let key = format!("metrics.{name}");
        let span = value.span();
        let Some(written) = sheet.read::<WrittenMetric>(&key, value) else { continue };
        match metric(&name, written) {
            Ok(metric) => metrics.push(metric),
            Err((what, cure)) => sheet.note(&key, Some(span), what, cure),
        }
    }
    metrics
}

fn metric(name: &str, written: WrittenMetric) -> Result<Metric, (String, &'static str)> {
    /// Keys of the envelope; a metric of that name could never be sent.
    const TAKEN: [&str; 6] = ["boot", "seq", "at", "up", "dt", "readings"];
    if !is_name(name) || TAKEN.contains(&name) {
        return Err((format!("{name:?} cannot be the name of a metric"), "use a-z, 0-9 and _"));
    }
    let intern = |name: &str| Symbol::intern(name).map_err(|error| (error.to_string(), ""));
    let kind = match (written.kind, written.words) {
        (None | Some(Kind::Words), Some(words)) if !words.is_empty() => {
            let words: Result<Vec<_>, _> = words.iter().map(|word| intern(word)).collect();
            MetricKind::Words(words?)
        }
        (Some(Kind::Words), _) | (_, Some(_)) => {
            return Err(("words are missing, or have no place".to_owned(), "words = [\"a\", …]"));
        }
        (None, None) if name.ends_with("_total") => MetricKind::Counter,
        (Some(Kind::Counter), None) => MetricKind::Counter,
        (None | Some(Kind::Number), None) => MetricKind::Number,
        (Some(Kind::State), None) => MetricKind::State,
        (Some(Kind::Time), None) => MetricKind::Time,
    };
    let numeric = matches!(kind, MetricKind::Number | MetricKind::Counter);
    match written.plausible {
        Some(_) if !numeric => Err(("plausible is for numbers".to_owned(), "leave it out")),
        Some([low, high]) if low.is_nan() || high.is_nan() || low >= high => {
            Err((format!("plausible [{low}, {high}] holds nothing"), "write [lowest, highest]"))
        }
        plausible => {
            let name_text = Text { en: name.to_owned(), zh: name.to_owned() };
            let text = written.name.unwrap_or(name_text);
            Ok(Metric { symbol: intern(name)?, name: text, kind, plausible })
        }
    }
}

fn ids(rules: &[Rule]) -> Vec<Symbol> {
    rules.iter().map(|rule| rule.id).collect()
}

/// The rules of a file, and what is to be known of some of them.
struct Own {
    rules: Vec<Rule>,
    needs: Vec<(Symbol, Needs)>,
    off: Vec<Symbol>,
    /// Ids of rules with mistakes: who refers to them is not to blame.
    broken: Vec<Symbol>,
}

fn rules<'a>(
    sheet: &mut Sheet<'a>,
    table: &mut DeTable<'a>,
    known: &Known<'_>,
    backfill: bool,
) -> Own {
    let mut rules: Vec<Rule> = Vec::new();
    let (mut by_need, mut off, mut broken) = (Vec::new(), Vec::new(), Vec::new());
    for (i, value) in sheet.list(table, "", "rules").into_iter().enumerate() {
        let (key, span) = (format!("rules[{i}]"), value.span());
        let named = name_of(&value);
        let key = if named.is_empty() { key } else { format!("{key} ({named})") };
        let Some(written) = sheet.read::<Written>(&key, value) else { continue };
        let (needs, enabled) = (written.needs, written.enabled);
        match rule::check(written, known, backfill) {
            Ok(rule) if rules.iter().any(|other| other.id == rule.id) => {
                let what = format!("{:?} is the id of another rule", rule.id);
                sheet.note(&key, Some(span), what, "give it an id of its own");
            }
            Ok(rule) => {
                by_need.extend(needs.map(|needs| (rule.id, needs)));
                off.extend((!enabled).then_some(rule.id));
                rules.push(rule);
            }
            Err(mistakes) => {
                broken.extend(Symbol::intern(&named));
                for mistake in mistakes {
                    let key = format!("{key}.{}", mistake.key);
                    sheet.note(&key, Some(span.clone()), mistake.what, mistake.cure);
                }
            }
        }
    }
    Own { rules, needs: by_need, off, broken }
}

fn timelines<'a>(
    sheet: &mut Sheet<'a>,
    table: &mut DeTable<'a>,
    names: &Names<'_>,
) -> Vec<Timeline> {
    let mut timelines = Vec::new();
    for (i, value) in sheet.list(table, "", "timeline").into_iter().enumerate() {
        let (key, span) = (format!("timeline[{i}]"), value.span());
        let Some(written) = sheet.read::<timeline::Written>(&key, value) else { continue };
        let read = timeline::read(written, names);
        timelines.extend(timeline::note(sheet, &key, span, read));
    }
    timelines
}

fn name_of(value: &Tree<'_>) -> String {
    let id = value.get_ref().as_table().and_then(|table| table.get("id"));
    id.and_then(|id| id.get_ref().as_str()).unwrap_or_default().to_owned()
}

/// What a profile that has mistakes elsewhere offers to the rules of others: its id, its metrics.
pub(super) fn offers<'a>(
    sheet: &mut Sheet<'a>,
    mut table: DeTable<'a>,
) -> Option<(String, Vec<Metric>)> {
    let id = sheet.take("", &mut table, "id")?;
    Some((id, metrics(sheet, &mut table)))
}

pub(super) fn shape(metric: &Metric) -> Shape<'_> {
    match &metric.kind {
        MetricKind::Number => Shape::Number,
        MetricKind::Counter => Shape::Counter,
        MetricKind::State => Shape::State,
        MetricKind::Words(words) => Shape::Words(words),
        MetricKind::Time => Shape::Time,
    }
}

fn examples<'a>(sheet: &mut Sheet<'a>, table: &mut DeTable<'a>) -> Vec<Example> {
    let mut examples = Vec::new();
    for (i, value) in sheet.list(table, "", "example").into_iter().enumerate() {
        let (key, span) = (format!("example[{i}]"), value.span());
        let Some(written) = sheet.read::<WrittenExample>(&key, value) else { continue };
        let expects = match (written.yields, written.rejects) {
            (Some(yields), None) => Expectation::Yields(yields),
            (None, Some(rejects)) => Expectation::Rejects(rejects),
            _ => {
                let cure = "write what must become of the message";
                sheet.note(&key, Some(span), "needs either yields or rejects", cure);
                continue;
            }
        };
        examples.push(Example { payload: written.payload, expects });
    }
    examples
}
