//! InfluxDB's client, and what an answer to a write means for the one who wrote.

use std::{io::Write as _, time::Duration};

use anyhow::Context;
use flate2::{Compression, write::GzEncoder};
use influxdb2::{Client, ClientBuilder, RequestError, api::write::TimestampPrecision};
use reqwest_influx::{
    StatusCode,
    header::{CONTENT_ENCODING, HeaderMap, HeaderValue},
};

use super::line::Lines;
use crate::settings;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Writes lines to one bucket.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    client: Client,
    url: String,
    org: String,
    bucket: String,
}

/// What a write came to, told by what must be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Written,
    /// All but `dropped` lines were written; those never will be.
    PartlyRefused {
        dropped: usize,
        reason: String,
    },
    /// Nothing was written, because of at least one line: look for it.
    Refused {
        reason: String,
    },
    /// Nothing was written: send less at once.
    TooLarge,
    /// Nothing was written: try again later. `reason` says what a person can do about it.
    Unavailable {
        reason: String,
    },
    /// The same, but it is there and wants to be left alone for a while.
    Busy {
        reason: String,
    },
}

impl Writer {
    pub(super) fn new(settings: &settings::Influx) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        Ok(Self {
            client: client(settings, headers)?,
            url: settings.url.clone(),
            org: settings.org.clone(),
            bucket: settings.bucket.clone(),
        })
    }

    pub(super) async fn write(&self, lines: &Lines) -> Outcome {
        let body = match gzip(lines.as_str()) {
            Ok(body) => body,
            Err(error) => {
                return Outcome::Unavailable { reason: format!("cannot compress: {error}") };
            }
        };
        let precision = TimestampPrecision::Milliseconds;
        let (org, bucket) = (&self.org, &self.bucket);
        let sent =
            self.client.write_line_protocol_with_precision(org, bucket, body, precision).await;
        match sent {
            Ok(()) => Outcome::Written,
            Err(RequestError::Http { status, text }) => self.judge(status, &text),
            Err(other) => self.unavailable(&plain(&other)),
        }
    }

    /// Only InfluxDB's own words are a refusal: a proxy, or whatever else listens at that address,
    /// answers 200 and 400 to anything, and knows nothing of lines.
    fn judge(&self, status: StatusCode, text: &str) -> Outcome {
        let Answer { code, message } = Answer::read(text);
        let says = shortened(&message);
        match (status.as_u16(), code.as_str()) {
            (400, "invalid") => Outcome::Refused { reason: says },
            (401 | 403, _) => self.unavailable(&format!(
                "it refuses the token ({says}); set store.influx.token or token_file to one that may write to bucket {:?}",
                self.bucket
            )),
            (404, _) => self.unavailable(&format!(
                "it knows no bucket {:?} in org {:?} ({says}); create it, or mend store.influx.bucket and org",
                self.bucket, self.org
            )),
            (413, _) => Outcome::TooLarge,
            (422, _) => Outcome::PartlyRefused { dropped: dropped(&message), reason: says },
            (429, _) => Outcome::Busy { reason: self.reason("it takes no more for now (429)") },
            (status @ 200..=400, _) => self.unavailable(&format!(
                "it answers {status}, as no InfluxDB 2 does ({says}); is store.influx.url its address?"
            )),
            (status, _) => self.unavailable(&format!("it answers {status} ({says})")),
        }
    }

    fn unavailable(&self, why: &str) -> Outcome {
        Outcome::Unavailable { reason: self.reason(why) }
    }

    fn reason(&self, why: &str) -> String {
        format!("InfluxDB at {}: {why}", self.url)
    }
}

/// A client with time-outs that speaks HTTP/1.1 only. A redirect would turn a write into a GET.
pub(super) fn client(settings: &settings::Influx, headers: HeaderMap) -> anyhow::Result<Client> {
    url(&settings.url)?;
    let builder = reqwest_influx::ClientBuilder::new()
        .http1_only()
        .redirect(reqwest_influx::redirect::Policy::none())
        .connect_timeout(CONNECT_WITHIN)
        .timeout(settings.timeout)
        .default_headers(headers);
    let token = settings.token.reveal();
    ClientBuilder::with_builder(builder, &settings.url, &settings.org, token)
        .build()
        .context("cannot build the client of InfluxDB")
}

