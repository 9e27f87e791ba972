//! A target that gets every notice as signed JSON by POST.

use std::time::Duration;

use anyhow::Context;
use reqwest::{
    Client, Url,
    header::{CONTENT_TYPE, RETRY_AFTER},
    redirect::Policy,
};

use super::sign;
use crate::{reading::Timestamp, settings};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Where to, and the key to sign with.
#[derive(Clone)]
pub(super) struct Webhook {
    client: Client,
    url: Url,
    key: Option<Vec<u8>>,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Webhook({})", name(self.url.as_str()))
    }
}

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Sent,
    /// Try again; the target may have said when.
    Failed {
        reason: String,
        asked: Option<Duration>,
    },
    /// 410: the target wants nothing any more.
    Gone,
}

#[derive(Debug, thiserror::Error)]
pub enum BadTarget {
    #[error("notify.webhooks: {url:?} is not an address such as https://example.org/hook")]
    Url { url: String },
    #[error("notify.webhooks: the secret of {name} begins with whsec_ but the rest is not base64")]
    Secret { name: String },
}

impl Webhook {
    pub(super) fn new(target: &settings::Webhook) -> anyhow::Result<Self> {
        let bad = || BadTarget::Url { url: name(&target.url) };
        let url = Url::parse(&target.url).map_err(|_| bad())?;
        if !url.has_host() || !matches!(url.scheme(), "http" | "https") {
            return Err(bad().into());
        }
        let secret = || BadTarget::Secret { name: name(&target.url) };
        let key = sign::key(&target.secret).map_err(|_| secret())?;
        let client = Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            // A POST that is redirected becomes a GET without a body, whose 200 confirms nothing.
            .redirect(Policy::none())
            .user_agent(concat!("waystation/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("cannot build the client of webhooks")?;
        Ok(Self { client, url, key: Some(key).filter(|key| !key.is_empty()) })
    }

    pub(super) async fn post(&self, id: &str, body: &str, now: Timestamp) -> Outcome {
        let timestamp = now.0.div_euclid(1000);
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp);
        if let Some(key) = &self.key {
            request = request.header("webhook-signature", sign::sign(key, id, timestamp, body));
        }
        match request.body(body.to_owned()).send().await {
            Ok(answer) if answer.status().is_success() => Outcome::Sent,
            Ok(answer) if answer.status().as_u16() == 410 => Outcome::Gone,
            Ok(answer) if answer.status().is_redirection() => Outcome::Failed {
                reason: format!("it answers {}: its url must be the final one", answer.status()),
                asked: None,
            },
            Ok(answer) => {
                let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                Outcome::Failed {
                    reason: format!("it answers {}", answer.status()),
                    asked: asked.and_then(|text| retry_after(text, now)),
                }
            }
            // The address may hold a token: it is not repeated.
            Err(error) => Outcome::Failed { reason: plain(&error.without_url()), asked: None },
        }
    }
}

/// What a target is called in outbox, logs and figures: where it is, without what may be secret,
/// and a mark that tells apart the targets of one host. Path and query often are the secret.
pub(super) fn name(url: &str) -> String {
    let Ok(parsed) = Url::parse(url) else {
        return "webhook of an address that cannot be read".to_owned();
    };
    let mark = crc32fast::hash(url.as_bytes());
    let port = parsed.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("webhook {}://{}{port} #{mark:08x}", parsed.scheme(), parsed.host_str().unwrap_or("?"))
}

/// Seconds, or an HTTP date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(Timestamp(date.timestamp().as_millisecond()).since(now))
}

fn plain(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_no_secret() {
        let one = name("https://user:pass@example.org:8443/services/T0/hush?token=hush#x");
        assert!(one.starts_with("webhook https://example.org:8443 #"), "{one}");
        assert!(!one.contains("hush") && !one.contains("pass"), "{one}");
        assert_eq!(name("hush"), "webhook of an address that cannot be read");
    }

    #[test]
    fn targets_that_differ_in_their_token_alone_are_two() {
        let robot = |token| name(&format!("https://oapi.dingtalk.com/robot/send?token={token}"));
        assert_eq!(robot("a"), robot("a"));
        assert_ne!(robot("a"), robot("b"));
    }

    #[test]
    fn patience_is_read_as_seconds_or_as_a_date() {
        let now = Timestamp(1_445_412_480_000);
        assert_eq!(retry_after("120", now), Some(Duration::from_mins(2)));
        let date = "Wed, 21 Oct 2015 07:29:00 GMT";
        assert_eq!(retry_after(date, now), Some(Duration::from_mins(1)));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for url in ["", "example.org/hook", "ftp://example.org/", "mailto:a@b"] {
            let target = settings::Webhook { url: url.to_owned(), ..Default::default() };
            assert!(Webhook::new(&target).is_err(), "{url}");
        }
    }
}
