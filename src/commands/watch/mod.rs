//! `watch`: what devices send and what becomes of it, live from the daemon's event stream.

mod stream;
mod told;

use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::stream::{Heard, Stream};
use super::{contract, note, runtime, stop_on_signal};

/// The daemon says something at least every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Only this device, registered or not: `putuo/shuxinwan/fridge-1`.
    #[arg(long, value_name = "D/S/X")]
    device: Option<String>,
    /// Where the daemon's pages are; without it, where the daemon of --config says it is.
    #[arg(long, value_name = "http://HOST:PORT")]
    url: Option<String>,
    /// One JSON object a line instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn watch(config: &Path, ask: &Watch) -> anyhow::Result<ExitCode> {
    let stop = CancellationToken::new();
    runtime()?.block_on(async {
        let stopped = stop_on_signal(&stop)?;
        let watched = async {
            let watched = stop.run_until_cancelled(go_on(config, ask)).await;
            stop.cancel();
            watched.unwrap_or(Ok(()))
        };
        let (watched, ()) = tokio::join!(watched, stopped);
        watched.map(|()| ExitCode::SUCCESS)
    })
}

/// Why a connection ended.
enum End {
    /// Nobody reads what we print.
    Unread,
    /// Try again.
    Lost(anyhow::Error),
    /// It will be the same again.
    Refused(anyhow::Error),
}

/// Listens, again and again, until it is refused or nobody reads on.
async fn go_on(config: &Path, ask: &Watch) -> anyhow::Result<()> {
    let client = Client::builder().connect_timeout(CONNECT_WITHIN).build()?;
    let mut pause = FIRST_PAUSE;
    loop {
        // It may have been started anew, at another address.
        let url = address(config, ask)?;
        let mut heard_any = false;
        match listen(&client, &url, ask, &mut heard_any).await {
            End::Unread => return Ok(()),
            End::Refused(why) => return Err(why),
            End::Lost(why) => note(&format!("waystation: {url}: {why:#}; trying again")),
        }
        pause = if heard_any { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        sleep(pause).await;
    }
}

async fn listen(client: &Client, url: &str, ask: &Watch, heard_any: &mut bool) -> End {
    let mut answer = match open(client, url, ask).await {
        Ok(answer) => answer,
        Err(end) => return end,
    };
    *heard_any = true;
    note(&format!("waystation: listening to {url}"));
    let mut stream = Stream::default();
    loop {
        let chunk = match timeout(SILENCE, answer.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => return End::Lost(anyhow!("the daemon has ended")),
            Ok(Err(error)) => return End::Lost(error.into()),
            Err(_) => return End::Lost(anyhow!("nothing was heard for {SILENCE:?}")),
        };
        for heard in stream.take(&chunk) {
            if !print(&heard, ask.json) {
                return End::Unread;
            }
        }
    }
}

async fn open(client: &Client, url: &str, ask: &Watch) -> Result<Response, End> {
    let device = ask.device.as_deref().map(|device| ("device", device));
    let asked = client.get(format!("{url}/api/v1/events")).query(&device.as_slice()).send();
    let answer = match asked.await {
        Ok(answer) => answer,
        Err(error) if error.is_builder() => {
            return Err(End::Refused(anyhow!(error).context(format!("cannot ask {url}"))));
        }
        Err(error) => return Err(End::Lost(error.into())),
    };
    let status = answer.status();
    if status == StatusCode::OK {
        return Ok(answer);
    }
    let said = answer.text().await.unwrap_or_default();
    let error: Value = serde_json::from_str(&said).unwrap_or_default();
    let says = error.pointer("/error/says").and_then(Value::as_str);
    let says = says.unwrap_or("it is no waystation");
    let why = anyhow!("{url} answers {status}: {says}");
    Err(if status.is_server_error() { End::Lost(why) } else { End::Refused(why) })
}

/// False where nobody reads.
fn print(heard: &Heard, json: bool) -> bool {
    let line = if json { told::json(heard) } else { told::text(heard) };
    line.is_none_or(|line| {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
    })
}

fn address(config: &Path, ask: &Watch) -> anyhow::Result<String> {
    if let Some(url) = &ask.url {
        let url = url.trim_end_matches('/');
        return Ok(if url.contains("://") { url.to_owned() } else { format!("http://{url}") });
    }
    let (settings, _) = contract::what_is_set(config)?;
    let file = settings.data_dir.join("addresses.json");
    let text = fs::read(&file).with_context(|| {
        format!(
            "cannot read {}: is the daemon of --config running? else name it with --url",
            file.display()
        )
    })?;
    let addresses: Value = serde_json::from_slice(&text)
        .with_context(|| format!("cannot understand {}", file.display()))?;
    match addresses.get("web").and_then(Value::as_str) {
        Some(web) => Ok(format!("http://{web}")),
        None => bail!("the daemon of --config serves no pages: set web.listen"),
    }
}