/// influxdb2 panics on an address that is none, and forgets a path.
fn url(text: &str) -> anyhow::Result<()> {
    let url = reqwest_influx::Url::parse(text).with_context(|| {
        format!("store.influx.url: {text:?} is no address such as http://127.0.0.1:8086")
    })?;
    anyhow::ensure!(
        url.path() == "/" && url.has_host(),
        "store.influx.url: {text:?} must be scheme, host and port alone, as http://127.0.0.1:8086"
    );
    Ok(())
}

fn gzip(text: &str) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

/// An error as InfluxDB writes it; of anybody else the text as it is.
#[derive(Debug, serde::Deserialize)]
struct Answer {
    #[serde(default)]
    code: String,
    message: String,
}

impl Answer {
    fn read(text: &str) -> Self {
        let plain = |_| Self { code: String::new(), message: text.trim().to_owned() };
        serde_json::from_str(text).unwrap_or_else(plain)
    }
}

/// What an error says, cut to the length of a message.
pub(super) fn message(text: &str) -> String {
    shortened(&Answer::read(text).message)
}

fn shortened(text: &str) -> String {
    text.chars().take(300).collect()
}

/// `… dropped=3`; at least one, or it would not have complained.
fn dropped(message: &str) -> usize {
    let after = message.rsplit_once("dropped=").map(|(_, after)| after);
    let digits = after.map(|after| after.split(|c: char| !c.is_ascii_digit()).next());
    digits.flatten().and_then(|digits| digits.parse().ok()).unwrap_or(1)
}

/// The innermost cause: `Connection refused (os error 111)`.
pub(super) fn plain(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, text: &str) -> Outcome {
        let settings = settings::Influx { bucket: "readings".to_owned(), ..Default::default() };
        let writer = Writer::new(&settings).unwrap();
        writer.judge(StatusCode::from_u16(status).unwrap(), text)
    }

    #[test]
    fn each_answer_says_what_to_do_next() {
        let conflict = r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: input field \"temp_c\" on measurement \"fridge\" is type string, already exists as type float dropped=2"}"#;
        assert!(matches!(judge(422, conflict), Outcome::PartlyRefused { dropped: 2, .. }));
        let unparsed = r#"{"code":"invalid","message":"unable to parse"}"#;
        let refused = Outcome::Refused { reason: "unable to parse".to_owned() };
        assert_eq!(judge(400, unparsed), refused);
        assert_eq!(judge(413, ""), Outcome::TooLarge);
        for (status, words) in [
            (401, "it refuses the token"),
            (403, "store.influx.token"),
            (404, "no bucket \"readings\""),
            (503, "it answers 503"),
            (500, "it answers 500"),
        ] {
            let Outcome::Unavailable { reason } = judge(status, "") else { panic!("{status}") };
            assert!(reason.contains(words), "{status}: {reason}");
        }
        assert!(matches!(judge(429, ""), Outcome::Busy { .. }));
    }

    #[test]
    fn what_is_no_influx_neither_takes_nor_refuses_a_line() {
        let page = "<html>The plain HTTP request was sent to HTTPS port</html>";
        for status in [200, 301, 400] {
            let Outcome::Unavailable { reason } = judge(status, page) else { panic!("{status}") };
            assert!(reason.contains("is store.influx.url its address?"), "{reason}");
        }
    }

    #[test]
    fn how_many_were_dropped_stands_behind_the_longest_of_names() {
        let message = format!("partial write: field {} dropped=7", "x".repeat(1000));
        let text = serde_json::json!({"code": "unprocessable entity", "message": message});
        let outcome = judge(422, &text.to_string());
        assert!(matches!(outcome, Outcome::PartlyRefused { dropped: 7, .. }), "{outcome:?}");
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_its_cure() {
        for wrong in ["", "127.0.0.1:8086", "http://h:8086/path"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
        url("http://127.0.0.1:8086").unwrap();
        url("https://influx.example:443/").unwrap();
    }
}
