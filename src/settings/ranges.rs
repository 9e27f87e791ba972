//! What each setting may be, where its type alone does not say so.

use std::{net::SocketAddr, path::Path, time::Duration};

use super::{ByteSize, Settings, Subscribe, Webhook, hours};
use crate::problem::Problem;

struct Found<'a> {
    file: &'a Path,
    problems: Vec<Problem>,
}

/// Every setting that is out of its range.
pub(super) fn check(file: &Path, settings: &Settings) -> Vec<Problem> {
    let mut found = Found { file, problems: Vec::new() };
    subscribe(&mut found, &settings.subscribe);
    found.address("listen.mqtt", &settings.listen.mqtt);
    found.address("web.listen", &settings.web.listen);
    listen(&mut found, settings);
    ingest(&mut found, settings);
    store(&mut found, settings);
    found.span("alert.startup_grace", settings.alert.startup_grace, Duration::ZERO, hours(24));
    found.span("alert.input_lost_after", settings.alert.input_lost_after, SECOND, hours(24));
    found.span("alert.keep", settings.alert.keep, hours(24 * 7), hours(24 * 366 * 20));
    found.span("notify.give_up_after", settings.notify.give_up_after, SECOND * 60, hours(24 * 30));
    webhooks(&mut found, &settings.notify.webhooks);
    found.problems
}

const SECOND: Duration = Duration::from_secs(1);

fn subscribe(found: &mut Found<'_>, subscribe: &Subscribe) {
    let broker = &subscribe.broker;
    let schemes = ["mqtt://", "mqtts://"];
    let host = schemes.iter().find_map(|scheme| broker.strip_prefix(scheme));
    if !broker.is_empty() && host.is_none_or(str::is_empty) {
        let what = format!("{broker:?} is no address of a broker");
        found.note("subscribe.broker", what, "write mqtt://host:1883 or mqtts://host:8883");
    }
    if subscribe.client_id.is_empty() {
        let cure = "give this daemon a name of its own on the broker";
        found.note("subscribe.client_id", "is empty".to_owned(), cure);
    }
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let level = |level: &str| (1..=48).contains(&level.len()) && level.chars().all(letter);
    if !subscribe.prefix.split('/').all(level) {
        let what = format!("{:?} is no beginning of a topic", subscribe.prefix);
        found.note("subscribe.prefix", what, "use a-z, 0-9, - and _, with / between levels");
    }
    found.span("subscribe.keep_alive", subscribe.keep_alive, SECOND * 5, hours(18));
}

/// Nobody may come in unasked from other machines.
fn listen(found: &mut Found<'_>, settings: &Settings) {
    let listen = &settings.listen;
    let reachable =
        listen.mqtt.parse::<SocketAddr>().is_ok_and(|address| !address.ip().is_loopback());
    if reachable && listen.users_file.is_none() && !listen.allow_anonymous {
        let what = "others can reach this address, and nobody could come in".to_owned();
        let cure = "set users_file, or allow_anonymous = true to let everybody in";
        found.note("listen.mqtt", what, cure);
    }
    found.number("listen.max_connections", f64::from(listen.max_connections), 1.0, 1e6);
}

fn ingest(found: &mut Found<'_>, settings: &Settings) {
    let ingest = &settings.ingest;
    found.size("ingest.max_message", ingest.max_message, ByteSize::kib(1), ByteSize::mib(16));
    found.size("ingest.max_in_flight", ingest.max_in_flight, ByteSize::mib(1), ByteSize::gib(16));
    if ingest.max_in_flight < ingest.max_message {
        let what = format!("{} is less than one message may have", ingest.max_in_flight);
        found.note("ingest.max_in_flight", what, "make it larger than ingest.max_message");
    }
    found.number("ingest.device_rate", ingest.device_rate, 0.01, 1e6);
    found.number("ingest.device_burst", f64::from(ingest.device_burst), 1.0, 1e9);
    let max = settings.journal.max_bytes;
    found.size("journal.max_bytes", max, ByteSize::mib(1), ByteSize::gib(1 << 14));
}

fn store(found: &mut Found<'_>, settings: &Settings) {
    let (store, influx) = (&settings.store, &settings.store.influx);
    found.span("store.retention", store.retention, hours(1), hours(24 * 366 * 20));
    found.url("store.influx.url", &influx.url);
    found.number("store.influx.batch_lines", f64::from(influx.batch_lines), 1.0, 100_000.0);
    found.number("store.influx.in_flight", f64::from(influx.in_flight), 1.0, 64.0);
    found.span("store.influx.timeout", influx.timeout, Duration::from_millis(100), hours(1));
    for (key, text) in [("org", &influx.org), ("bucket", &influx.bucket)] {
        if text.is_empty() {
            let key = format!("store.influx.{key}");
            found.note(&key, "is empty".to_owned(), "name it as it is in InfluxDB");
        }
    }
}

fn webhooks(found: &mut Found<'_>, webhooks: &[Webhook]) {
    for (i, webhook) in webhooks.iter().enumerate() {
        let key = format!("notify.webhooks[{i}].url");
        found.url(&key, &webhook.url);
        if webhooks.iter().take(i).any(|other| other.url == webhook.url) {
            found.note(&key, "is there twice".to_owned(), "take one of them out");
        }
    }
}

impl Found<'_> {
    fn note(&mut self, key: &str, what: String, cure: &str) {
        self.problems.push(Problem::new(self.file, key, what, cure));
    }

    fn address(&mut self, key: &str, address: &str) {
        if !address.is_empty() && address.parse::<SocketAddr>().is_err() {
            let what = format!("{address:?} is no address to listen on");
            self.note(key, what, "write 127.0.0.1:8080, port 0 for any, or \"\" for off");
        }
    }

    fn url(&mut self, key: &str, url: &str) {
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        if host.is_none_or(str::is_empty) {
            self.note(key, format!("{url:?} is no URL"), "begin it with http:// or https://");
        }
    }

    fn span(&mut self, key: &str, span: Duration, least: Duration, most: Duration) {
        if !(least..=most).contains(&span) {
            let show = humantime::format_duration;
            let what = format!("{} lies outside {} to {}", show(span), show(least), show(most));
            self.note(key, what, "");
        }
    }

    fn size(&mut self, key: &str, size: ByteSize, least: ByteSize, most: ByteSize) {
        if !(least..=most).contains(&size) {
            self.note(key, format!("{size} lies outside {least} to {most}"), "");
        }
    }

    fn number(&mut self, key: &str, number: f64, least: f64, most: f64) {
        if !(least..=most).contains(&number) {
            self.note(key, format!("{number} lies outside {least} to {most}"), "");
        }
    }
}
