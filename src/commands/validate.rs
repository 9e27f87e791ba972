//! `validate`: what the daemon would make of a message, for its author.

use std::{
    fmt::Write,
    io::{self, Read},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use clap::{Args, builder::PossibleValuesParser};
use waystation::{
    clock::Clock,
    contract::{self, KINDS, Placed, Question, Refusal, Verdict},
    device::unit,
    reading::{PlacedBy, Timestamp},
};

use super::{contract as documents, say};
use crate::complain;

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The type of device, as its profile's id: `fridge`.
    #[arg(long, value_name = "PROFILE")]
    profile: String,
    /// The last level of the message's topic.
    #[arg(long, default_value = "telemetry", value_parser = PossibleValuesParser::new(KINDS))]
    kind: String,
    /// When the message is received (ms since 1970, or RFC 3339); without it, now.
    #[arg(long, value_name = "TIME")]
    received: Option<String>,
    /// Print the verdict as JSON.
    #[arg(long)]
    json: bool,
}

/// 0: accepted; 1: something is refused; 2: it cannot be judged.
pub(super) fn validate(config: &Path, ask: &Validate) -> ExitCode {
    match verdict(config, ask) {
        Ok(verdict) => {
            let text =
                if ask.json { serde_json::to_string(&verdict) } else { Ok(read_out(&verdict)) };
            say(text.unwrap_or_default().trim_end());
            if verdict.accepted { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => {
            complain(&failure);
            ExitCode::from(2)
        }
    }
}

fn verdict(config: &Path, ask: &Validate) -> anyhow::Result<Verdict> {
    let (settings, catalog) = documents::what_is_set(config)?;
    let profile = documents::find(&catalog, &ask.profile)?;
    let received = ask.received.as_deref().map(super::moment).transpose().context("--received")?;
    let received = received.unwrap_or_else(|| Clock::system().now());
    let mut payload = Vec::new();
    // One byte more than is allowed tells that it is too large; the rest need not be here.
    let most = settings.ingest.max_message.0.saturating_add(1);
    io::stdin().take(most).read_to_end(&mut payload).context("cannot read the message")?;
    let contract = Arc::new(documents::contract_of(&settings));
    Ok(contract::judge(
        &contract,
        Question { profile, kind: &ask.kind, payload: &payload, received },
    ))
}

/// The verdict for people.
fn read_out(verdict: &Verdict) -> String {
    let mut text = String::new();
    let judged = if verdict.accepted { "accepted" } else { "refused" };
    let part = !verdict.accepted && !verdict.readings.is_empty();
    let judged = if part { "refused in part" } else { judged };
    writeln!(text, "{judged}, as {} of a device of profile {}", verdict.kind, verdict.profile).ok();
    for refusal in &verdict.rejections {
        refused(&mut text, refusal);
    }
    for reading in &verdict.readings {
        placed(&mut text, reading);
    }
    if let Some(birth) = &verdict.birth {
        said(&mut text, birth);
    }
    if let Some(status) = &verdict.status {
        let sleep = status.sleep_s.map(|seconds| format!(", for {seconds} s")).unwrap_or_default();
        writeln!(text, "\nit says that it is {}{sleep}", status.state).ok();
    }
    if let Some(reply) = &verdict.reply {
        let reason = reply.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let (id, state) = (&reply.id, reply.state.as_str());
        writeln!(text, "\nit says that the command {id} is {state}{reason}").ok();
    }
    if !verdict.extras.is_empty() {
        writeln!(text, "\nkept aside, as the profile does not know them").ok();
        rows(&mut text, verdict.extras.iter().map(|(name, found)| (name.as_str(), found.clone())));
    }
    text
}

fn refused(text: &mut String, refusal: &Refusal) {
    let path = if refusal.path.is_empty() { "the whole message" } else { refusal.path.as_str() };
    writeln!(text, "\n{path}  {}", refusal.code.as_str()).ok();
    let lines = [
        ("found", refusal.found.clone()),
        ("expected", refusal.expected.clone()),
        ("cure", refusal.cure.en.clone()),
    ];
    rows(text, lines.into_iter().filter(|(_, said)| !said.is_empty()));
}

fn placed(text: &mut String, reading: &Placed) {
    let by = match reading.placed_by {
        PlacedBy::Device => "by the device's clock",
        PlacedBy::Uptime => "by its uptime",
        PlacedBy::Receipt => "by its receipt",
    };
    let late = if reading.backfill { ", late" } else { "" };
    let told = |claimed: Timestamp| format!(", its clock said {claimed}");
    let claimed = reading.claimed.filter(|claimed| *claimed != reading.at);
    let claimed = claimed.map(told).unwrap_or_default();
    writeln!(text, "\nreading at {}, {by}{late}{claimed}", reading.at).ok();
    rows(
        text,
        reading.metrics.iter().map(|(name, value)| (*name, format!("{value} {}", unit(name)))),
    );
}

fn said(text: &mut String, birth: &contract::BirthSaid) {
    let quoted = |said: &Option<String>| said.as_ref().map(|said| format!("{said:?}"));
    let fields = [
        ("profile", quoted(&birth.profile)),
        ("model", quoted(&birth.model)),
        ("firmware", quoted(&birth.firmware)),
        ("serial", quoted(&birth.serial)),
        ("settings' revision", birth.config_revision.map(|revision| revision.to_string())),
        ("boot", birth.boot.map(|boot| boot.to_string())),
        ("reports every", birth.reports_every_s.map(|seconds| format!("{seconds} s"))),
    ];
    writeln!(text, "\nit says of itself").ok();
    rows(text, fields.into_iter().filter_map(|(name, said)| Some((name, said?))));
}

fn rows<'a>(text: &mut String, rows: impl Iterator<Item = (&'a str, String)> + Clone) {
    let widest = rows.clone().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, said) in rows {
        writeln!(text, "  {name:widest$}  {}", said.trim_end()).ok();
    }
}
