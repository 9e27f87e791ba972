//! `waystation command`: asks the running daemon, and waits for what becomes of it.

use std::{fs, path::Path, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::{load, runtime, say};
use crate::Order;

const LOOK_EVERY: Duration = Duration::from_millis(200);
const LIMIT: Duration = Duration::from_secs(30);

pub(super) fn order(config: &Path, order: &Order) -> anyhow::Result<ExitCode> {
    let address = match &order.web {
        Some(address) => address.clone(),
        None => address(&load(config)?.settings.data_dir)?,
    };
    let url = format!("http://{address}/api/v1/devices/{}/commands", order.device);
    let account = || std::env::var("USER").unwrap_or_else(|_| "command line".to_owned());
    let by = order.by.clone().unwrap_or_else(account);
    let mut body = json!({ "op": order.op, "args": arguments(&order.args)?, "by": by });
    if let (Some(expires), Some(body)) = (&order.expires, body.as_object_mut()) {
        body.insert("expires".to_owned(), Value::from(expires.as_str()));
    }
    runtime()?.block_on(async {
        let http = reqwest::Client::builder().timeout(LIMIT).build()?;
        let request = http.post(&url).header("content-type", "application/json");
        let mut command = answer(request.body(body.to_string())).await?;
        say(&format!("{} is {}", text(&command, "id"), text(&command, "state")));
        while order.wait && !is_settled(&command) {
            sleep(LOOK_EVERY).await;
            let now = find(&http, &url, text(&command, "id")).await?;
            if text(&now, "state") != text(&command, "state") {
                say(&format!("{} is {}{}", text(&now, "id"), text(&now, "state"), reason(&now)));
            }
            command = now;
        }
        let well = !order.wait || text(&command, "state") == "done";
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// Where the daemon that works in `data_dir` answers.
pub(super) fn address(data_dir: &Path) -> anyhow::Result<String> {
    let file = data_dir.join("addresses.json");
    let cure = || {
        format!("cannot read {}: is the daemon running? else name it with --web", file.display())
    };
    let addresses: Value = serde_json::from_slice(&fs::read(&file).with_context(cure)?)?;
    let web = addresses.get("web").and_then(Value::as_str);
    Ok(web.context("the daemon serves no pages: set web.listen")?.to_owned())
}

/// `slot=3` is a number, `force=true` a state, all else a text; `text="3"` is a text, too.
fn arguments(given: &[String]) -> anyhow::Result<Map<String, Value>> {
    let mut arguments = Map::new();
    for pair in given {
        let (name, value) = pair.split_once('=').with_context(|| {
            format!("{pair:?} is no argument: write it as name=value, such as slot=3")
        })?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        if arguments.insert(name.to_owned(), value).is_some() {
            bail!("the argument {name} is there twice");
        }
    }
    Ok(arguments)
}

async fn find(http: &reqwest::Client, url: &str, id: &str) -> anyhow::Result<Value> {
    let history = answer(http.get(format!("{url}?limit=1000"))).await?;
    let commands = history.as_array().into_iter().flatten();
    let found = commands.into_iter().find(|command| text(command, "id") == id);
    found.cloned().with_context(|| format!("the daemon does not know the command {id} any more"))
}

async fn answer(request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
    let answer = request.send().await.context("the daemon does not answer")?;
    let status = answer.status();
    let body: Value = serde_json::from_str(&answer.text().await?).unwrap_or_default();
    if status.is_success() {
        return Ok(body);
    }
    let error = body.get("error").cloned().unwrap_or_default();
    bail!("{} ({})", text(&error, "says"), text(&error, "cure"));
}

fn is_settled(command: &Value) -> bool {
    matches!(text(command, "state"), "done" | "failed" | "expired" | "unanswered")
}

fn reason(command: &Value) -> String {
    let reason = text(command, "reason");
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_numbers_states_and_texts() {
        let given = ["slot=3", "force=true", "mode=quick", "note=\"3\"", "empty=", "sum=1=1"];
        let arguments = arguments(&given.map(str::to_owned)).unwrap();
        let expected = json!({"slot": 3, "force": true, "mode": "quick", "note": "3", "empty": "", "sum": "1=1"});
        assert_eq!(Value::Object(arguments), expected);
    }

    #[test]
    fn what_is_no_argument_is_said() {
        let says = |given: &[&str]| {
            let given: Vec<_> = given.iter().map(|&text| text.to_owned()).collect();
            arguments(&given).unwrap_err().to_string()
        };
        assert!(says(&["slot"]).starts_with("\"slot\" is no argument"));
        assert_eq!(says(&["a=1", "a=2"]), "the argument a is there twice");
    }
}
