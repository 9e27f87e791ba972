//! `waystation record`: tells the running daemon what was done to a device.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use waystation::settings;

use super::{explain, moment, order::address, runtime, say};
use crate::Record;

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn record(config: &Path, work: &Record) -> anyhow::Result<()> {
    let url = match &work.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", address(&data_dir(config)?)?),
    };
    let body = body(work)?;
    let answer = runtime()?.block_on(post(&format!("{url}/api/v1/records"), &body))?;
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let part =
        answer.get("part").and_then(Value::as_str).map_or(String::new(), |p| format!(" {p}"));
    say(&format!(
        "{} {}{part} by {}: recorded as {}",
        text("device"),
        text("kind"),
        text("by"),
        text("id")
    ));
    Ok(())
}

fn body(work: &Record) -> anyhow::Result<Value> {
    let Some(by) = work.by.clone().or_else(|| std::env::var("USER").ok()) else {
        bail!("say who did it: --by NAME");
    };
    let values: anyhow::Result<BTreeMap<_, _>> = work.set.iter().map(|set| value(set)).collect();
    let mut body = json!({
        "device": work.path, "kind": work.kind, "part": work.part, "by": by,
        "comment": work.comment, "values": values?,
    });
    if let (Some(at), Some(body)) = (&work.at, body.as_object_mut()) {
        body.insert("at".to_owned(), json!(moment(at).context("--at")?.0));
    }
    Ok(body)
}

/// `metric=value`: true, false, a number, or a word.
fn value(set: &str) -> anyhow::Result<(String, Value)> {
    let (metric, value) =
        set.split_once('=').with_context(|| format!("--set: {set:?} is not metric=value"))?;
    let value = match (value.parse::<bool>(), value.parse::<f64>()) {
        (Ok(state), _) => json!(state),
        (_, Ok(number)) if number.is_finite() => json!(number),
        _ => json!(value),
    };
    Ok((metric.to_owned(), value))
}

fn data_dir(config: &Path) -> anyhow::Result<PathBuf> {
    let settings = settings::load(config, std::env::vars());
    settings.map(|settings| settings.data_dir).map_err(|found| explain(&found))
}

async fn post(url: &str, body: &Value) -> anyhow::Result<Value> {
    let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?;
    let request = client.post(url).header("content-type", "application/json");
    let answer = request.body(body.to_string()).send().await;
    let answer = answer.with_context(|| format!("nobody answers at {url}"))?;
    let status = answer.status();
    let text = answer.text().await?;
    let answer: Value = serde_json::from_str(&text)
        .with_context(|| format!("{url} answered {status}, and that is no daemon of ours"))?;
    if status.is_success() {
        return Ok(answer);
    }
    let error = |key: &str| {
        answer.pointer(&format!("/error/{key}")).and_then(Value::as_str).unwrap_or("?").to_owned()
    };
    bail!("not recorded: {} ({})", error("says"), error("cure"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_what_they_look_like() {
        for (set, expected) in [
            ("count=12", Some(json!(12.0))),
            ("sealed=true", Some(json!(true))),
            ("state=worn", Some(json!("worn"))),
            ("note=a=b", Some(json!("a=b"))),
            ("x=nan", Some(json!("nan"))),
            ("count", None),
        ] {
            assert_eq!(value(set).ok().map(|(_, value)| value), expected, "{set}");
        }
    }
}
